"""Each result code that can meet a deposit's payment, through the whole path.

What is refused in a ledger is provoked on a real one: the deposit is queued, and then the
account, the issuer or our own account changes. What a ledger is not easily brought to is
answered at the door by a knob of the sandbox. For each code: where the deposit waits, whom
it is told to, and what lets it go on.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from stellar_sdk import Asset, Keypair

from anchor.cli import group
from anchor.extensions import gateway
from anchor.money import parse_amount
from anchor.policies import DeliveryPolicy
from anchor.services import channels, sweeps
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench, stretch
from tests.test_submission_faults import distribution, knob, open_slot
from tests.world import World

Change = Callable[[Bench, Keypair], None]
LONG_AFTER_S = 120


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


def queued(bench: Bench, account: Keypair, amount: str = "100") -> str:
    """Bring a deposit into the queue of its source account, and no further."""
    row_id = bench.deposit(account.public_key, amount)
    sweeps.work_off([PAY_ON_LEDGER])
    assert bench.sql("SELECT state FROM outflows") == [("prepared",)]
    return row_id


def outcomes(bench: Bench) -> list[tuple[str, str | None]]:
    found = bench.sql("SELECT state, note FROM outflows ORDER BY id")
    return [(state, note) for state, note in found]


def bounds_pass(bench: Bench) -> None:
    knob(bench, "clock", seconds=LONG_AFTER_S)
    bench.world.sandbox.network.close_ledger()


def lumens(bench: Bench) -> int:
    account = gateway().account(bench.world.distribution)
    assert account is not None
    line = account.balance("native")
    assert line is not None
    return line.amount


def leave_lumens(bench: Bench, stroops: int) -> None:
    """Let the distribution account send its lumens away but for so many."""
    keys = distribution(bench)
    gone = lumens(bench) - stroops - 100
    builder = bench.builder(keys)
    builder.append_payment_op(bench.issuer().public_key, Asset.native(), f"{gone / 10**7:.7f}")
    bench.world.submit(builder, keys)


def give_lumens(bench: Bench) -> None:
    issuer = bench.issuer()
    builder = bench.builder(issuer)
    builder.append_payment_op(bench.world.distribution, Asset.native(), "100")
    bench.world.submit(builder, issuer)


# -- the account cannot take it: it waits for its owner or its issuer ------------------------


def no_line(bench: Bench, account: Keypair) -> None:
    bench.trust(account, "0")


def small_line(bench: Bench, account: Keypair) -> None:
    bench.trust(account, "50")


def any_line(bench: Bench, account: Keypair) -> None:
    bench.trust(account)


def not_authorized(bench: Bench, account: Keypair) -> None:
    bench.authorize(account, authorized=False)


def authorized(bench: Bench, account: Keypair) -> None:
    bench.authorize(account, authorized=True)


@pytest.mark.parametrize(
    ("code", "change", "remedy"),
    [
        pytest.param("op_no_trust", no_line, any_line, id="op_no_trust"),
        pytest.param("op_line_full", small_line, any_line, id="op_line_full"),
        pytest.param("op_not_authorized", not_authorized, authorized, id="op_not_authorized"),
    ],
)
def test_what_the_account_cannot_take_waits_for_trust(
    bench: Bench, code: str, change: Change, remedy: Change
) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    change(bench, account)
    bench.wait(row_id, "pending_trust")
    assert outcomes(bench) == [("refused", code)]
    assert bench.world.cases() == []
    remedy(bench, account)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"


# -- the account came or went: it is looked at again -----------------------------------------


def test_op_no_destination_is_looked_at_again_and_the_account_made(bench: Bench) -> None:
    account, heir = bench.account(), bench.account()
    row_id = queued(bench, account)
    builder = bench.builder(account).append_change_trust_op(bench.world.asset, "0")
    builder.append_account_merge_op(heir.public_key)
    bench.world.submit(builder, account)
    bench.wait(row_id, "pending_trust")
    assert outcomes(bench) == [("refused", "op_no_destination"), ("done", None)]
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "98.5000000"


def test_op_already_exists_of_an_account_to_establish_is_looked_at_again(bench: Bench) -> None:
    account = Keypair.random()
    row_id = queued(bench, account)
    bench.world.create(account.public_key)
    bench.trust(account)
    bench.wait(row_id)
    assert outcomes(bench) == [("refused", "op_already_exists"), ("done", None)]
    assert bench.held(account.public_key) == "99.0000000"


def test_op_already_exists_of_lumens_is_followed_by_a_payment(bench: Bench) -> None:
    served = bench.world.app.extensions["anchor"].settings.assets["USDC"]
    bench.serve(replace(served, code="native", issuer=None))
    account = Keypair.random()
    row_id = bench.deposit(account.public_key, "20", asset="native", asset_code="native")
    sweeps.work_off([PAY_ON_LEDGER])
    bench.world.create(account.public_key)
    bench.wait(row_id)
    assert outcomes(bench) == [("refused", "op_already_exists"), ("done", None)]
    found = bench.world.sandbox_get(f"/accounts/{account.public_key}")
    assert found["balances"][0]["balance"] == "10019.0000000"


# -- our own account lacks what it takes: the queue waits, and the operator is told ----------


def no_money(bench: Bench, _account: Keypair) -> None:
    keys = distribution(bench)
    builder = bench.builder(keys)
    builder.append_payment_op(bench.issuer().public_key, bench.world.asset, "999950")
    bench.world.submit(builder, keys)


def money(bench: Bench, _account: Keypair) -> None:
    issuer = bench.issuer()
    builder = bench.builder(issuer)
    builder.append_payment_op(bench.world.distribution, bench.world.asset, "1000")
    bench.world.submit(builder, issuer)


def no_line_of_ours(bench: Bench, _account: Keypair) -> None:
    keys = distribution(bench)
    builder = bench.builder(keys)
    builder.append_payment_op(bench.issuer().public_key, bench.world.asset, "1000000")
    builder.append_change_trust_op(bench.world.asset, "0")
    bench.world.submit(builder, keys)


def line_of_ours(bench: Bench, account: Keypair) -> None:
    issuer, keys = bench.issuer(), distribution(bench)
    builder = bench.builder(issuer)
    builder.append_change_trust_op(bench.world.asset, source=keys.public_key)
    bench.world.submit(builder, issuer, keys)
    money(bench, account)


def ours_not_authorized(bench: Bench, _account: Keypair) -> None:
    bench.authorize(distribution(bench), authorized=False)


def ours_authorized(bench: Bench, _account: Keypair) -> None:
    bench.authorize(distribution(bench), authorized=True)


@pytest.mark.parametrize(
    ("code", "change", "remedy"),
    [
        pytest.param("op_underfunded", no_money, money, id="op_underfunded"),
        pytest.param("op_src_no_trust", no_line_of_ours, line_of_ours, id="op_src_no_trust"),
        pytest.param(
            "op_src_not_authorized",
            ours_not_authorized,
            ours_authorized,
            id="op_src_not_authorized",
        ),
    ],
)
def test_what_our_account_cannot_give_waits_in_the_queue_and_is_told(
    bench: Bench, code: str, change: Change, remedy: Change
) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    change(bench, account)
    bench.work()
    assert bench.world.cases() == ["waits_for_liquidity"]
    [(cause,)] = bench.sql("SELECT cause FROM cases")
    assert code in cause
    assert outcomes(bench) == [("prepared", None)]
    assert bench.world.status(row_id) == "pending_stellar"
    remedy(bench, account)
    bench.sql("UPDATE outflows SET not_before = now()")
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"


def test_op_low_reserve_of_a_claimable_balance_is_ours_and_keeps_no_payment(bench: Bench) -> None:
    waiting, ready = bench.account(trusts=False), bench.account()
    row_id = bench.deposit(waiting.public_key, takes_claimable_balance=True)
    sweeps.work_off([PAY_ON_LEDGER])
    leave_lumens(bench, 1_5000000 + 4000)
    bench.work()
    assert bench.world.cases() == ["waits_for_liquidity"]
    other = bench.deposit(ready.public_key)
    bench.wait(other, hurry=True)
    assert outcomes(bench) == [("prepared", None), ("done", None)]
    give_lumens(bench)
    bench.sql("UPDATE outflows SET not_before = now() WHERE state = 'prepared'")
    bench.wait(row_id, hurry=True)
    assert bench.world.row(row_id).claimable_balance_id is not None


# -- nobody foresaw it: a person decides -----------------------------------------------------


def test_op_low_reserve_of_an_account_to_establish_is_for_a_person(bench: Bench) -> None:
    too_little = DeliveryPolicy(True, parse_amount("0.5"), parse_amount("0.5"), True)
    bench.serve(replace(bench.world.policy, delivery=too_little))
    row_id = queued(bench, Keypair.random())
    bench.wait(row_id, "on_hold")
    assert outcomes(bench) == [("refused", "op_low_reserve")]
    assert bench.sql("SELECT reason, asset, amount_owed FROM cases") == [
        ("ledger_refused", bench.world.policy.id, 100_0000000)
    ]


@pytest.mark.parametrize(
    "code",
    ["op_malformed", "op_no_issuer", "op_not_supported", "op_no_source_account"],
)
def test_what_no_ledger_takes_is_for_a_person_after_the_proof(bench: Bench, code: str) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    knob(bench, "misbehave", answer=code)
    stretch(bench)
    assert bench.world.status(row_id) == "pending_stellar"
    assert bench.world.cases() == []
    bounds_pass(bench)
    stretch(bench)
    assert bench.world.status(row_id) == "on_hold"
    assert outcomes(bench) == [("refused", code)]
    assert bench.sql("SELECT reason, asset, amount_owed FROM cases") == [
        ("ledger_refused", bench.world.policy.id, 100_0000000)
    ]
    bench.sql("UPDATE jobs SET due_at = now()")
    bench.work()
    assert bench.held(account.public_key) == "0.0000000"


# -- codes of a transaction ------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["tx_internal_error", "tx_insufficient_balance", "tx_not_supported", "tx_malformed"]
)
def test_what_a_transaction_is_refused_for_is_told_and_tried_again(bench: Bench, code: str) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    knob(bench, "misbehave", answer=code)
    stretch(bench)
    assert bench.sql("SELECT reason, cause FROM cases") == [
        ("submission_refused", f"submission 1/{code}")
    ]
    assert bench.world.status(row_id) == "pending_stellar"
    bounds_pass(bench)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"
    assert bench.sql("SELECT count(*) FROM submissions") == [(1,)]


def test_tx_insufficient_balance_is_told_and_goes_on_with_new_lumens(bench: Bench) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    leave_lumens(bench, 1_5000000 + 50)
    stretch(bench)
    assert bench.world.cases() == ["submission_refused"]
    give_lumens(bench)
    bounds_pass(bench)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"


def test_tx_bad_seq_of_a_number_too_high_is_corrected_after_the_proof(bench: Bench) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    channels.prepare(gateway(), bench.world.distribution)
    bench.sql("UPDATE channels SET sequence = sequence + 7")
    stretch(bench)
    assert bench.world.status(row_id) == "pending_stellar"
    assert bench.held(account.public_key) == "0.0000000"
    bounds_pass(bench)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"
    states = bench.sql("SELECT state FROM submissions ORDER BY id")
    assert states == [("dead",), ("confirmed",)]


def test_tx_too_late_is_followed_by_a_new_envelope_of_the_same_number(bench: Bench) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    open_slot(bench)
    bounds_pass(bench)
    stretch(bench)
    answers = bench.sql("SELECT answer FROM envelopes ORDER BY id")
    assert answers[0] == ("refused tx_too_late",)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"
    assert bench.sql("SELECT state FROM submissions") == [("confirmed",)]


def test_tx_insufficient_fee_is_followed_by_a_higher_bid_of_the_same_number(bench: Bench) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    open_slot(bench)
    knob(bench, "surge", stroops=900)
    bench.wait(row_id)
    assert bench.held(account.public_key) == "99.0000000"
    [(first, last)] = bench.sql("SELECT min(fee), max(fee) FROM envelopes")
    assert first < 900 <= last
    assert bench.sql("SELECT state FROM submissions") == [("confirmed",)]


def test_tx_bad_auth_is_told_and_pays_nothing(bench: Bench) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    issuer, keys = bench.issuer(), distribution(bench)
    builder = bench.builder(issuer)
    builder.append_set_options_op(low_threshold=2, med_threshold=2, source=keys.public_key)
    open_slot(bench)
    bench.world.submit(builder, issuer, keys)
    stretch(bench)
    assert bench.world.cases() != []
    assert bench.world.status(row_id) == "pending_stellar"
    assert bench.held(account.public_key) == "0.0000000"


def test_op_bad_auth_of_a_channel_s_envelope_is_nobody_s_but_ours(bench: Bench) -> None:
    run = bench.world.app.test_cli_runner().invoke
    assert run(group, ["channels", "--count", "1"]).exit_code == 0
    account = bench.account()
    row_id = queued(bench, account)
    knob(bench, "misbehave", answer="op_bad_auth")
    stretch(bench)
    assert bench.world.cases() == ["submission_refused"]
    bounds_pass(bench)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"


def test_tx_no_source_account_is_told_and_goes_on_with_a_new_channel(bench: Bench) -> None:
    run = bench.world.app.test_cli_runner().invoke
    assert run(group, ["channels", "--count", "1"]).exit_code == 0
    account = bench.account()
    row_id = queued(bench, account)
    open_slot(bench)
    [(left,)] = bench.sql("SELECT submission_id FROM outflows")
    keys = Keypair.from_secret(channels.keys_of(0).secret)
    builder = bench.builder(keys).append_account_merge_op(bench.world.distribution)
    bench.world.submit(builder, keys)
    stretch(bench)
    assert bench.world.cases() == ["submission_refused"]
    assert run(group, ["channels", "--count", "1"]).exit_code == 0
    bounds_pass(bench)
    stretch(bench)
    assert bench.world.cases() == ["submission_refused", "sequence_used_by_others"]
    assert run(group, ["give-up-submission", str(left), "--yes"]).exit_code == 0
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"
