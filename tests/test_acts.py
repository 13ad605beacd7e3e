"""What an operator sends twice is done once: under a key, also at the same time, also late."""

import os
import signal
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select

from anchor.errors import NotFound, Rejected
from anchor.extensions import db, transaction
from anchor.integrations.protocols import RailTraits, Returned
from anchor.models import Act
from anchor.money import parse_amount
from anchor.services import (
    acts,
    attesting,
    audits,
    brakes,
    crediting,
    custodian_payments,
    desk,
    jobs,
    refund_orders,
    retries,
)
from anchor.services.acts import By
from anchor.services.cases import open_case
from anchor.services.refund_orders import Terms
from anchor.services.transactions import PAY_ON_LEDGER, PAY_OUT
from tests.deposits import Bench
from tests.puppets import puppet
from tests.receiving import balances
from tests.test_after_the_end import paid, told
from tests.test_refunds import again, in_parallel, on_hold, open_refunds, work
from tests.waiting import until
from tests.world import World

KEYED = By("ann", "the customer asked", "form 1")
TEN = Terms(parse_amount("10"))


def kept() -> list[tuple[str, str | None]]:
    with transaction():
        return [(each.what, each.key) for each in db.session.scalars(select(Act).order_by(Act.id))]


def unmatched(world: World) -> int:
    """Return the case of 25 that came and matched nobody."""
    world.pay("25", "id:12345")
    world.read()
    return desk.listing()[-1].id


# -- at the same time -------------------------------------------------------------------------


def test_promise_05_a_refund_that_is_sent_eight_times_at_once_is_begun_once(world: World) -> None:
    case_id = unmatched(world)
    begun, refusals = in_parallel(world, lambda: refund_orders.begin(str(case_id), KEYED, TEN))
    assert (len(begun), len(set(begun)), refusals) == (8, 1, [])
    assert kept() == [("refund", "form 1")]
    until(lambda: work(world) or not open_refunds(), 30, "for the refund")
    assert balances()["suspense"] == -parse_amount("15")


def test_promise_05_all_that_is_left_goes_back_once_and_nobody_is_refused(world: World) -> None:
    row_id = on_hold(world)
    begun, refusals = in_parallel(world, lambda: refund_orders.begin(row_id, KEYED, Terms()))
    assert (len(set(begun)), refusals) == (1, [])
    assert len(world.outflows(row_id)) == 1


def test_promise_05_who_was_overtaken_on_the_way_is_told_of_the_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, named, first = str(unmatched(world)), refund_orders._named, []

    def overtaken(what: str) -> Any:
        monkeypatch.setattr(refund_orders, "_named", named)
        first.append(refund_orders.begin(case_id, KEYED, Terms()))
        return named(what)

    monkeypatch.setattr(refund_orders, "_named", overtaken)
    assert [refund_orders.begin(case_id, KEYED, Terms())] == first
    assert kept() == [("refund", "form 1")]


def test_promise_05_what_came_back_is_paid_again_once_however_often_it_is_sent(
    world: World,
) -> None:
    row_id = paid(world)
    told(world, row_id, Returned("no such account"))
    keys, refusals = in_parallel(world, lambda: desk.pay_again(row_id, KEYED))
    assert (len(keys), set(keys), refusals) == (8, {f"{row_id}-2"}, [])
    assert len(world.outflows(row_id)) == 2
    world.work()
    assert desk.pay_again(row_id, KEYED) == f"{row_id}-2", "its answer was lost"
    assert (world.row(row_id).amount_paid, audits.look()) == (parse_amount("100"), [])


def test_promise_03_money_is_credited_once_however_often_it_is_sent(world: World) -> None:
    case_id, row_id = unmatched(world), world.withdrawal("25")
    done, refusals = in_parallel(world, lambda: crediting.credit(case_id, row_id, KEYED))
    assert (len(done), refusals) == (8, [])
    assert world.row(row_id).amount_received == parse_amount("25")
    assert kept() == [("credit", "form 1")]


def begin_and_die(window: str, case_id: str) -> None:
    """Begin a refund, and be killed as the act is committed, or once it is."""
    db.session.remove()
    db.engine.dispose(close=False)  # the connections are the parent's
    acted: list[str] = []

    def note(_1: Any, _2: Any, statement: str, *_: Any) -> None:
        acted.extend(["act"] if statement.startswith("INSERT INTO acts") else [])

    def die(*_: Any) -> None:
        if acted:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(db.engine, "before_cursor_execute", note)
    if window == "before its commit":
        event.listen(db.engine, "commit", die)
    else:
        event.listen(db.session, "after_commit", die)
    refund_orders.begin(case_id, KEYED, TEN)


@pytest.mark.parametrize(("window", "left"), [("before its commit", 0), ("after its commit", 1)])
def test_promise_05_a_refund_whose_process_is_killed_around_its_commit_is_begun_once(
    world: World, window: str, left: int
) -> None:
    """The windows of `acts`: neither act nor refund, or both; the same again comes to one."""
    case_id = str(unmatched(world))
    child = os.fork()
    if child == 0:
        try:
            begin_and_die(window, case_id)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(kept()) == open_refunds() == left
    refund_orders.begin(case_id, KEYED, TEN)
    assert kept() == [("refund", "form 1")]
    assert open_refunds() == 1


def test_two_keys_are_two_acts(world: World) -> None:
    case_id = str(unmatched(world))
    for key in ("form 1", "form 2", None):
        refund_orders.begin(case_id, By("ann", None, key), Terms(parse_amount("5")))
    assert [key for _, key in kept()] == ["form 1", "form 2", None]


# -- late -------------------------------------------------------------------------------------


def test_promise_06_what_is_sent_again_late_undoes_nothing_that_came_after(world: World) -> None:
    row_id = world.paid_withdrawal()
    desk.hold(row_id, replace(KEYED, key="hold"))
    desk.release(row_id, replace(KEYED, key="release"))
    desk.hold(row_id, By("vic", "wait, the bank calls"))
    desk.release(row_id, replace(KEYED, key="release"))
    assert world.status(row_id) == "on_hold"
    assert [what for what, _ in kept()] == ["hold", "release", "hold"]


def test_promise_06_a_refund_is_told_of_after_its_end(world: World) -> None:
    case_id = str(unmatched(world))
    begun = refund_orders.begin(case_id, KEYED, Terms())
    until(lambda: work(world) or not open_refunds(), 30, "for the refund")
    assert desk.show(int(case_id)).closed_at is not None
    assert refund_orders.begin(case_id, KEYED, Terms()) == begun
    with pytest.raises(Rejected, match="all of"):
        refund_orders.begin(case_id, replace(KEYED, key="form 2"), Terms())


def test_promise_06_a_refund_that_is_taken_back_is_not_begun_again_by_its_key(
    world: World,
) -> None:
    brakes.pause("all", "", "ann", None)
    row_id = on_hold(world)
    begun = refund_orders.begin(row_id, KEYED, Terms())
    for _ in range(2):
        refund_orders.cancel(begun.key, By("ann", None, "form 2"))
    assert refund_orders.begin(row_id, KEYED, Terms()) == begun
    assert [each.state for each in world.outflows(row_id)] == ["refused"]


# -- a key is of one act ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        lambda case, row: refund_orders.begin(case, KEYED, Terms()),
        lambda case, row: refund_orders.begin(case, KEYED, replace(TEN, without_fee=True)),
        lambda case, row: refund_orders.begin(case, KEYED, replace(TEN, by_hand=True)),
        lambda case, row: refund_orders.begin(case, KEYED, replace(TEN, to_contract="C")),
        lambda case, row: refund_orders.begin(row, KEYED, TEN),
        lambda case, row: desk.close(int(case), KEYED),
        lambda case, row: desk.hold(row, KEYED),
        lambda case, row: desk.release(row, KEYED),
        lambda case, row: desk.fail(row, KEYED),
        lambda case, row: desk.pay_again(row, KEYED),
        lambda case, row: crediting.credit(int(case), row, KEYED),
        lambda case, row: attesting.settle(f"{row}-1", KEYED, is_paid=True),
        lambda case, row: custodian_payments.settle(f"{row}-1", None, KEYED),
        lambda case, row: refund_orders.cancel(f"{row}-1", KEYED),
        lambda case, row: retries.ask(jobs.Address(PAY_OUT, row), KEYED),
    ],
)
def test_promise_06_anything_else_under_a_key_is_refused(world: World, other: Any) -> None:
    case_id, row_id = str(unmatched(world)), world.paid_withdrawal()
    refund_orders.begin(case_id, KEYED, TEN)
    with pytest.raises(Rejected, match="another act was done under this key: refund, by ann"):
        other(case_id, row_id)
    assert kept() == [("refund", "form 1")]
    assert world.status(row_id) == "pending_anchor"


def test_who_asks_again_and_their_note_are_not_part_of_what_is_meant(world: World) -> None:
    case_id = unmatched(world)
    desk.close(case_id, KEYED)
    desk.close(case_id, By("vic", "I too", "form 1"))
    assert [act.who for act in desk.show(case_id).done] == ["ann"]


def test_what_was_refused_may_be_asked_for_again_under_its_key(world: World) -> None:
    row_id = world.withdrawal()
    with pytest.raises(Rejected):
        desk.release(row_id, KEYED)
    assert kept() == []
    world.pay("100", world.memo(row_id))
    world.read()
    desk.hold(row_id, By("ann"))
    desk.release(row_id, KEYED)
    assert kept()[-1] == ("release", "form 1")


def test_promise_15_what_is_meant_holds_no_note(world: World) -> None:
    desk.close(unmatched(world), By("ann", "Grace Hopper called", "form 1"))
    with transaction():
        [act] = db.session.scalars(select(Act)).all()
    assert act.meaning == acts.meaning("close", case=act.case_id) == '{"act": "close", "case": 1}'


# -- the rest of them -------------------------------------------------------------------------


def test_promise_07_what_became_of_an_attempt_is_said_once(world: World) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        again()
        world.work()
    assert desk.acts_of(row_id) == ("settle",)
    done, refusals = in_parallel(
        world, lambda: attesting.settle(f"{row_id}-1", KEYED, is_paid=True)
    )
    assert (len(done), refusals) == (8, [])
    assert (world.status(row_id), len(kept())) == ("completed", 1)
    assert desk.acts_of(row_id) == ()
    with pytest.raises(Rejected, match="another act"):
        attesting.settle(f"{row_id}-1", KEYED, is_paid=False)


def test_a_parked_job_is_run_again_and_it_is_on_record(world: World) -> None:
    bench = Bench(world)
    row_id = bench.deposit("MNONSENSE")
    bench.work()
    [case] = desk.listing()
    assert desk.show(case.id).acts == ("close", "retry")
    address = retries.of_case(case.cause)
    assert address == jobs.Address(PAY_ON_LEDGER, row_id)
    for _ in range(2):
        retries.ask(address, KEYED)
    assert kept() == [(f"retry {PAY_ON_LEDGER} {row_id}", "form 1")]
    bench.work()
    assert retries.ask_parked(PAY_ON_LEDGER, "nothing", By("ann")) == 0
    assert retries.ask_parked(PAY_ON_LEDGER, "", By("ann")) == 1
    assert kept()[-1] == (f"retry parked {PAY_ON_LEDGER}", None)
    with pytest.raises(NotFound, match="there is no job"):
        retries.ask(jobs.Address(PAY_ON_LEDGER, "nobody"), By("ann"))


def test_the_acts_of_a_transaction_are_those_that_are_legal_now(world: World) -> None:
    row_id = world.withdrawal()
    with pytest.raises(NotFound):
        desk.acts_of("nobody")
    assert desk.acts_of(row_id) == ()
    world.pay("100", world.memo(row_id))
    world.read()
    assert desk.acts_of(row_id) == ("hold", "refund")
    desk.hold(row_id, By("ann"))
    assert desk.acts_of(row_id) == ("refund", "release")
    brakes.pause("all", "", "ann", None)
    refund_orders.begin(row_id, By("ann"), Terms())
    assert desk.acts_of(row_id) == ("cancel-refund",)


def test_what_goes_back_of_one_case_is_no_other_cases_to_take_back(world: World) -> None:
    brakes.pause("all", "", "ann", None)
    case_id = unmatched(world)
    with transaction():
        open_case("books_differ", "a day")
    refund_orders.begin(str(case_id), By("ann"), Terms())
    acts_by_case = {each.reason: desk.show(each.id).acts for each in desk.listing()}
    assert acts_by_case == {
        "payment_unmatched": ("cancel-refund", "close"),
        "books_differ": ("close",),
    }
