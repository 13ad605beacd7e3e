"""An operator has callbacks told again: once, in order, and after a crash too."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, update

from anchor.cli import group
from anchor.extensions import db, transaction
from anchor.models import Callback, Job, Transaction
from anchor.services import callback_replays, callbacks, customer_standings
from anchor.services.callback_replays import Replayed
from anchor.services.callbacks import CALLBACK
from tests.test_callbacks import DOWN, NO_CONTENT, Listener, deliver, due_now, listening
from tests.test_expiry import sql
from tests.world import World


def run(world: World, *words: str) -> Any:
    return world.app.test_cli_runner().invoke(group, ["callbacks", *words])


def listed(world: World, *words: str) -> list[dict[str, Any]]:
    answer = run(world, "list", "--json", *words)
    assert answer.exit_code == 0, answer.output
    found: list[dict[str, Any]] = json.loads(answer.output)
    return found


def told_to(world: World, wallet: Listener) -> str:
    """Open a withdrawal whose wallet is told of its changes; return its id."""
    row_id = world.withdrawal()
    with transaction():
        mine = Transaction.id == row_id
        url = f"http://127.0.0.1:{wallet.port}/told?secret=1"
        db.session.execute(update(Transaction).where(mine).values(callback_url=url))
    return row_id


def paid(world: World, row_id: str) -> None:
    world.pay("100", world.memo(row_id))
    world.read()


def statuses(wallet: Listener) -> list[str]:
    return [json.loads(body)["transaction"]["status"] for _, body in wallet.requests]


def counted() -> int:
    with transaction():
        return db.session.scalar(select(func.count()).select_from(Callback)) or 0


def test_what_was_delivered_is_told_anew_as_it_stands_now(world: World) -> None:
    with listening(NO_CONTENT) as wallet:
        row_id = told_to(world, wallet)
        paid(world, row_id)
        deliver()
        world.work()
        deliver()
        assert statuses(wallet) == ["pending_anchor", "completed"]
        first = min(each["id"] for each in listed(world, "--delivered"))
        for words in ([str(first)], ["--transaction", row_id], ["--since", "2020-01-01"]):
            answer = run(world, "replay", *words)
            assert answer.output == "0 are tried again, 1 are told anew.\n", words
            assert statuses(wallet)[2:] == [], "it is told by whoever does the work"
            deliver()
            assert wallet.requests.pop() is not None
        sql("UPDATE callbacks SET owed_at = now() - interval '2 days'")
        assert run(world, "replay", "--since", "2999-01-01").output.startswith(
            "0 are tried again, 0"
        )


def test_what_was_not_delivered_is_tried_again_as_it_was_written(world: World) -> None:
    with listening(DOWN, NO_CONTENT) as wallet:
        row_id = told_to(world, wallet)
        paid(world, row_id)
        deliver()
        [waiting] = listed(world)
        assert (waiting["attempts"], waiting["is_parked"]) == (1, False)
        assert "503" in waiting["trouble"]
        sql("UPDATE jobs SET parked_at = now() WHERE kind = 'callback'")
        assert listed(world)[0]["is_parked"]
        world.work()
        answer = run(world, "replay", str(waiting["id"]))
        assert answer.output == "1 are tried again, 0 are told anew.\n"
        deliver()
        assert statuses(wallet) == ["pending_anchor", "pending_anchor", "completed"]
    assert listed(world) == []


def test_asked_for_by_eight_at_once_it_is_told_once(world: World) -> None:
    with listening(NO_CONTENT) as wallet:
        row_id = told_to(world, wallet)
        paid(world, row_id)
        deliver()
        before = counted()

        def again(_: int) -> Replayed:
            with world.app.app_context():
                return callback_replays.replay_of(row_id, "an operator")

        with ThreadPoolExecutor(8) as pool:
            said = sorted(pool.map(again, range(8)), key=lambda each: each.due)
        assert said == [Replayed(anew=1)] + [Replayed(due=1)] * 7
        assert counted() == before + 1
        deliver()
        assert statuses(wallet) == ["pending_anchor"] * 2


def test_a_replay_outlives_whoever_asked_for_it(world: World) -> None:
    """It is a row and its job: a doorbell that nobody heard loses nothing."""
    with listening(NO_CONTENT) as wallet:
        row_id = told_to(world, wallet)
        paid(world, row_id)
        deliver()
        run(world, "replay", "--transaction", row_id)
        with transaction():
            [job] = db.session.scalars(select(Job).where(Job.kind == CALLBACK))
            assert (job.lane, job.parked_at) == (f"callback 127.0.0.1:{wallet.port}", None)
        due_now()
        deliver()
        assert len(wallet.requests) == 2


def test_pages_are_told_apart_and_no_address_is_shown(world: World) -> None:
    with listening(NO_CONTENT) as wallet, listening(DOWN) as dead:
        for host in (wallet, wallet, dead, dead):
            paid(world, told_to(world, host))
        deliver()
        first = listed(world, "--limit", "1")
        second = listed(world, "--after", str(first[0]["id"]))
        assert [len(first), len(second)] == [1, 1]
        assert second[0]["id"] > first[0]["id"]
        newest, *older = listed(world, "--delivered")
        assert [each["id"] for each in older] == [
            each["id"] for each in listed(world, "--delivered", "--after", str(newest["id"]))
        ]
        about = newest["subject"].partition("/")[2]
        assert listed(world, "--delivered", "--transaction", about) == [newest]
        text = run(world, "list").output
        assert f"127.0.0.1:{dead.port}" in text
        assert "secret" not in text + json.dumps(first + older)
        assert run(world, "list", "--transaction", about).output == (
            "Nothing waits to be delivered.\n"
        )


def test_of_customers_only_what_waits_is_told_again(world: World) -> None:
    with listening(NO_CONTENT) as wallet:
        url = f"http://127.0.0.1:{wallet.port}/"
        with transaction():
            host = callbacks.check_url(url)
            subject = f"{customer_standings.SUBJECT}/c1"
            row = Callback(subject=subject, host=host, url=url, delivered_at=func.now())
            db.session.add(row)
        answer = run(world, "replay", str(row.id))
        assert answer.output == (
            "0 are tried again, 0 are told anew.\n"
            "1 about customers were delivered, and are not kept.\n"
        )
        sql("UPDATE callbacks SET delivered_at = NULL, body = '{}'")
        db.session.expire_all()
        assert run(world, "replay", str(row.id)).output.startswith("1 are tried again")
        deliver()
        assert [body for _, body in wallet.requests] == [b"{}"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["replay"], 2, "Name one or more IDs"),
        (["replay", "1", "--since", "2026-01-01"], 2, "Name one or more IDs"),
        (["replay", "--since", "yesterday"], 2, "does not match"),
        (["replay", "987654321"], 1, "There is no such callback"),
        (["replay", "--transaction", "none"], 1, "Nobody was to be told of this transaction"),
    ],
)
def test_what_cannot_be_told_again_is_said(
    world: World, words: list[str], code: int, said: str
) -> None:
    answer = run(world, *words)
    assert (answer.exit_code, said.lower() in answer.output.lower()) == (code, True), answer.output
