"""What a custodian did, held against the ledger, the books, and a backup that was restored."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from anchor.extensions import db
from anchor.integrations.custody import CustodyTraits
from anchor.services import audits, desk, passes, reconciliation, restore, sweeps
from anchor.services.audits import Difference
from anchor.services.deposit_payments import PAY_ON_LEDGER
from tests.keeping_custody import ALL_FORMS, Keep, kept
from tests.waiting import until


@pytest.fixture
def keep(database_url: str, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keep]:
    with kept(database_url, broker_url, monkeypatch) as made:
        yield made


def everything(keep: Keep) -> None:
    """Let every service have its turn."""
    for _ in range(3):
        keep.world.read()
        passes.owe("work")
        keep.again()


def test_promise_09_what_a_custodian_paid_is_accounted_for_to_the_last_stroop(keep: Keep) -> None:
    keep.custodian(CustodyTraits(can_look_up=True, forms=ALL_FORMS))
    assert reconciliation.run().differences == []
    keep.deposit(keep.account().public_key)
    keep.deposit(keep.account(trusts=False).public_key, takes_claimable_balance=True)
    everything(keep)
    assert odd(reconciliation.run().differences) == []
    assert odd(audits.look()) == []
    assert keep.world.cases() == []
    [(fees,)] = keep.sql("SELECT sum(fee_charged) FROM outflows")
    assert fees == 200


def odd(differences: Iterable[Difference]) -> list[Difference]:
    """Leave out what comes of deposits here, which are funded without a receipt."""
    return [each for each in differences if each.kind not in {"received", "customers"}]


@pytest.mark.parametrize("late", [0, 2])
@pytest.mark.parametrize("was_queued", [True, False])
def test_promise_06_an_order_that_the_restored_database_forgot_is_taken_back(
    keep: Keep, request: pytest.FixtureRequest, was_queued: bool, late: int
) -> None:
    copy: Any = request.getfixturevalue("backup")
    puppet = keep.custodian(CustodyTraits(can_look_up=True))
    keep.vault.late = late
    account = keep.account().public_key
    row_id = keep.deposit(account)
    if was_queued:
        sweeps.work_off([PAY_ON_LEDGER])
    copy.take()
    keep.work()
    assert puppet.calls == [f"{row_id}-1"]
    copy.restore()
    found = restore.look("ann")
    assert found.deposits == [f"{row_id}-1"]
    assert found.unexplained == []
    restore.resume("ann")
    everything(keep)
    assert puppet.calls == [f"{row_id}-1"]
    assert keep.world.status(row_id) == "completed"
    assert keep.times_paid(account) == 1
    assert keep.sql("SELECT reason FROM cases WHERE closed_at IS NULL") == []
    assert odd(audits.look()) == []
    keep.booked()
    db.session.remove()


def test_promise_07_a_custodian_that_cannot_be_asked_keeps_a_restored_database_paused(
    keep: Keep, request: pytest.FixtureRequest
) -> None:
    copy: Any = request.getfixturevalue("backup")
    keep.custodian(CustodyTraits())
    row_id = keep.deposit(keep.account().public_key)
    copy.take()
    copy.restore()
    found = restore.look("ann")
    assert found.unexplained == [f"{row_id}-1: the custodian vault cannot be asked for it"]
    db.session.remove()


def test_promise_06_an_order_after_one_that_was_taken_back_is_found(
    keep: Keep, request: pytest.FixtureRequest
) -> None:
    copy: Any = request.getfixturevalue("backup")
    puppet = keep.custodian(CustodyTraits(can_look_up=True))
    account = keep.account().public_key
    row_id = keep.deposit(account)
    copy.take()
    sweeps.work_off([PAY_ON_LEDGER])
    desk.hold(row_id, desk.By("ann"))  # the first order leaves its queue untold
    desk.release(row_id, desk.By("ann"))
    until(lambda: keep.again() or puppet.calls, 20, "for the second order")
    until(lambda: keep.again() or keep.world.status(row_id) == "completed", 20, "for its end")
    assert puppet.calls == [f"{row_id}-2"]
    copy.restore()
    assert restore.look("ann").deposits == [f"{row_id}-2"]
    restore.resume("ann")
    everything(keep)
    assert puppet.calls == [f"{row_id}-2"]
    assert (keep.world.status(row_id), keep.times_paid(account)) == ("completed", 1)
    db.session.remove()
