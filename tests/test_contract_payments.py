"""Several payments of one operation: kept once each, judged apart, booked and given back apart."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select
from stellar_sdk import Keypair

from anchor.config import TESTNET_PASSPHRASE
from anchor.extensions import db, gateway, transaction
from anchor.ledger.horizon import HorizonGateway
from anchor.ledger.records import read_payments
from anchor.models import Case, History, Outflow, Payment
from anchor.services import (
    audits,
    books,
    crediting,
    departures,
    desk,
    networks,
    payments,
    restored_payments,
)
from anchor.services.networks import Watch
from tests.invocations import CONTRACT, burn, invocation, transfer
from tests.world import World, parse_amount

UNIT = 10_000_000


def watching(account_id: str) -> Watch:
    return next(each for each in networks.watched() if each.account_id == account_id)


def told(world: World, record: dict[str, Any], account: str | None = None) -> payments.Seen:
    """Keep what Horizon tells of one of our accounts."""
    account = account or world.distribution
    return payments.feed(watching(account), read_payments(record, account))


def paid(world: World, row_id: str, amount: str) -> dict[str, Any]:
    """The change by which a contract pays a withdrawal."""
    memo = int(world.memo(row_id))
    return transfer(world.policy.id, CONTRACT, world.distribution, amount, memo)


def owed(world: World) -> dict[str, int]:
    return {name: each for name, each in books.balances()[world.policy.id].items() if each}


def causes() -> list[tuple[str, str]]:
    with transaction():
        rows = db.session.execute(select(Case.reason, Case.cause).order_by(Case.id))
        return [(row[0], row[1].partition("/")[2].partition("/")[2]) for row in rows]


def second(world: World) -> str:
    """Follow another account of ours; return it."""
    other = Keypair.random()
    world.create(other.public_key)
    networks.watch(gateway(), world.network_id, [other.public_key])
    return other.public_key


@pytest.mark.conforms("SEP6-47", "SEP24-32", "CAP67-03")
def test_a_contract_s_transfer_to_the_muxed_address_pays_a_withdrawal(world: World) -> None:
    row_id = world.withdrawal("100")
    told(world, invocation([paid(world, row_id, "100.0000000")]))
    row = world.row(row_id)
    assert (row.status, row.amount_received) == ("pending_anchor", 100 * UNIT)
    assert row.from_account == CONTRACT
    assert owed(world) == {"treasury": 100 * UNIT, "customer": -100 * UNIT}
    world.work()
    assert world.status(row_id) == "completed"


def test_promise_01_an_invocation_seen_twice_is_kept_once(world: World) -> None:
    row_id = world.withdrawal("100")
    record = invocation([paid(world, row_id, "40.0000000"), paid(world, row_id, "60.0000000")])
    assert told(world, record).new == 2
    assert told(world, record).new == 0
    assert world.row(row_id).amount_received == 100 * UNIT
    assert world.events(row_id) == ["opened", "details_given", "funds_received"]


def test_promise_03_changes_of_one_operation_under_one_memo_are_one_arrival(world: World) -> None:
    row_id = world.withdrawal("100")
    told(world, invocation([paid(world, row_id, "40.0"), paid(world, row_id, "60.0")]))
    assert world.verdicts() == ["credited", "credited"]
    assert world.status(row_id) == "pending_anchor"
    assert owed(world) == {"treasury": 100 * UNIT, "customer": -100 * UNIT}


def test_promise_03_one_operation_pays_two_withdrawals_and_one_stranger(world: World) -> None:
    first, other = world.withdrawal("100"), world.withdrawal("50")
    changes = [
        paid(world, first, "100.0"),
        paid(world, other, "50.0"),
        transfer(world.policy.id, CONTRACT, world.distribution, "7.0"),
        transfer("native", CONTRACT, world.distribution, "3.0", int(world.memo(first))),
    ]
    told(world, invocation(changes))
    assert world.verdicts() == ["credited", "credited", "unmatched", "wrong_asset"]
    assert [world.status(each) for each in (first, other)] == ["pending_anchor"] * 2
    assert causes() == [("payment_unmatched", "4"), ("payment_wrong_asset", "6")]
    assert owed(world) == {"treasury": 157 * UNIT, "customer": -150 * UNIT, "suspense": -7 * UNIT}
    assert audits.look() == []


def test_two_ways_to_name_one_transaction_in_one_operation_are_two_causes(world: World) -> None:
    """By the memo of its transaction, should a network take one some day, and by the address."""
    found, policy = world.app.extensions["anchor"], replace(world.policy, matching="collect")
    settings = replace(found.settings, assets={policy.code: policy})
    world.app.extensions["anchor"] = replace(found, settings=settings)
    row_id = world.withdrawal("100")
    memo = int(world.memo(row_id))
    plain = transfer(world.policy.id, CONTRACT, world.distribution, "40.0")
    told(world, invocation([plain, paid(world, row_id, "60.0")], memo=memo))
    assert world.verdicts() == ["credited", "credited"]
    assert world.row(row_id).amount_received == 100 * UNIT
    with transaction():
        query = select(History.cause).where(History.cause.like("payment %"))
        found = sorted(cause.rpartition("/")[2] for cause in db.session.scalars(query))
    assert found == ["0", "2"]


def test_what_comes_and_goes_in_one_operation_is_kept_apart(world: World) -> None:
    """What leaves by no envelope of ours is an incident, whatever came beside it."""
    row_id = world.withdrawal("100")
    out = transfer(world.policy.id, world.distribution, CONTRACT, "8.0")
    told(world, invocation([paid(world, row_id, "100.0"), out]))
    assert world.status(row_id) == "pending_anchor"
    assert causes() == [("outgoing_unknown", "3")]


def test_what_an_issuer_claws_back_is_an_incident(world: World) -> None:
    told(world, invocation([burn(world.policy.id, world.distribution, "8.0", kind="clawback")]))
    assert causes() == [("outgoing_unknown", "1")]


def test_an_order_explains_what_it_paid_and_nothing_else_of_its_operation(world: World) -> None:
    changes = [transfer(world.policy.id, world.distribution, CONTRACT, each) for each in "58"]
    record = invocation(changes)
    row_id = world.withdrawal()
    with transaction():
        db.session.add(
            Outflow(
                transaction_id=row_id,
                kind="submission",
                attempt=1,
                key="order-1",
                state="done",
                form="payment",
                asset=world.policy.id,
                amount=5 * UNIT,
                source=world.distribution,
                destination=CONTRACT,
                reference=record["transaction_hash"],
                operation_index=0,
            )
        )
    told(world, record)
    assert causes() == [("outgoing_unknown", "3")]
    with transaction():
        left = db.session.scalars(restored_payments._unexplained()).all()
        assert [payment.index for payment in left] == [3]
    with transaction():
        assert departures._payment(f"payment {world.network_id}/{record['id']}/3")[0].index == 3


def test_promise_01_two_accounts_of_ours_keep_one_operation_each_its_own(world: World) -> None:
    other = second(world)
    row_id = world.withdrawal("100")
    changes = [
        transfer(world.policy.id, CONTRACT, other, "3.0"),
        paid(world, row_id, "100.0"),
        transfer(world.policy.id, other, world.distribution, "2.0"),
    ]
    record = invocation(changes)
    assert told(world, record, other).new == 2
    assert told(world, record).new == 2
    assert told(world, record, other).new == 0
    with transaction():
        rows = db.session.execute(
            select(Payment.account_id, Payment.index, Payment.direction).order_by(Payment.index)
        ).all()
    ours = world.distribution
    assert rows == [(other, 0, "in"), (ours, 2, "in"), (ours, 4, "in"), (other, 5, "out")]
    assert audits.look() == []


def test_promise_01_two_accounts_of_ours_keep_what_neither_understands(world: World) -> None:
    other = second(world)
    record = invocation([{"type": "rebase"}])
    assert told(world, record, other).new == 1
    assert told(world, record).new == 1
    assert told(world, record, other).new == told(world, record).new == 0
    assert world.verdicts() == ["unreadable", "unreadable"]
    assert len({payment.index for payment in world.payments()}) == 2
    assert [reason for reason, _ in causes()] == ["payment_unreadable"] * 2
    assert all(payment.raw["id"] == record["id"] for payment in world.payments())


def test_promise_01_what_was_kept_whole_is_not_credited_beside_that(world: World) -> None:
    """A source that told too little is followed by one that tells all, and the other way round."""
    row_id = world.withdrawal("100")
    whole, hidden = invocation([paid(world, row_id, "100.0")]), invocation(None)
    del hidden["asset_balance_changes"]
    assert told(world, hidden).new == 1
    assert told(world, whole).new == 0
    assert world.verdicts() == ["unreadable"]
    assert world.row(row_id).amount_received == 0


def test_promise_01_a_source_that_counts_the_changes_otherwise_credits_nothing_again(
    world: World,
) -> None:
    """A release that knows a kind of event more has the same change at another place."""
    row_id, other = world.withdrawal("100"), world.withdrawal("50")
    strange = transfer(world.policy.id, CONTRACT, second(world), "3.0")
    change = paid(world, row_id, "100.0")
    assert told(world, invocation([change])).new == 1
    assert told(world, invocation([strange, change])).new == 0
    assert told(world, invocation([change, paid(world, other, "50.0")])).new == 0
    assert world.verdicts() == ["credited"]
    assert world.cases() == ["payment_told_otherwise"]
    assert world.row(row_id).amount_received == 100 * UNIT


def test_promise_01_a_place_that_another_account_of_ours_has_takes_nobody_s_money(
    world: World,
) -> None:
    """One source tells the first account, and another one, with an event less, the second."""
    other, row_id = second(world), world.withdrawal("100")
    change = transfer(world.policy.id, CONTRACT, other, "3.0")
    assert told(world, invocation([change]), other).new == 1
    assert told(world, invocation([paid(world, row_id, "100.0"), change])).new == 1
    assert world.row(row_id).amount_received == 100 * UNIT
    assert audits.look() == []


def test_promise_01_what_was_understood_once_stays_so(world: World) -> None:
    row_id = world.withdrawal("100")
    whole, hidden = invocation([paid(world, row_id, "100.0")]), invocation(None)
    del hidden["asset_balance_changes"]
    assert told(world, whole).new == 1
    assert told(world, hidden).new == 0
    assert world.verdicts() == ["credited"]
    assert world.cases() == []


def test_promise_09_a_repair_books_nothing_of_another_account_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one account could not judge is judged later; what the other credited stays booked."""
    other = second(world)
    row_id = world.withdrawal("100")
    record = invocation(
        [paid(world, row_id, "100.0"), transfer(world.policy.id, CONTRACT, other, "3.0")]
    )
    told(world, record)
    with monkeypatch.context() as patched:
        patched.setattr(payments, "judge", lambda *_: 1 / 0)
        told(world, record, other)
    assert payments.repair(watching(other)) == 1
    assert owed(world) == {"treasury": 103 * UNIT, "customer": -100 * UNIT, "suspense": -3 * UNIT}
    assert audits.look() == []


def test_each_change_is_found_by_its_own_name_at_the_desk(world: World) -> None:
    changes = [
        transfer(world.policy.id, CONTRACT, world.distribution, "3.0"),
        transfer(world.policy.id, CONTRACT, world.distribution, "7.0", 12),
    ]
    record = invocation(changes)
    told(world, record)
    row_id = world.withdrawal("7")
    name = f"payment {world.network_id}/{record['id']}/2"
    with transaction():
        case_id = db.session.scalars(select(Case.id).where(Case.cause == name)).one()
    crediting.credit(case_id, row_id, desk.By("ann", "by hand"))
    assert world.row(row_id).amount_received == 7 * UNIT
    assert owed(world) == {"treasury": 10 * UNIT, "customer": -7 * UNIT, "suspense": -3 * UNIT}


@contextmanager
def horizon(records: list[dict[str, Any]]) -> Iterator[HorizonGateway]:
    """A Horizon that lists these operations, and whose stream is silent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(pair.split("=") for pair in self.path.partition("?")[2].split("&"))
            found = [each for each in records if int(each["id"]) > int(query["cursor"])]
            answer = {"_embedded": {"records": found[: int(query["limit"])]}}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield HorizonGateway(f"http://127.0.0.1:{server.server_port}", TESTNET_PASSPHRASE)
    finally:
        server.shutdown()
        server.server_close()


def test_promise_02_the_cursor_passes_what_moved_nothing_of_ours(world: World) -> None:
    ours = world.distribution
    quiet = [invocation(None, place=place) for place in (1, 2)]
    moving = invocation([transfer(world.policy.id, CONTRACT, ours, each) for each in "34"], place=3)
    with horizon([*quiet, moving, invocation([], place=4)]) as source:
        cut = source.payments_page(ours, "0", limit=2)
        assert (cut.payments, cut.cursor, cut.up_to_date) == ((), quiet[1]["id"], False)
        page = source.payments_page(ours, cut.cursor)
        assert [each.amount for each in page.payments] == [parse_amount(each) for each in "34"]
        assert int(page.cursor) > int(moving["id"])


def test_a_stream_that_keeps_quiet_about_a_record_has_stalled(world: World) -> None:
    """Also about one that moved nothing of ours: what comes after it is not heard either."""
    with horizon([invocation(None)]) as source, pytest.raises(Exception, match="stalled"):
        source._check_stall(world.distribution, "0")
