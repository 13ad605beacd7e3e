"""What a wallet is told of its customer's way through the pages: by the page, or by the server."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from anchor.extensions import db, transaction
from anchor.models import Callback
from anchor.services import sweeps
from anchor.services.callbacks import CALLBACK
from tests.doors.test_page_sessions import opened, place_of
from tests.test_callbacks import NO_CONTENT, listening
from tests.visiting import Visitor
from tests.world import ACCOUNT, World


@pytest.fixture
def client(world: World) -> Any:
    world.fund()
    return world.app.test_client()


def owed(row_id: str) -> list[tuple[str, dict[str, Any]]]:
    with transaction():
        query = select(Callback.url, Callback.body).order_by(Callback.id)
        found = db.session.execute(query.where(Callback.subject == f"interactive/{row_id}"))
        return [(url, json.loads(body or "{}")["transaction"]) for url, body in found]


def visited(client: Any, one: Any, **callbacks: str) -> Visitor:
    """Open a page with what the wallet appended to its address."""
    more = "".join(f"&{name}={quote(value, safe='')}" for name, value in callbacks.items())
    return Visitor(client, one["url"] + more)


@pytest.mark.conforms("SEP24-40", "SEP24-41", "SEP24-45", "CB-10")
@pytest.mark.parametrize("word", ["postMessage", "POSTMESSAGE", "postmessage"])
def test_a_page_knows_what_it_is_to_tell(world: World, client: Any, word: str) -> None:
    one = opened(world)
    visitor = visited(client, one, callback=word, on_change_callback=word)
    assert visitor.page.status_code == 200
    done = visitor.fill_in(amount="100", bank_account_number=ACCOUNT)
    assert 'data-tells="callback on_change_callback"' in done.text
    assert owed(one["id"]) == []
    plain = Visitor(world.app.test_client(), opened(world)["url"])
    assert 'data-tells=""' in plain.fill_in(amount="9", bank_account_number=ACCOUNT).text


@pytest.mark.conforms("SEP24-46")
def test_what_a_page_tells_is_what_the_endpoint_shows_without_a_token(
    world: World, client: Any
) -> None:
    one = opened(world)
    visitor = visited(client, one, callback="postMessage")
    visitor.fill_in(amount="100", bank_account_number=ACCOUNT)
    told = client.get(f"{place_of(one)}/state")
    assert told.status_code == 200
    shown = client.get(
        f"/sep24/transaction?id={one['id']}", headers=world.log_in(world.app.test_client())
    ).json["transaction"]
    assert "token" not in told.text
    assert shown["more_info_url"].startswith(told.json["transaction"]["more_info_url"])
    bare = {"more_info_url": ""}
    assert told.json["transaction"] | bare == shown | bare
    assert told.json["version"] == world.row(one["id"]).version


@pytest.mark.conforms("SEP24-42", "SEP24-44", "SEP24-49")
def test_the_end_of_the_flow_is_posted_once_and_signed(world: World, client: Any) -> None:
    one = opened(world)
    with listening(NO_CONTENT) as wallet:
        visitor = visited(client, one, callback=f"http://127.0.0.1:{wallet.port}/end")
        visitor.send(amount="100")
        visitor.send(bank_account_number=ACCOUNT)
        assert owed(one["id"]) == []
        form = visitor.form
        visitor.send()
        client.post(form.action, data=form.values)
        [(_, told)] = owed(one["id"])
        assert told["status"] == "pending_user_transfer_start"
        world.pay("100", world.memo(one["id"]))
        world.read()
        world.work()
        sweeps.work_off([CALLBACK])
    assert world.status(one["id"]) == "completed"
    [(headers, body)] = wallet.requests
    assert json.loads(body) == {"transaction": told}
    assert headers["Signature"].startswith("t=")


@pytest.mark.conforms("SEP24-42")
def test_whoever_leaves_is_not_told_of(world: World, client: Any) -> None:
    one = opened(world)
    visitor = visited(client, one, callback="http://127.0.0.1:9/end")
    visitor.send(amount="100")
    visitor.send(bank_account_number=ACCOUNT)
    assert world.status(one["id"]) == "incomplete"
    assert owed(one["id"]) == []


@pytest.mark.conforms("SEP24-43", "SEP24-40")
def test_every_change_is_posted_from_the_opening_of_the_page_on(world: World, client: Any) -> None:
    one = opened(world)
    url = "http://127.0.0.1:9/change?a=1&b=2"
    visitor = visited(client, one, on_change_callback=url)
    assert world.row(one["id"]).callback_url == url
    visitor.fill_in(amount="100", bank_account_number=ACCOUNT)
    world.pay("100", world.memo(one["id"]))
    world.read()
    world.work()
    assert [(where, each["status"]) for where, each in owed(one["id"])] == [
        (url, "pending_user_transfer_start"),
        (url, "pending_anchor"),
        (url, "completed"),
    ]


@pytest.mark.conforms("SEP24-40")
@pytest.mark.parametrize(
    "bad", ["", "x", "ftp://wallet.example/x", "http://", "wallet://done", "\x00", "é" * 3000]
)
def test_an_address_that_is_told_nothing_stops_no_customer(
    world: World, client: Any, bad: str
) -> None:
    one = opened(world)
    visitor = visited(client, one, callback=bad, on_change_callback=bad)
    assert visitor.page.status_code == 200
    visitor.fill_in(amount="100", bank_account_number=ACCOUNT)
    assert world.status(one["id"]) == "pending_user_transfer_start"
    assert world.row(one["id"]).callback_url is None
    assert owed(one["id"]) == []
