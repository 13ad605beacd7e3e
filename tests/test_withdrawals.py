"""A withdrawal, from the ledger to the bank, and each way a payment can be wrong."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from stellar_sdk import Asset, FeeBumpTransactionEnvelope, Keypair, MuxedAccount, TransactionBuilder

from anchor.clock import utcnow
from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Misconfigured
from anchor.extensions import db, gateway, transaction
from anchor.lifecycle import Event, Kind, Status
from anchor.models import Account, Job, Payment
from anchor.services import networks, payments
from anchor.services.transactions import Happening, happened
from tests.world import World


def test_a_withdrawal_goes_from_the_ledger_to_the_bank(world: World) -> None:
    row_id = world.paid_withdrawal("100")
    assert world.status(row_id) == "pending_anchor"
    assert world.work() == 1
    row = world.row(row_id)
    assert row.status == "completed"
    assert (row.amount_in, row.amount_out, row.amount_fee) == (100_0000000, 98_5000000, 1_5000000)
    assert row.amount_paid == row.amount_received == 100_0000000
    assert [t.cents for t in world.bank.transfers.values()] == [9850]
    assert world.events(row_id) == [
        "opened",
        "details_given",
        "funds_received",
        "payout_completed",
    ]
    assert world.cases() == []


@pytest.mark.conforms("ST-05")
def test_promise_01_a_payment_seen_twice_is_kept_once(world: World) -> None:
    row_id = world.paid_withdrawal()
    with transaction():
        watch = networks.watched()[0]
    page = gateway().payments_page(world.distribution, "0")
    assert payments.feed(watch, page.payments).credited == ()
    assert payments.feed(watch, page.payments).new == 0
    assert world.row(row_id).amount_received == 100_0000000


@pytest.mark.conforms("ST-05")
def test_of_eight_that_see_one_payment_at_once_one_moves_its_transaction(world: World) -> None:
    row_id = world.withdrawal()
    world.pay("100", world.memo(row_id))
    with transaction():
        watch = networks.watched()[0]
    page = gateway().payments_page(world.distribution, "0")

    def see(_: int) -> Any:
        with world.app.app_context():
            return payments.feed(watch, page.payments).credited

    with ThreadPoolExecutor(8) as pool:
        seen = sorted(pool.map(see, range(8)))
    assert seen == [()] * 7 + [(row_id,)]
    assert world.events(row_id) == ["opened", "details_given", "funds_received"]
    assert world.row(row_id).amount_received == 100_0000000


def test_promise_01_what_we_never_stored_is_kept_as_outgoing_and_is_an_incident(
    world: World,
) -> None:
    world.fund()
    from tests.world import _keys

    keys = Keypair.from_secret(_keys[world.distribution].distribution)
    builder = world.builder(world.distribution)
    builder.append_payment_op(world.payer.public_key, world.asset, "3")
    world.submit(builder, keys)
    world.read()
    with transaction():
        found = db.session.scalars(select(Payment)).all()
    assert [(p.direction, p.verdict, p.amount) for p in found] == [("out", "outgoing", 3_0000000)]
    assert world.cases() == ["outgoing_unknown"]


def test_promise_02_a_page_read_from_another_cursor_writes_nothing(world: World) -> None:
    row_id = world.withdrawal()
    world.pay("100", world.memo(row_id))
    leased = networks.lease(networks.watched()[0].id)
    assert leased is not None
    page = gateway().payments_page(world.distribution, str(leased.cursor))
    with pytest.raises(payments.CursorMoved):
        payments.observe(leased, leased.cursor + 1, int(page.cursor), page.payments)
    assert world.payments() == []
    seen = payments.observe(leased, leased.cursor, int(page.cursor), page.payments)
    assert seen.credited == (row_id,)
    with pytest.raises(payments.CursorMoved):
        payments.observe(leased, leased.cursor, int(page.cursor), page.payments)


def test_promise_02_a_network_reset_under_the_same_name_stops_the_follower(world: World) -> None:
    world.sandbox_get("/ledgers/2")
    import requests

    requests.post(f"{world.sandbox.url}/sandbox/reset", json={}, timeout=10).raise_for_status()
    with pytest.raises(Misconfigured, match="adopt-network"):
        networks.check(gateway(), networks.watched()[0])
    with pytest.raises(Misconfigured, match="adopt-network"):
        networks.stamp(gateway(), TESTNET_PASSPHRASE)


def test_promise_02_a_cursor_older_than_the_history_stops_the_follower(world: World) -> None:
    import requests

    for _ in range(5):
        requests.post(f"{world.sandbox.url}/sandbox/close", json={}, timeout=10)
    latest = gateway().network().latest_ledger
    url = f"{world.sandbox.url}/sandbox/forget-before"
    requests.post(url, json={"ledger": latest}, timeout=10).raise_for_status()
    with pytest.raises(Misconfigured, match="flask anchor rewind"):
        networks.check(gateway(), networks.watched()[0])


def test_promise_03_two_payments_with_one_memo_credit_once(world: World) -> None:
    row_id = world.withdrawal()
    for _ in range(2):
        world.pay("100", world.memo(row_id))
    world.read()
    assert world.verdicts() == ["credited", "second"]
    assert world.row(row_id).amount_received == 100_0000000
    assert world.cases() == ["payment_second"]


def test_promise_03_two_payments_on_different_pages_credit_once(world: World) -> None:
    row_id = world.paid_withdrawal()
    world.pay("100", world.memo(row_id))
    world.read()
    assert world.verdicts() == ["credited", "second"]


def test_promise_03_the_wrong_asset_credits_nothing(world: World) -> None:
    row_id = world.withdrawal()
    world.pay("100", world.memo(row_id), asset=Asset.native())
    world.read()
    assert world.verdicts() == ["wrong_asset"]
    assert world.status(row_id) == "pending_user_transfer_start"


@pytest.mark.parametrize("memo", [None, "text", "123456"])
def test_promise_03_a_payment_without_our_memo_is_unmatched(world: World, memo: str | None) -> None:
    row_id = world.withdrawal()
    world.pay("100", f"text:{world.memo(row_id)}" if memo == "text" else memo)
    world.read()
    assert world.verdicts() == ["unmatched"]
    assert world.status(row_id) == "pending_user_transfer_start"
    assert world.cases() == ["payment_unmatched"]


@pytest.mark.parametrize(
    ("amount", "verdict"), [("99.9999999", "too_small"), ("100.1", "too_large")]
)
def test_promise_03_another_amount_credits_nothing(world: World, amount: str, verdict: str) -> None:
    row_id = world.withdrawal()
    world.pay(amount, world.memo(row_id))
    world.read()
    assert world.verdicts() == [verdict]
    assert world.row(row_id).amount_received == 0


def test_promise_03_a_payment_to_a_finished_transaction_is_late(world: World) -> None:
    row_id = world.paid_withdrawal()
    world.work()
    world.pay("100", world.memo(row_id))
    world.read()
    assert world.verdicts() == ["credited", "late"]
    assert world.status(row_id) == "completed"
    assert world.paid_by_bank() == 1


def test_promise_03_two_operations_of_one_ledger_transaction_are_one_arrival(world: World) -> None:
    row_id = world.withdrawal("100")
    world.pay("50", world.memo(row_id), times=2)
    world.read()
    assert world.verdicts() == ["credited", "credited"]
    assert world.row(row_id).amount_received == 100_0000000
    world.work()
    assert world.status(row_id) == "completed"


def test_promise_03_a_path_payment_is_credited(world: World) -> None:
    row_id = world.withdrawal("100")
    world.fund()
    builder = world.builder(world.payer.public_key)
    builder.append_path_payment_strict_receive_op(
        world.distribution, world.asset, "100", world.asset, "100", []
    )
    world.add_memo(builder, world.memo(row_id))
    world.submit(builder, world.payer)
    world.read()
    assert world.verdicts() == ["credited"]


def test_promise_03_a_payment_in_a_fee_bump_is_credited(world: World) -> None:
    row_id = world.withdrawal("100")
    world.fund()
    builder = world.builder(world.payer.public_key)
    builder.append_payment_op(world.distribution, world.asset, "100")
    world.add_memo(builder, world.memo(row_id))
    inner = builder.build()
    inner.sign(world.payer)
    bump = TransactionBuilder.build_fee_bump_transaction(
        world.payer.public_key, 200, inner, TESTNET_PASSPHRASE
    )
    assert isinstance(bump, FeeBumpTransactionEnvelope)
    bump.sign(world.payer)
    world.submit_envelope(bump)
    world.read()
    assert world.verdicts() == ["credited"]


@pytest.mark.conforms("CAP27-03")
def test_promise_03_a_payment_to_the_muxed_address_is_credited(world: World) -> None:
    row_id = world.withdrawal("100")
    muxed = MuxedAccount(world.distribution, int(world.memo(row_id)))
    world.pay("100", None, to=muxed)
    world.read()
    assert world.verdicts() == ["credited"]


@pytest.mark.conforms("CAP67-02")
def test_promise_03_muxed_id_and_memo_that_disagree_credit_nothing(world: World) -> None:
    row_id = world.withdrawal("100")
    muxed = MuxedAccount(world.distribution, int(world.memo(row_id)))
    world.pay("100", "77", to=muxed)
    world.read()
    assert world.verdicts() == ["unmatched"]
    assert world.payments()[0].note == "muxed id and memo disagree"


def test_promise_01_an_account_merge_is_kept_with_its_amount(world: World) -> None:
    row_id = world.withdrawal("100")
    merged = Keypair.random()
    world.create(merged.public_key)
    builder = world.builder(merged.public_key)
    builder.append_account_merge_op(world.distribution)
    world.add_memo(builder, world.memo(row_id))
    world.submit(builder, merged)
    world.read()
    (payment,) = world.payments()
    assert (payment.type, payment.verdict) == ("account_merge", "wrong_asset")
    assert payment.amount == 9999_9999900


@pytest.mark.parametrize(
    ("kind", "status", "target"),
    [
        (Kind.WITHDRAWAL, Status.PENDING_USER_TRANSFER_START, "pending_anchor"),
        (Kind.WITHDRAWAL_EXCHANGE, Status.PENDING_USER_TRANSFER_START, "pending_anchor"),
        (Kind.SEND, Status.PENDING_SENDER, "pending_receiver"),
    ],
)
def test_rows_of_all_seps_are_matched_and_paid_out(
    world: World, kind: Kind, status: Status, target: str
) -> None:
    row_id = world.of_kind(kind, status)
    world.pay("100", world.memo(row_id))
    world.read()
    assert world.status(row_id) == target
    world.work()
    assert world.status(row_id) == "completed"


def test_a_send_that_is_settled_by_rail_is_not_credited_by_the_ledger(world: World) -> None:
    row_id = world.of_kind(Kind.SEND, Status.PENDING_SENDER, settlement="rail")
    world.pay("100", world.memo(row_id))
    world.read()
    assert world.verdicts() == ["second"]


def test_promise_14_what_closed_before_we_were_in_charge_is_history(world: World) -> None:
    row_id = world.withdrawal()
    with transaction():
        later = utcnow() + timedelta(hours=1)
        db.session.execute(Account.__table__.update().values(in_charge_since=later))
    world.pay("100", world.memo(row_id))
    world.read()
    assert world.verdicts() == ["history"]
    assert world.cases() == []


def test_promise_04_an_event_without_a_row_is_refused_and_becomes_a_case(world: World) -> None:
    row_id = world.withdrawal()
    happened(Happening(row_id, Event.PAYOUT_COMPLETED, "attempt 1"))
    assert world.status(row_id) == "pending_user_transfer_start"
    assert world.cases() == ["no_such_move"]


@pytest.mark.conforms("ST-05")
def test_promise_04_the_same_cause_twice_changes_nothing(world: World) -> None:
    row_id = world.paid_withdrawal()
    before = world.row(row_id).version
    cause = f"payment {world.network_id}/{world.payments()[0].operation_id}/0"
    happened(Happening(row_id, Event.FUNDS_RECEIVED, cause, received=5))
    assert world.row(row_id).version == before
    assert world.row(row_id).amount_received == 100_0000000


def test_promise_02_judging_that_fails_keeps_the_payments_and_is_repaired(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = world.withdrawal()
    world.pay("100", world.memo(row_id))
    with monkeypatch.context() as patched:
        patched.setattr(payments, "judge", lambda *_: 1 / 0)
        world.read()
    assert world.verdicts() == ["unjudged"]
    with transaction():
        assert db.session.scalars(select(Job.kind)).all() == ["judge_payments"]
    from anchor.services import passes

    passes.owe("work")
    assert passes.work_off("work", "judge_payments").done == 1
    assert world.verdicts() == ["credited"]
    assert world.status(row_id) == "pending_anchor"
