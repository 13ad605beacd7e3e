"""What rails tell by webhook: verified on raw bytes, stored as it came, judged by a job."""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from anchor.cli import group
from anchor.errors import NotFound, Rejected, Unavailable
from anchor.extensions import db, transaction
from anchor.integrations.protocols import Done, Outcome, Receipt, Refused, Sent, Unknown
from anchor.models import Job
from anchor.services import jobs
from anchor.services.rail_events import JUDGE
from anchor.services.transactions import PAY_OUT
from tests.puppets import LOOKS_UP, due_now
from tests.receiving import (
    Teller,
    balances,
    booked,
    cases,
    deposit,
    events,
    judge_events,
    kept,
    poll,
    verdicts,
)
from tests.waiting import until
from tests.world import World

HUNDRED = 100_0000000


@dataclass
class Herald(Teller):
    """A rail whose events are what `told` holds under the body's text."""

    told: dict[str, Any] = field(default_factory=dict)
    seen_headers: list[Mapping[str, str]] = field(default_factory=list)
    webhook_headers = ("X-Kind", "Authorization", "cookie")

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        self.seen_headers.append(headers)
        assert not db.session().in_transaction()
        if headers.get("authorization") != "Basic bank":
            raise Rejected("nobody I know")
        return headers.get("x-id", "")

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes
    ) -> Sequence[Receipt | tuple[str, Outcome]]:
        self.seen_headers.append(headers)
        assert not db.session().in_transaction()
        found = self.told[body.decode()]
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]


def herald(world: World, **more: Any) -> Herald:
    made = Herald("bank", traits=LOOKS_UP, **more)
    world.app.extensions["anchor"].rails["bank"] = made
    return made


def tell(world: World, body: str, event_id: str = "E1", **headers: str) -> int:
    """Send an event as the bank does; return the status of the answer."""
    sent = {"Authorization": "Basic bank", "X-Id": event_id} | headers
    answer = world.app.test_client().post("/rails/bank/webhook", data=body, headers=sent)
    return answer.status_code


def test_an_event_is_stored_as_it_came_answered_at_once_and_judged_by_a_job(world: World) -> None:
    rail = herald(world)
    row_id = deposit(world)
    rail.told["came"] = [booked()]
    assert tell(world, "came", **{"X-Kind": "booking"}) == 200
    (event,) = events()
    assert (event.rail, event.event_id, event.body) == ("bank", "E1", b"came")
    assert event.judged_at is None
    assert kept() == []
    assert judge_events(world).done == 1
    assert world.status(row_id) == "pending_anchor"
    assert events()[0].judged_at is not None


def test_promise_15_secrets_of_a_request_are_not_stored(world: World) -> None:
    rail = herald(world)
    rail.told["came"] = []
    headers = {"X-Kind": "booking", "Cookie": "session=1", "X-Other": "5"}
    assert tell(world, "came", **headers) == 200
    assert events()[0].headers == {"x-kind": "booking"}
    judge_events(world)
    assert rail.seen_headers[-1] == {"x-kind": "booking"}


def test_promise_14_an_event_of_nobody_known_is_refused_and_leaves_nothing(world: World) -> None:
    herald(world)
    assert tell(world, "came", Authorization="Basic thief") == 403
    assert events() == []
    assert world.app.test_client().post("/rails/nobody/webhook", data="x").status_code == 404
    assert world.app.test_client().get("/rails/bank/webhook").status_code == 405


def test_a_rail_that_takes_no_events_has_no_door(world: World) -> None:
    answer = world.app.test_client().post("/rails/bank/webhook", data="{}")
    assert answer.status_code == 404


def test_a_surprise_while_verifying_is_not_taken_for_a_yes(world: World) -> None:
    rail = herald(world)
    for error, status in (
        (RuntimeError("a bug"), 500),
        (Unavailable("keys are away"), 503),
        (NotFound("no"), 404),
    ):

        def fail(_headers: Any, _body: bytes, error: Exception = error) -> str:
            raise error

        rail.verify_webhook = fail  # type: ignore[method-assign]
        assert tell(world, "came") == status
    assert events() == []


def test_a_body_that_is_too_long_is_refused_before_it_is_read(world: World) -> None:
    rail = herald(world)
    assert tell(world, "x" * 262_145) == 413
    assert rail.seen_headers == []
    rail.told["x" * 262_144] = []
    assert tell(world, "x" * 262_144) == 200


def test_promise_01_a_repeat_is_answered_and_changes_nothing(world: World) -> None:
    rail = herald(world)
    row_id = deposit(world)
    rail.told["came"] = [booked()]
    for _ in range(3):
        assert tell(world, "came") == 200
    assert judge_events(world).done == 1
    assert tell(world, "came") == 200
    assert judge_events(world).total == 0
    assert len(events()) == 1
    assert world.events(row_id) == ["funds_received"]


def test_promise_01_another_body_under_the_same_id_is_another_event(world: World) -> None:
    rail = herald(world)
    deposit(world)
    rail.told = {"came": [booked()], "gone": [booked(is_reversed=True)]}
    for body in ("came", "gone", "gone", "came"):
        assert tell(world, body) == 200
    assert len(events()) == 2
    assert judge_events(world).done == 2
    assert cases() == [("receipt_reversed", HUNDRED)]
    assert balances() == {}


@pytest.mark.parametrize("event_id", ["", "x" * 201])
def test_an_event_without_an_id_is_known_by_its_body(world: World, event_id: str) -> None:
    rail = herald(world)
    rail.told = {"one": [], "two": []}
    for body in ("one", "two", "one"):
        assert tell(world, body, event_id) == 200
    assert {event.event_id for event in events()} == {
        hashlib.sha256(body).hexdigest() for body in (b"one", b"two")
    }


def test_promise_01_the_same_booking_by_webhook_poll_and_list_is_credited_once(
    world: World,
) -> None:
    rail = herald(world)
    row_id = deposit(world)
    rail.traits = type(rail.traits)(lists_receipts=True)
    rail.told["came"] = [booked()]
    rail.book = [booked()]
    tell(world, "came")
    poll(world)
    judge_events(world)
    due_now()
    poll(world)
    assert verdicts() == ["credited"]
    assert world.events(row_id) == ["funds_received"]
    assert balances() == {"bank": HUNDRED, "customer": -HUNDRED}


# -- what cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [ValueError("no JSON"), Rejected("not mine"), None, ["text"], [("key", "done")], [(1, Done())]],
)
def test_promise_01_a_body_that_cannot_be_read_is_kept_parked_and_read_again_when_asked(
    world: World, odd: Any
) -> None:
    rail = herald(world)
    row_id = deposit(world)
    rail.told["came"] = odd
    assert tell(world, "came") == 200
    assert judge_events(world).parked == 1
    assert cases() == [("event_unreadable", None)]
    due_now()
    assert judge_events(world).total == 0
    rail.told["came"] = [booked()]
    (event,) = events()
    done = world.app.test_cli_runner().invoke(group, ["retry", JUDGE, str(event.id)])
    assert done.exit_code == 0, done.output
    assert judge_events(world).done == 1
    assert world.status(row_id) == "pending_anchor"


def test_a_rail_that_cannot_read_just_now_reads_later(world: World) -> None:
    rail = herald(world)
    rail.told["came"] = Unavailable("the keys are away")
    tell(world, "came")
    assert judge_events(world).postponed == 1
    rail.told["came"] = []
    due_now()
    assert judge_events(world).done == 1
    assert cases() == []


def test_promise_12_one_bad_outcome_of_an_event_stops_no_receipt_and_no_other_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anchor.services import outflows

    rail = herald(world)
    row_id = deposit(world)
    rail.told = {"one": [("any", Done()), booked()], "two": [booked("B2")]}
    monkeypatch.setattr(outflows, "by_key", lambda *_: 1 / 0)
    tell(world, "one", "E1")
    tell(world, "two", "E2")
    tally = judge_events(world)
    assert (tally.parked, tally.done) == (1, 1)
    assert world.status(row_id) == "pending_anchor"
    assert verdicts() == ["credited", "second"]


# -- outcomes of orders ------------------------------------------------------------------------


def order(world: World, rail: Herald, *script: Any) -> str:
    """Let a withdrawal be ordered with the rail; return its id."""
    rail.script = list(script)
    row_id = world.paid_withdrawal()
    world.work()
    return row_id


def test_an_outcome_by_webhook_completes_the_order(world: World) -> None:
    rail = herald(world)
    row_id = order(world, rail, Sent("R1"))
    assert world.status(row_id) == "pending_external"
    rail.told["done"] = [(f"{row_id}-1", Done(delivered_amount=Decimal("98.5")))]
    tell(world, "done")
    judge_events(world)
    assert world.status(row_id) == "completed"
    assert world.cases() == []


def test_an_order_that_came_back_by_webhook_is_a_case(world: World) -> None:
    rail = herald(world)
    row_id = order(world, rail, Done())
    rail.told["back"] = [(f"{row_id}-1", Refused("returned"))]
    tell(world, "back")
    judge_events(world)
    assert world.status(row_id) == "completed"
    assert world.cases() == ["contradicts_final_outcome"]


def test_an_outcome_of_an_order_that_is_not_ours_is_a_case(world: World) -> None:
    rail = herald(world)
    rail.told["done"] = [("somebody's-1", Done())]
    tell(world, "done")
    assert judge_events(world).done == 1
    assert world.cases() == ["event_of_nobody"]


@pytest.mark.parametrize("answer", [Done(), Sent("R1"), Unknown("time-out"), RuntimeError("bug")])
def test_promise_06_a_webhook_that_comes_before_the_call_returned_counts_and_the_answer_repeats_it(
    world: World, answer: Any
) -> None:
    gate = threading.Event()
    rail = herald(world, script=[answer], gate=gate)
    row_id = world.paid_withdrawal()

    def pay() -> None:
        with world.app.app_context():
            jobs.run(jobs.Address(PAY_OUT, row_id))

    thread = threading.Thread(target=pay)
    thread.start()
    until(lambda: rail.calls)
    rail.told["done"] = [(f"{row_id}-1", Done(reference="T1"))]
    tell(world, "done")
    assert judge_events(world).done == 1
    assert world.status(row_id) == "completed"
    gate.set()
    thread.join()
    due_now()
    world.work()
    assert rail.calls == [f"{row_id}-1"]
    assert [outflow.state for outflow in world.outflows(row_id)] == ["done"]
    assert world.events(row_id)[-1] == "payout_completed"
    assert world.cases() == []
    with transaction():
        assert list(db.session.scalars(select(Job.kind))) == []


def test_an_event_is_owed_and_stored_in_one_commit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rail = herald(world)
    rail.told["came"] = []
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "ensure", lambda _owed: 1 / 0)
        assert tell(world, "came") == 500
    assert events() == []
    with transaction():
        assert db.session.scalar(text("SELECT count(*) FROM jobs")) == 0
    assert tell(world, "came") == 200


def test_all_that_one_reason_has_parked_are_read_again_at_once(world: World) -> None:
    rail = herald(world)
    rail.told |= {
        "one": ValueError("no JSON"),
        "two": ValueError("no JSON"),
        "three": TypeError("?"),
    }
    for word in ("one", "two", "three"):
        assert tell(world, word) == 200
    assert judge_events(world).parked == 3
    rail.told |= {word: [] for word in ("one", "two", "three")}
    run = world.app.test_cli_runner().invoke
    wrong = run(group, ["retry", JUDGE, "1", "--parked"])
    assert wrong.exit_code == 2
    done = run(group, ["retry", JUDGE, "--parked", "--because", "ValueError"])
    assert done.output == "2 job(s) are due.\n"
    assert judge_events(world).done == 2
    done = run(group, ["retry", JUDGE, "--parked"])
    assert done.output == "1 job(s) are due.\n"
    assert judge_events(world).done == 1
