"""SEP-24 deposits as a wallet and a customer see them."""

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from stellar_sdk import Keypair, MuxedAccount, StrKey

from anchor import create_app, references
from anchor.errors import Rejected
from anchor.extensions import db, transaction
from anchor.integrations.protocols import Field
from anchor.lifecycle import Event
from anchor.policies import DeliveryPolicy
from anchor.services import deposits, drafts
from anchor.services.transactions import Happening, Owner, happened
from tests.visiting import Visitor
from tests.world import World

PATH = "/sep24/transactions/deposit/interactive"
HASH = bytes(range(32))


@pytest.fixture
def client(world: World) -> Any:
    world.fund()
    return world.app.test_client()


def asked(world: World, client: Any, headers: Any = None, **body: Any) -> Any:
    headers = headers or world.log_in(client)
    return client.post(PATH, json={"asset_code": "USDC", **body}, headers=headers)


def opened(world: World, client: Any, headers: Any = None, **body: Any) -> dict[str, Any]:
    headers = headers or world.log_in(client)
    answer = asked(world, client, headers, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json, headers=headers)


def page_of(one: dict[str, Any]) -> tuple[str, str]:
    path, _, token = one["url"].removeprefix("http://localhost").partition("?token=")
    return path, token


def filled(client: Any, one: dict[str, Any], **form: str) -> Any:
    return Visitor(client, one["url"]).fill_in(**{"amount": "100"} | form)


def shown(client: Any, one: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(
        "/sep24/transaction", query_string={"id": one["id"]}, headers=one["headers"]
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["transaction"]
    return found


def reference_on(page: Any) -> str:
    found = re.search(r"Reference</dt><dd[^>]*>([^<]+)<", page.text)
    assert found is not None, page.text
    return found[1]


@pytest.fixture
def delivering(world: World) -> Iterator[World]:
    """The same anchor, which creates accounts and pays by claimable balance."""
    delivery = DeliveryPolicy(
        create_accounts=True, starting_balance=20_000_000, creation_fee=5_000_000
    )
    policy = replace(world.policy, delivery=replace(delivery, claimable_balances=True))
    settings = replace(world.settings, assets={"USDC": policy})
    app = create_app(settings)
    with app.app_context():
        yield World(app, settings, world.sandbox, world.bank, world.payer)
        db.session.remove()
        db.engine.dispose()


@pytest.mark.conforms("SEP24-24", "SEP24-100", "SEP24-103")
def test_a_deposit_is_incomplete_until_its_page_is_filled_in(world: World, client: Any) -> None:
    one = opened(world, client, amount="100")
    assert set(one) == {"type", "url", "id", "headers"}
    before = shown(client, one)
    assert (before["kind"], before["status"]) == ("deposit", "incomplete")
    assert before["to"] == world.payer.public_key
    assert before["more_info_url"]
    assert before["started_at"]
    assert before["deposit_memo"] is before["deposit_memo_type"] is None
    assert before["claimable_balance_id"] is before["from"] is None
    assert not [name for name in before if name.startswith("withdraw")]
    visitor = Visitor(client, one["url"])
    assert visitor.page.status_code == 200
    assert 'value="100"' in visitor.page.text
    assert visitor.fill_in().status_code == 200
    after = shown(client, one)
    assert after["status"] == "pending_user_transfer_start"
    assert (after["amount_in"], after["amount_out"], after["amount_fee"]) == ("100", "98.5", "1.5")
    told = after["fee_details"]
    assert (told["total"], told["asset"]) == ("1.5", f"stellar:{world.policy.id}")
    assert [each["amount"] for each in told["details"]] == ["1", "0.5"]
    assert told["breakdown"] == told["details"]
    assert after["user_action_required_by"].endswith("Z")
    assert "refunds" not in after


@pytest.mark.conforms("SEP24-50", "SEP24-51")
def test_the_customer_is_told_what_to_transfer_and_can_look_again(
    world: World, client: Any
) -> None:
    """SEP24-50, 51: the reference stays on both pages."""
    one = opened(world, client)
    done = filled(client, one)
    reference = reference_on(done)
    assert references.read(reference) == world.row(one["id"]).reference
    assert "100.00\xa0USD" in done.text
    assert "98.50\xa0USDC" in done.text
    path, _token = page_of(one)
    assert reference_on(client.get(path, follow_redirects=True)) == reference
    more = client.get(shown(client, one)["more_info_url"].removeprefix("http://localhost"))
    assert more.status_code == 200
    assert more.mimetype == "text/html"
    assert reference_on(more) == reference
    assert "Waiting for your transfer" in more.text


@pytest.mark.conforms("SEP24-51", "V-09")
def test_the_more_info_page_of_an_incomplete_deposit_opens(world: World, client: Any) -> None:
    one = opened(world, client)
    more = client.get(shown(client, one)["more_info_url"].removeprefix("http://localhost"))
    assert more.status_code == 200
    assert "Not complete yet" in more.text


def test_filling_in_twice_changes_nothing(world: World, client: Any) -> None:
    one = opened(world, client)
    visitor = Visitor(client, one["url"])
    visitor.send(amount="100")
    form = visitor.form
    reference = reference_on(visitor.send())
    for data in (form.values, form.values | {"amount": "500"}):
        again = client.post(form.action, data=data, follow_redirects=True)
        assert reference_on(again) == reference
        first = client.post(page_of(one)[0], data=data, follow_redirects=True)
        assert reference_on(first) == reference
    assert shown(client, one)["amount_in"] == "100"
    with pytest.raises(Rejected, match="complete already"):
        deposits.give_details(one["id"], 1_0000000, "bank", {}, "form 2")


def test_a_form_that_is_sent_twice_at_once_is_taken_once(
    world: World, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double click: the other hand was first, and the customer sees what to transfer."""
    one = opened(world, client)
    confirm = drafts.confirm

    def twice(*given: Any) -> None:
        confirm(*given)
        confirm(*given)

    monkeypatch.setattr(drafts, "confirm", twice)
    done = filled(client, one)
    assert done.status_code == 200
    assert references.read(reference_on(done)) == world.row(one["id"]).reference
    assert world.events(one["id"]) == ["opened", "details_given"]


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0.5", "The least amount is 1."),
        ("10001", "The greatest amount is 10,000."),
        ("10.001", "The amount has 2 decimals at most."),
        ("ten", "An amount is written as a plain number"),
        ("", "An amount is written as a plain number"),
        ("1", "The fee leaves nothing to pay out."),
    ],
)
def test_the_page_says_what_is_wrong_and_keeps_what_was_given(
    world: World, client: Any, amount: str, said: str
) -> None:
    one = opened(world, client)
    answer = filled(client, one, amount=amount)
    assert answer.status_code == 400
    assert said in answer.text
    assert f'value="{amount}"' in answer.text
    assert shown(client, one)["status"] == "incomplete"


@pytest.mark.conforms("SEP24-26")
def test_the_rail_says_what_it_needs_to_know_and_the_wallet_may_know_it(
    world: World, client: Any
) -> None:
    """SEP24-26: SEP-9 values are filled in; what is no field of the rail's is not kept."""
    rail = world.app.extensions["anchor"].rails["bank"]
    rail.deposit_fields = (Field("last_name", "Your family name", pattern=r"[^\W\d]{2,}"),)
    one = opened(world, client, last_name="Lovelace", first_name="Ada", birth_date="1815-12-10")
    assert world.row(one["id"]).details == {"last_name": "Lovelace"}
    visitor = Visitor(client, one["url"])
    visitor.send(amount="100")
    assert visitor.step == "account"
    assert 'value="Lovelace"' in visitor.page.text
    visitor.send(last_name="1")
    assert visitor.page.status_code == 400
    assert "is not written as it should be" in visitor.page.text
    visitor.send(last_name="King")
    assert visitor.fill_in().status_code == 200
    assert world.row(one["id"]).details == {"last_name": "King"}


@pytest.mark.conforms("SEP24-20", "SEP24-21", "SEP24-22", "SEP24-23", "GEN-36", "GEN-37")
@pytest.mark.parametrize(
    "body",
    [
        {"asset_code": "NOPE"},
        {"asset_code": ""},
        {"asset_code": None},
        {"asset_issuer": Keypair.random().public_key},
        {"amount": "0.5"},
        {"amount": "10001"},
        {"amount": "1.00000001"},
        {"amount": "1.001"},
        {"account": "GBAD"},
        {"account": Keypair.random().secret},
        {"quote_id": "1"},
        {"source_asset": "iso4217:EUR"},
        {"memo": "5"},
        {"memo_type": "id"},
        {"memo": "5", "memo_type": "return"},
        {"memo": "-5", "memo_type": "id"},
        {"memo": str(2**64), "memo_type": "id"},
        {"memo": "ä" * 15, "memo_type": "text"},
        {"memo": HASH.hex(), "memo_type": "hash"},
        {"memo": "!" * 44, "memo_type": "hash"},
        {"claimable_balance_supported": "maybe"},
    ],
)
def test_what_cannot_be_deposited_is_refused(world: World, client: Any, body: Any) -> None:
    answer = asked(world, client, **body)
    assert answer.status_code == 400
    assert answer.json["error"]


def test_a_deposit_that_is_off_is_refused(world: World, client: Any) -> None:
    headers = world.log_in(client)
    policy = replace(world.policy, deposit=replace(world.policy.deposit, enabled=False))
    app = create_app(replace(world.settings, assets={"USDC": policy}))
    answer = app.test_client().post(PATH, json={"asset_code": "USDC"}, headers=headers)
    assert (answer.status_code, answer.json) == (
        400,
        {"error": "this asset cannot be deposited here"},
    )
    assert app.test_client().get("/sep24/info").json["deposit"] == {}


def test_a_contract_account_is_refused_with_a_sentence_where_there_is_no_rpc(
    world: World, client: Any
) -> None:
    answer = asked(world, client, account=StrKey.encode_contract(bytes(32)))
    assert answer.status_code == 400
    assert "contract accounts" in answer.json["error"]


@pytest.mark.parametrize("muxed", [False, True])
def test_an_account_of_the_anchor_is_no_destination(world: World, client: Any, muxed: bool) -> None:
    for account in (world.distribution, world.policy.issuer):
        assert account is not None
        name = MuxedAccount(account, 7).universal_account_id if muxed else account
        answer = asked(world, client, account=name)
        assert answer.status_code == 400
        assert "the anchor's own" in answer.json["error"]


def test_a_channel_of_the_anchor_is_no_destination(world: World, client: Any) -> None:
    channel = Keypair.random().public_key
    world.create(channel)
    assert asked(world, client, account=channel).status_code == 200
    with transaction():
        db.session.execute(
            text("INSERT INTO channels (network_id, account_id, number) VALUES (:n, :a, 1)"),
            {"n": world.network_id, "a": channel},
        )
    assert asked(world, client, account=channel).status_code == 400


@pytest.mark.conforms("GEN-36", "SEP24-100")
@pytest.mark.parametrize(
    ("memo_type", "memo", "stored"),
    [
        ("text", "ä" * 14, "ä" * 14),
        ("id", "18446744073709551615", "18446744073709551615"),
        ("id", "007", "7"),
        ("hash", base64.b64encode(HASH).decode(), HASH.hex()),
    ],
)
def test_each_type_of_memo_is_kept_and_shown_as_it_was_asked_for(
    world: World, client: Any, memo_type: str, memo: str, stored: str
) -> None:
    one = opened(world, client, memo=memo, memo_type=memo_type)
    row = world.row(one["id"])
    assert (row.destination_memo_type, row.destination_memo) == (memo_type, stored)
    found = shown(client, one)
    assert found["deposit_memo_type"] == memo_type
    assert found["deposit_memo"] == (stored if memo_type == "id" else memo)


@pytest.mark.conforms("CAP27-02")
def test_a_muxed_destination_is_kept_as_it_is_and_takes_no_memo(world: World, client: Any) -> None:
    muxed = MuxedAccount(world.payer.public_key, 2**64 - 1).universal_account_id
    one = opened(world, client, account=muxed)
    assert shown(client, one)["to"] == muxed
    answer = asked(world, client, account=muxed, memo="5", memo_type="id")
    assert answer.status_code == 400
    assert "no memo" in answer.json["error"]


def test_the_account_that_logged_in_is_the_destination_by_default(
    world: World, client: Any
) -> None:
    """SEP-24's default; whoever logs in below a shared account is paid under that id."""
    muxed = MuxedAccount(world.payer.public_key, 5).universal_account_id
    by_address = opened(world, client, world.log_in(client, account=muxed))
    assert shown(client, by_address)["to"] == muxed
    assert shown(client, by_address)["deposit_memo"] is None
    below = world.log_in(client, memo="5")
    by_memo = shown(client, opened(world, client, below))
    assert by_memo["to"] == world.payer.public_key
    assert (by_memo["deposit_memo_type"], by_memo["deposit_memo"]) == ("id", "5")
    named = shown(client, opened(world, client, below, account=world.payer.public_key))
    assert named["deposit_memo"] is None
    other = shown(client, opened(world, client, below, memo="x", memo_type="text"))
    assert (other["deposit_memo_type"], other["deposit_memo"]) == ("text", "x")


@pytest.mark.conforms("SEP24-27")
def test_an_account_that_is_not_there_is_refused_where_none_is_created(
    world: World, client: Any
) -> None:
    answer = asked(world, client, account=Keypair.random().public_key)
    assert answer.status_code == 400
    assert "not on the ledger" in answer.json["error"]


@pytest.mark.conforms("1.5/upstream down")
def test_in_doubt_whether_the_account_is_there_no_deposit_is_opened(
    world: World, client: Any
) -> None:
    """Promise 14."""
    headers = world.log_in(client)
    world.sandbox.stop()
    assert asked(world, client, headers).status_code == 503


@pytest.mark.conforms("SEP24-14", "SEP24-27")
def test_accounts_are_created_and_claimable_balances_taken_where_the_asset_says_so(
    delivering: World,
) -> None:
    client = delivering.app.test_client()
    assert client.get("/sep24/info").json["features"] == {
        "account_creation": True,
        "claimable_balances": True,
    }
    headers = delivering.log_in(client)
    one = opened(
        delivering,
        client,
        headers,
        account=Keypair.random().public_key,
        claimable_balance_supported="true",
    )
    assert delivering.row(one["id"]).takes_claimable_balance
    assert "we send them for 0.50\xa0USDC" in Visitor(client, one["url"]).page.text
    plain = opened(delivering, client, headers)
    assert not delivering.row(plain["id"]).takes_claimable_balance


@pytest.mark.conforms("GEN-11", "SEP24-03")
def test_form_json_and_multipart_are_all_read(world: World, client: Any) -> None:
    headers = world.log_in(client)
    form = {"asset_code": "USDC", "amount": "10", "claimable_balance_supported": "false"}
    for options in (
        {"json": {"asset_code": "USDC", "amount": 10, "claimable_balance_supported": True}},
        {"data": form},
        {"data": form, "content_type": "multipart/form-data"},
    ):
        assert client.post(PATH, headers=headers, **options).status_code == 200


@pytest.mark.conforms("SEP24-104", "SEP24-108")
def test_a_wallet_sees_each_status_in_sep_24_s_words(world: World, client: Any) -> None:
    one = opened(world, client)
    filled(client, one)

    def happens(event: Event, **columns: Any) -> dict[str, Any]:
        received = 100_0000000 if event is Event.FUNDS_RECEIVED else 0
        happened(Happening(one["id"], event, f"test {event}", received, columns))
        more = client.get(shown(client, one)["more_info_url"].removeprefix("http://localhost"))
        assert more.status_code == 200
        return shown(client, one)

    booked = happens(Event.FUNDS_RECEIVED, from_account="DE893704", external_transaction_id="B1")
    assert (booked["status"], booked["from"]) == ("pending_anchor", "****3704")
    assert "user_action_required_by" not in booked
    waiting = happens(Event.TRUST_MISSING)
    assert waiting["status"] == "pending_trust"
    assert waiting["user_action_required_by"] > booked["started_at"]
    happens(Event.TRUST_FOUND)
    asking = happens(Event.TRANSACTION_INFO_NEEDED)
    assert asking["status"] == "pending_user"
    happens(Event.TRANSACTION_INFO_GIVEN)
    assert happens(Event.LEDGER_PAYMENT_SUBMITTED)["status"] == "pending_stellar"
    done = happens(
        Event.LEDGER_PAYMENT_CONFIRMED,
        stellar_transaction_id="ab" * 32,
        claimable_balance_id="00000000" + "cd" * 32,
    )
    assert (done["status"], done["refunded"]) == ("completed", False)
    assert done["completed_at"].endswith("Z")
    assert done["claimable_balance_id"] == "00000000" + "cd" * 32
    for name in ("stellar_transaction_id", "external_transaction_id"):
        answer = client.get(
            "/sep24/transaction", query_string={name: done[name]}, headers=one["headers"]
        )
        assert answer.json["transaction"]["id"] == one["id"]


@pytest.mark.conforms("SEP24-62")
def test_the_list_is_filtered_by_kind(world: World, client: Any) -> None:
    headers = world.log_in(client)
    one = opened(world, client, headers)
    withdrawal = client.post(
        "/sep24/transactions/withdraw/interactive", json={"asset_code": "USDC"}, headers=headers
    ).json["id"]

    def listed(**query: Any) -> list[str]:
        found = client.get(
            "/sep24/transactions", query_string={"asset_code": "USDC", **query}, headers=headers
        )
        assert found.status_code == 200, found.text
        return [item["id"] for item in found.json["transactions"]]

    assert listed(kind="deposit") == [one["id"]]
    assert listed(kind="withdrawal") == [withdrawal]
    assert listed() == [withdrawal, one["id"]]


@pytest.mark.conforms("GEN-25")
def test_promise_13_a_deposit_is_shown_to_its_owner_alone(world: World, client: Any) -> None:
    one = opened(world, client)
    filled(client, one)
    path = f"/sep24/transaction?id={one['id']}"
    other, below = world.log_in(client, Keypair.random()), world.log_in(client, memo="5")
    for headers in (other, below):
        assert client.get(path, headers=headers).status_code == 404
        found = client.get("/sep24/transactions?asset_code=USDC", headers=headers)
        assert found.json == {"transactions": []}
    page, token = page_of(one)
    second = opened(world, client)
    for where, key in (
        (page_of(second)[0], token),
        (page, page_of(second)[1]),
        (page, ""),
        (page, one["headers"]["Authorization"].removeprefix("Bearer ")),
        (f"/interactive/transaction/{one['id']}", token),
    ):
        assert client.get(where, query_string={"token": key}).status_code == 403
        form = {"form_token": key, "amount": "9"}
        assert client.post(where, data=form).status_code in {403, 405}
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get(path, headers=bearer).status_code == 403
    assert shown(client, second)["status"] == "incomplete"


def test_the_page_of_a_deposit_is_not_the_page_of_a_withdrawal(world: World, client: Any) -> None:
    one = opened(world, client)
    path, token = page_of(one)
    wrong = path.replace("/deposit/", "/withdraw/")
    assert client.get(wrong, query_string={"token": token}).status_code == 404
    form = Visitor(client, one["url"]).form.values
    assert client.post(wrong, data=form | {"amount": "10"}).status_code == 403
    for kept in client._cookies.copy().values():
        client.set_cookie(kept.key, kept.value, path=wrong)
    assert client.post(wrong, data=form | {"amount": "10"}).status_code == 404
    assert client.get(f"{wrong}/state").status_code == 404
    assert client.get(f"{wrong}/price?amount=10").status_code == 404
    assert shown(client, one)["status"] == "incomplete"


def test_references_are_unique_however_many_are_given_out_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve hands draw from four numbers that all are told twice, and from then on freely."""
    world.fund()
    made = [references.make() for _ in range(4)]
    drawn = iter([*made, *made])
    fresh = references.make
    monkeypatch.setattr(references, "make", lambda: next(drawn, None) or fresh())
    owner = Owner(world.payer.public_key)
    ids = [deposits.open_interactive(owner, world.policy) for _ in range(12)]

    def complete(row_id: str) -> str | None:
        with world.app.app_context():
            deposits.give_details(row_id, 100_0000000, "bank", {}, "form 1")
            return world.row(row_id).reference

    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(complete, ids))
    assert len(set(given)) == 12
    assert set(made) <= set(given)
