"""Each safeguard is what keeps money right: without it, and with nothing else changed, it is not.

Every story is told twice. With the safeguard the end check of the chaos journey (or the books
of a rail on strings) finds nothing; with it taken away the same story loses money, pays it
twice or calls a person for nothing, and the check says so. A check that could not see that
would be worth nothing.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests
from sqlalchemy import true, update

from anchor.extensions import db, transaction
from anchor.integrations.protocols import RailTraits
from anchor.ledger.gateway import LedgerPayment
from anchor.models import Account
from anchor.services import jobs, payments, payouts, transactions
from anchor.services.networks import Watch
from anchor.services.transactions import PAY_OUT, Happening, happened
from tests.chaos import verdict
from tests.chaos.customers import Ledger
from tests.puppets import age, due_now, puppet
from tests.waiting import until
from tests.world import CODE, World

kept_or_taken = pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "taken away"])


def differences(world: World, held_before: int) -> list[str]:
    """What the end check of the chaos journey says of this world."""
    url = world.settings.database_url.replace("+psycopg", "")

    def sql(query: str, *values: Any) -> list[Any]:
        with psycopg.connect(url) as connection:
            return connection.execute(query, values or None).fetchall()  # type: ignore[arg-type]

    def bank(path: str) -> Any:
        return requests.get(f"{world.sandbox.url}/bank{path}", timeout=5).json()

    evidence = verdict.Evidence(sql, Ledger(world.sandbox.url), bank, world.distribution)
    return verdict.check(evidence, [], held_before, CODE)


def held(world: World) -> int:
    lines = world.sandbox_get(f"/accounts/{world.distribution}")["balances"]
    return sum(verdict.stroops(x["balance"]) for x in lines if x.get("asset_code") == CODE)


# -- the look-up before a repeat -------------------------------------------------------------


@kept_or_taken
def test_promise_06_the_look_up_before_a_repeat_is_what_keeps_a_payout_single(
    world: World, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    if not is_kept:
        monkeypatch.setattr(payouts, "_look_up", lambda _rail, _attempt: None)
    rail = puppet(world, script=["take and fall over"])
    row_id = world.paid_withdrawal()
    world.work()
    age(61)
    due_now()
    world.work()
    assert world.status(row_id) == "completed"
    assert rail.moved == {f"{row_id}-1": 1 if is_kept else 2}


# -- the cursor in the commit ----------------------------------------------------------------


class Killed(BaseException):
    """The process dies here."""


def cursor_first(
    watch: Watch, _read_from: int, cursor: int, page: Sequence[LedgerPayment]
) -> payments.Seen:
    """Keep a page as nobody may: the cursor is durable before what lies before it is."""
    with transaction():
        db.session.execute(update(Account).where(Account.id == watch.id).values(cursor=cursor))
    with transaction():
        return payments._keep(watch, page)


@kept_or_taken
def test_promise_02_the_cursor_in_the_commit_is_what_loses_no_payment(
    world: World, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    world.fund()
    before = held(world)
    row_id = world.withdrawal("100")
    world.pay("100", world.memo(row_id))
    if not is_kept:
        monkeypatch.setattr(payments, "observe", cursor_first)
    keep = payments._keep

    def dies_once(watch: Watch, page: Sequence[LedgerPayment]) -> payments.Seen:
        monkeypatch.setattr(payments, "_keep", keep)
        raise Killed

    monkeypatch.setattr(payments, "_keep", dies_once)
    with pytest.raises(Killed):
        world.read()
    db.session.remove()
    with transaction():
        db.session.execute(update(Account).values(leased_until=None))  # the dead one's ran out
    world.read()
    world.work()
    found = differences(world, before)
    if is_kept:
        assert world.status(row_id) == "completed"
        assert found == []
    else:
        assert world.status(row_id) == "pending_user_transfer_start"
        assert any("kept None" in each for each in found)
        assert any("the treasury's books say 0, the ledger 1000000000" in each for each in found)


# -- the compare in the swap -----------------------------------------------------------------


@kept_or_taken
def test_promise_05_the_compare_in_a_claim_is_what_keeps_a_payout_in_one_hand(
    world: World, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    if not is_kept:
        monkeypatch.setattr(jobs, "is_free", lambda: (true(),))
    before = held(world)
    rail = puppet(world, RailTraits(max_in_flight=8), gate=threading.Event())
    row_id = world.paid_withdrawal()
    address = jobs.Address(PAY_OUT, row_id)

    def hand() -> jobs.Ran:
        with world.app.app_context():
            return jobs.run(address)

    assert rail.gate is not None
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(hand)
        until(lambda: rail.calls)
        others = [pool.submit(hand).result() for _ in range(3)]
        rail.gate.set()
        first.result()
    assert world.status(row_id) == "completed"
    assert rail.moved == {f"{row_id}-1": 1}
    called_out = [each for each in differences(world, before) if "outcome_unknown" in each]
    if is_kept:
        assert others == [jobs.Ran.NOTHING] * 3
        assert called_out == []
    else:
        assert jobs.Ran.NOTHING not in others
        assert called_out


@kept_or_taken
def test_promise_04_the_compare_of_versions_stops_two_who_read_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    """Here the row's lock is gone in either story: the compare is what stands behind it.

    Without the compare the history's unique version is the last that holds.
    """
    row_id = world.withdrawal("100")
    both = threading.Barrier(2, timeout=20)

    def unlocked(ids: Any) -> dict[str, Any]:
        table = transactions.Transaction
        rows = db.session.scalars(transactions.select(table).where(table.id.in_(list(ids))))
        found = {row.id: row for row in rows}
        both.wait()
        return found

    monkeypatch.setattr(transactions, "_locked", unlocked)
    if not is_kept:
        monkeypatch.setattr(transactions, "_bound", _compares_with_itself(transactions._bound))

    def credit(number: int) -> str:
        with world.app.app_context():
            try:
                happened(Happening(row_id, None, f"payment 1/{number}", received=10**9))
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            return "done"

    with ThreadPoolExecutor(2) as pool:
        ends = sorted(pool.map(credit, (1, 2)))
    assert world.row(row_id).amount_received == 10**9
    assert ends[1] == "done"
    assert ("a version moved" if is_kept else "uq_history_transaction_id_version") in ends[0]


def _compares_with_itself(bound: Any) -> Any:
    def whatever(change: Any, assignments: Any) -> dict[str, Any]:
        table = transactions.Transaction
        query = transactions.select(table.version).where(table.id == change.row.id)
        version = db.session.execute(query.with_for_update()).scalar_one()
        return bound(change, assignments) | {"the_version": version}  # type: ignore[no-any-return]

    return whatever
