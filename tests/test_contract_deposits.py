"""Deposits to contract accounts: paid once, by a call that is simulated and keeps nobody."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from stellar_sdk import Asset, Keypair, TransactionEnvelope, scval
from werkzeug.wrappers import Response

from anchor.cli import group
from anchor.config import PUBLIC_PASSPHRASE, TESTNET_PASSPHRASE
from anchor.errors import Unavailable
from anchor.extensions import gateway
from anchor.ledger import invocations
from anchor.ledger.contract_gateway import Prepared
from anchor.ledger.operations import contract_of
from anchor.ledger.rpc import RpcGateway
from anchor.money import format_amount_7, parse_amount
from anchor.sandbox import contract_accounts
from anchor.sandbox.network import Sandbox
from anchor.services import channels, deposit_payments, jobs, queues, sweeps
from anchor.services.transactions import CONTRACTS_LANE, PAY_ON_LEDGER
from tests.contract_deposits import Contracts
from tests.deposits import stretch
from tests.signing import share, signed_by
from tests.waiting import until
from tests.world import World

#: As its issuer has it on the public network.
USDC = "USDC:GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN"


@pytest.fixture
def bench(world: World) -> Contracts:
    return Contracts(world)


def release(bench: Contracts, row_id: str) -> None:
    done = bench.world.app.test_cli_runner().invoke(
        group, ["release", row_id, "--note", "looked at"]
    )
    assert done.exit_code == 0, done.output


def pool(bench: Contracts, count: int) -> None:
    made = bench.world.app.test_cli_runner().invoke(group, ["channels", "--count", str(count)])
    assert made.exit_code == 0, made.output


@pytest.mark.conforms("SEP6-31")
def test_a_deposit_is_paid_to_a_contract_account(bench: Contracts) -> None:
    contract = bench.contract()
    row_id = bench.deposit(contract, takes_claimable_balance=True)
    bench.wait(row_id)
    bench.paid_once(row_id, contract)
    assert bench.world.cases() == []
    assert bench.sql("SELECT count(*) FROM claimable_balances") == [(0,)]
    assert bench.sql("SELECT count(*) FROM known_lines") == [(0,)]


def test_lumens_are_paid_to_a_contract_account(bench: Contracts) -> None:
    bench.serve(replace(bench.world.policy, code="native", issuer=None))
    contract = bench.contract()
    row_id = bench.deposit(contract, "20", asset="native", asset_code="native")
    bench.wait(row_id)
    rpc_url = f"{bench.world.sandbox.url}/rpc"
    held = contract_accounts.balance(
        contract, Asset.native(), rpc_url=rpc_url, passphrase=TESTNET_PASSPHRASE
    )
    assert held == 19_0000000
    assert bench.world.cases() == []


def test_promise_10_a_sweep_owes_a_contract_s_deposit_in_its_lane(bench: Contracts) -> None:
    row_id = bench.deposit(bench.contract())
    bench.sql("DELETE FROM jobs")
    deposit_payments.owe_payments()
    assert bench.sql("SELECT subject_id, lane FROM jobs") == [(row_id, CONTRACTS_LANE)]
    bench.wait(row_id)


def test_promise_12_looks_at_contracts_leave_hands_to_all_other_work() -> None:
    """A worker has eight threads, and an RPC may hang for as long as it is given."""
    assert jobs.ceiling(PAY_ON_LEDGER, CONTRACTS_LANE) <= 8 // 2


# -- the RPC --------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["503", "500", "429", "cut"])
def test_promise_06_an_rpc_that_is_away_for_a_while_delays_a_deposit_and_no_more(
    bench: Contracts, answer: str
) -> None:
    contract = bench.contract()
    row_id = bench.deposit(contract)
    bench.knob("misbehave", at="rpc", answer=answer, times=3)

    def there() -> bool:
        bench.go_on()
        bench.work()
        return bench.world.status(row_id) == "completed"

    until(there, 30, "for the payment")
    bench.paid_once(row_id, contract)
    assert bench.world.cases() == []


def test_promise_12_while_the_rpc_is_away_no_call_keeps_a_channel(bench: Contracts) -> None:
    row_id, account = bench.deposit(bench.contract()), bench.account().public_key
    until(lambda: queued(bench, 1), 20, "for its turn")
    bench.ask("http://127.0.0.1:1")
    plain = bench.deposit(account)
    bench.wait(plain)
    assert bench.world.status(row_id) in {"pending_anchor", "pending_stellar"}
    assert bench.sql("SELECT count(*) FROM submissions WHERE state = 'prepared'") == [(0,)]
    [(waits,)] = bench.sql("SELECT not_before > now() FROM outflows WHERE state = 'prepared'")
    assert waits


def test_of_a_call_that_waits_for_an_hour_a_person_is_told_once(bench: Contracts) -> None:
    row_id = bench.deposit(bench.contract())
    until(lambda: queued(bench, 1), 20, "for its turn")
    bench.ask("http://127.0.0.1:1")
    for age, told in (("0", []), ("61 minutes", ["call_waits"]), ("2 hours", ["call_waits"])):
        bench.sql(f"UPDATE outflows SET begun_at = now() - interval '{age}'")
        bench.go_on()
        bench.work()
        assert bench.world.cases() == told
    assert bench.sql("SELECT transaction_id FROM cases") == [(row_id,)]
    bench.settle(rpc_url=None)
    bench.ask(f"{bench.world.sandbox.url}/rpc")
    bench.go_on()
    bench.wait(row_id)


@pytest.fixture
def hanging() -> Iterator[tuple[str, threading.Event]]:
    """An RPC that answers nobody until its test is over."""
    over = threading.Event()

    def hang(environ: Any, start_response: Any) -> Any:
        over.wait(30)
        return Response("late", 503)(environ, start_response)

    with Sandbox(mounts={"/hanging": hang}) as running:
        yield f"{running.url}/hanging", over
        over.set()


@pytest.mark.parametrize("channels", [0, 4])
def test_promise_12_an_rpc_that_hangs_keeps_no_other_payment_waiting(
    bench: Contracts, hanging: tuple[str, threading.Event], channels: int
) -> None:
    if channels:
        pool(bench, channels)
    rows = [bench.deposit(bench.contract()) for _ in range(6)]
    until(lambda: queued(bench, 6), 20, "for their turn")
    bench.ask(hanging[0], timeout_s=3)
    plain = [bench.deposit(bench.account().public_key) for _ in range(4)]
    begun = time.monotonic()
    until(lambda: work_until(bench, plain), 30, "for the others")
    assert time.monotonic() - begun < (8 if channels else 15)
    assert {bench.world.status(each) for each in rows} <= {"pending_anchor", "pending_stellar"}
    hanging[1].set()
    bench.ask(f"{bench.world.sandbox.url}/rpc")

    def there() -> bool:
        bench.go_on()
        return work_until(bench, rows)

    until(there, 60, "for the contracts")
    assert bench.sql("SELECT reason FROM cases") == []


def queued(bench: Contracts, count: int) -> bool:
    sweeps.work_off([PAY_ON_LEDGER])
    found = bench.sql("SELECT count(*) FROM outflows WHERE state = 'prepared'")
    return bool(found == [(count,)])


def work_until(bench: Contracts, rows: list[str]) -> bool:
    bench.work()
    return all(bench.world.status(each) == "completed" for each in rows)


def test_promise_12_on_one_channel_whoever_waits_longest_is_first(bench: Contracts) -> None:
    plain = bench.deposit(bench.account().public_key)
    until(lambda: queued(bench, 1), 20, "for its turn")
    for _ in range(2):
        bench.deposit(bench.contract())
    until(lambda: queued(bench, 3), 20, "for their turn")
    channels.prepare(gateway(), bench.world.distribution)
    assert queues.fill(bench.world.distribution) == 1
    assert bench.sql("SELECT transaction_id FROM outflows WHERE state = 'sent'") == [(plain,)]


def test_ten_contracts_and_ten_accounts_are_paid_side_by_side(bench: Contracts) -> None:
    pool(bench, 6)
    contracts = [bench.contract() for _ in range(10)]
    accounts = [bench.account().public_key for _ in range(10)]
    rows = [bench.deposit(each) for pair in zip(contracts, accounts, strict=True) for each in pair]
    until(lambda: work_until(bench, rows), 60, "for all of them")
    assert {bench.holds(each) for each in contracts} == {99_0000000}
    assert {bench.held(each) for each in accounts} == {"99.0000000"}
    [(alone,)] = bench.sql(
        "SELECT count(DISTINCT submission_id) FROM outflows WHERE destination LIKE 'C%'"
    )
    assert alone == 10
    [(mixed,)] = bench.sql(
        "SELECT count(*) FROM outflows a JOIN outflows b USING (submission_id)"
        " WHERE a.destination LIKE 'C%' AND b.destination LIKE 'G%'"
    )
    assert mixed == 0
    assert bench.world.cases() == []


def test_resources_that_cost_more_than_the_ceiling_wait_for_calmer_times(bench: Contracts) -> None:
    bench.settle(resource_fee_max=10)
    contract = bench.contract()
    row_id = bench.deposit(contract)
    until(lambda: queued(bench, 1), 20, "for its turn")
    for _ in range(3):
        bench.go_on()
        bench.work()
    assert bench.sql("SELECT count(*) FROM envelopes") == [(0,)]
    assert bench.sql("SELECT count(*) FROM submissions WHERE state <> 'dead'") == [(0,)]
    bench.settle(resource_fee_max=5_000_000)
    bench.go_on()
    bench.wait(row_id)
    bench.paid_once(row_id, contract)


def test_promise_12_a_call_whose_time_is_over_keeps_no_channel_while_the_rpc_is_away(
    bench: Contracts,
) -> None:
    """Its envelope was lost on its way, and nobody tells what another one takes."""
    contract, account = bench.contract(), bench.account().public_key
    row_id = bench.deposit(contract)
    until(lambda: queued(bench, 1), 20, "for its turn")
    bench.knob("misbehave", answer="504-lost", times=99)
    stretch(bench)
    assert bench.sql("SELECT count(*) FROM envelopes") == [(1,)]
    bench.knob("behave")
    bench.ask("http://127.0.0.1:1")
    plain = bench.deposit(account)
    bench.knob("clock", seconds=3600)
    bench.wait(plain, hurry=True)
    assert bench.world.status(row_id) == "pending_stellar"
    bench.ask(f"{bench.world.sandbox.url}/rpc")
    bench.go_on()
    bench.wait(row_id, hurry=True)
    assert bench.holds(contract) == 99_0000000
    assert bench.world.cases() == []


class Dear(RpcGateway):
    """An RPC that asks a fortune for what pays one contract, or does not answer about that."""

    def __init__(self, url: str, contract: str, *, answers: bool = True) -> None:
        super().__init__(url)
        self._paid, self._answers = contract, answers

    def prepare(self, envelope_xdr: str) -> Prepared:
        found = TransactionEnvelope.from_xdr(envelope_xdr, TESTNET_PASSPHRASE)
        (operation,) = found.transaction.operations
        call = operation.host_function.invoke_contract
        if scval.from_address(call.args[1]).address != self._paid:
            return super().prepare(envelope_xdr)
        if not self._answers:
            raise Unavailable("simulateTransaction was answered with the error -32603")
        return replace(super().prepare(envelope_xdr), resource_fee=10**9)


@pytest.mark.parametrize("channels", [0, 4])
@pytest.mark.parametrize("answers", [True, False])
def test_promise_12_a_call_that_cannot_be_prepared_keeps_no_other_call_waiting(
    bench: Contracts, channels: int, answers: bool
) -> None:
    if channels:
        pool(bench, channels)
    dear, others = bench.contract(), [bench.contract() for _ in range(3)]
    odd = bench.deposit(dear)
    until(lambda: queued(bench, 1), 20, "for its turn")
    rows = [bench.deposit(each) for each in others]
    until(lambda: queued(bench, 4), 20, "for their turn")
    rpc = Dear(f"{bench.world.sandbox.url}/rpc", dear, answers=answers)
    found = bench.world.app.extensions["anchor"]
    bench.world.app.extensions["anchor"] = replace(found, contracts=rpc)

    def paid() -> bool:
        bench.sql("UPDATE outflows SET not_before = not_before - interval '15 seconds'")
        bench.sql("UPDATE jobs SET due_at = now()")
        return work_until(bench, rows)

    until(paid, 60, "for the others")
    assert {bench.holds(each) for each in others} == {99_0000000}
    assert bench.world.status(odd) == "pending_stellar"
    assert bench.world.cases() == (["call_waits"] if answers else [])
    bench.ask(f"{bench.world.sandbox.url}/rpc")
    bench.go_on()
    bench.wait(odd)
    assert bench.holds(dear) == 99_0000000


# -- what fails -------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["fee", "resources", "footprint"])
def test_promise_06_what_was_simulated_too_small_is_simulated_and_paid_anew(
    bench: Contracts, fault: str
) -> None:
    contract = bench.contract()
    row_id = bench.deposit(contract)
    bench.knob("simulations", fault=fault, times=2)
    bench.wait(row_id, hurry=True)
    bench.paid_once(row_id, contract)
    assert bench.world.cases() == []


@pytest.mark.parametrize("fault", ["fee", "resources"])
def test_what_is_simulated_too_small_again_and_again_is_a_person_s(
    bench: Contracts, fault: str
) -> None:
    contract = bench.contract()
    row_id = bench.deposit(contract)
    bench.knob("simulations", fault=fault, times=99)
    until(lambda: told(bench, "ledger_refused"), 60, "for a person to be told")
    assert bench.holds(contract) == 0
    assert bench.world.status(row_id) in {"pending_anchor", "on_hold"}
    bench.knob("behave")
    release(bench, row_id)
    bench.wait(row_id, hurry=True)
    bench.paid_once(row_id, contract)


def told(bench: Contracts, reason: str) -> bool:
    bench.sql("UPDATE jobs SET due_at = now()")
    bench.work()
    return reason in bench.world.cases()


def test_a_footprint_that_lacks_an_entry_again_and_again_is_a_person_s(bench: Contracts) -> None:
    contract = bench.contract()
    row_id = bench.deposit(contract)
    bench.knob("simulations", fault="footprint", times=4)
    until(lambda: told(bench, "ledger_refused"), 60, "for a person to be told")
    assert bench.sql("SELECT note FROM outflows") == [("function_trapped",)] * 4
    release(bench, row_id)
    bench.wait(row_id)
    bench.paid_once(row_id, contract)


def test_resources_that_the_network_refuses_at_its_door_are_simulated_anew(
    bench: Contracts,
) -> None:
    contract = bench.contract()
    row_id = bench.deposit(contract)
    bench.knob("misbehave", answer="tx_soroban_invalid", times=2)
    bench.wait(row_id, hurry=True)
    bench.paid_once(row_id, contract)
    assert bench.sql("SELECT count(*), count(DISTINCT submission_id) FROM envelopes") == [(3, 1)]
    assert bench.world.cases() == []


def test_resources_that_the_network_never_takes_are_a_person_s(bench: Contracts) -> None:
    contract = bench.contract()
    row_id = bench.deposit(contract)
    until(lambda: queued(bench, 1), 20, "for its turn")
    bench.knob("misbehave", answer="tx_soroban_invalid", times=99)
    until(lambda: stretch(bench) or bench.world.cases(), 60, "for a person to be told")
    assert bench.world.cases() == ["submission_refused"]
    assert bench.sql("SELECT count(*) FROM envelopes") == [(4,)]
    bench.knob("clock", seconds=3600)
    stretch(bench)
    assert bench.world.cases() == ["submission_refused", "ledger_refused"]
    assert bench.sql("SELECT state, note FROM outflows") == [("refused", "tx_soroban_invalid")]
    assert bench.holds(contract) == 0
    bench.knob("behave")
    release(bench, row_id)
    bench.wait(row_id, hurry=True)
    bench.paid_once(row_id, contract)


def test_a_balance_that_the_issuer_closed_is_a_person_s(bench: Contracts) -> None:
    contract = bench.contract()
    bench.knob("holder", contract=contract, asset=bench.world.policy.id, authorized=False)
    row_id = bench.deposit(contract)
    until(lambda: told(bench, "call_would_fail"), 30, "for a person to be told")
    [(note,)] = bench.sql("SELECT note FROM cases")
    assert note == "the ledger's host says Error(Contract, #11)"
    assert bench.sql("SELECT count(*) FROM envelopes") == [(0,)]
    bench.knob("holder", contract=contract, asset=bench.world.policy.id)
    release(bench, row_id)
    bench.wait(row_id)
    bench.paid_once(row_id, contract)


def test_a_contract_that_is_not_there_or_archived_is_a_person_s(bench: Contracts) -> None:
    contract = bench.contract()
    bench.knob("archive", contract=contract)
    row_id = bench.deposit(contract)
    until(lambda: told(bench, "deposit_cannot_be_paid"), 30, "for a person to be told")
    assert bench.sql("SELECT count(*) FROM outflows") == [(0,)]
    bench.knob("archive", contract=contract, archived=False)
    release(bench, row_id)
    bench.wait(row_id)
    bench.paid_once(row_id, contract)


def test_an_empty_account_of_ours_waits_for_liquidity(bench: Contracts) -> None:
    held = bench.held(bench.world.distribution)
    keys = Keypair.from_secret(bench.world.settings.distribution_secrets["USDC"])
    issuer = bench.issuer()
    give = bench.builder(keys).append_payment_op(issuer.public_key, bench.world.asset, held)
    bench.world.submit(give, keys)
    contract = bench.contract()
    row_id = bench.deposit(contract)
    until(lambda: told(bench, "waits_for_liquidity"), 30, "for the case")
    assert bench.sql("SELECT count(*) FROM envelopes") == [(0,)]
    back = bench.builder(issuer).append_payment_op(keys.public_key, bench.world.asset, "500")
    bench.world.submit(back, issuer)
    bench.go_on()
    bench.wait(row_id)
    bench.paid_once(row_id, contract)


def test_calls_that_together_ask_for_more_than_we_have_wait_for_liquidity(
    bench: Contracts,
) -> None:
    """Each is simulated for itself; of those in one ledger the host refuses what is too much."""
    pool(bench, 4)
    keys = Keypair.from_secret(bench.world.settings.distribution_secrets["USDC"])
    issuer, held = bench.issuer(), parse_amount(bench.held(bench.world.distribution))
    surplus = format_amount_7(held - parse_amount("120"))
    give = bench.builder(keys).append_payment_op(issuer.public_key, bench.world.asset, surplus)
    bench.world.submit(give, keys)
    contracts = [bench.contract() for _ in range(2)]
    rows = [bench.deposit(each) for each in contracts]
    until(lambda: told(bench, "waits_for_liquidity"), 40, "for the case")
    assert bench.sql("SELECT DISTINCT note FROM outflows WHERE state = 'refused'") == [
        ("function_trapped",)
    ]
    assert bench.world.cases() == ["waits_for_liquidity"]
    back = bench.builder(issuer).append_payment_op(keys.public_key, bench.world.asset, "500")
    bench.world.submit(back, issuer)

    def paid() -> bool:
        bench.go_on()
        return work_until(bench, rows)

    until(paid, 40, "for both")
    assert {bench.holds(each) for each in contracts} == {99_0000000}


def test_an_account_of_ours_that_the_issuer_closed_waits_for_it(bench: Contracts) -> None:
    keys = Keypair.from_secret(bench.world.settings.distribution_secrets["USDC"])
    bench.authorize(keys, authorized=False)
    contract = bench.contract()
    bench.knob("holder", contract=contract, asset=bench.world.policy.id)
    row_id = bench.deposit(contract)
    until(lambda: told(bench, "waits_for_liquidity"), 30, "for the case")
    assert bench.world.cases() == ["waits_for_liquidity"]
    bench.authorize(keys, authorized=True)
    bench.go_on()
    bench.wait(row_id)
    bench.paid_once(row_id, contract)


def test_a_fee_that_is_too_low_is_raised_and_its_resources_are_not(bench: Contracts) -> None:
    contract = bench.contract()
    bench.knob("misbehave", answer="tx_insufficient_fee", times=1)
    row_id = bench.deposit(contract)
    bench.wait(row_id, hurry=True)
    bench.paid_once(row_id, contract)
    [(first, resources), (second, the_same)] = bids_and_resources(bench)
    assert 2 * first <= second <= bench.world.settings.base_fee_max < resources == the_same


def bids_and_resources(bench: Contracts) -> list[tuple[int, int]]:
    rows = bench.sql(
        "SELECT fee, envelope_xdr FROM envelopes"
        " JOIN outflows USING (submission_id) ORDER BY envelopes.id"
    )
    fees = [(fee, invocations.resource_fee(each, TESTNET_PASSPHRASE)) for fee, each in rows]
    return [(fee - resources, resources) for fee, resources in fees]


def test_what_waits_while_others_bid_more_is_bumped_without_its_resources(
    bench: Contracts,
) -> None:
    pool(bench, 1)
    contract = bench.contract()
    row_id = bench.deposit(contract)
    until(lambda: queued(bench, 1), 20, "for its turn")
    bench.knob("misbehave", answer="504-lost", times=3)
    stretch(bench)
    assert len(bids_and_resources(bench)) == 1
    bench.knob("surge", stroops=700)
    bench.sql("UPDATE envelopes SET submitted_at = now() - interval '1 minute', answer = 'pending'")
    stretch(bench)
    [(plain, first), (bumped, second)] = bids_and_resources(bench)
    assert first == second > 0
    assert bumped >= 2 * plain
    assert bench.sql("SELECT count(*) FROM envelopes WHERE inner_hash IS NOT NULL") == [(1,)]
    bench.wait(row_id, hurry=True)
    bench.paid_once(row_id, contract)


# -- several people sign ----------------------------------------------------------------------


@pytest.fixture
def shared(bench: Contracts) -> tuple[Keypair, str, str]:
    """A deposit to a contract that waits for a second signer: who that is, its id, the contract."""
    second, contract = Keypair.random(), bench.contract()
    share(bench, second)
    row_id = bench.deposit(contract)

    def waits() -> bool:
        bench.work()
        return bench.world.cases() == ["waits_for_signatures"]

    until(waits, 30, "for people to be asked")
    return second, row_id, contract


def signed(bench: Contracts, second: Keypair) -> None:
    """Let the second signer sign what waits."""
    run = bench.world.app.test_cli_runner().invoke
    [(newest,)] = bench.sql("SELECT max(id) FROM submissions")
    name = str(newest)
    envelope = run(group, ["signatures", "export", name]).output.strip().splitlines()[-1]
    words = ["signatures", "import", name]
    done = run(group, words, input=signed_by(envelope, second))
    assert done.exit_code == 0, done.output


def test_several_people_sign_what_pays_a_contract(
    bench: Contracts, shared: tuple[Keypair, str, str]
) -> None:
    second, row_id, contract = shared
    [(hours,)] = bench.sql(
        "SELECT (max(max_time) - extract(epoch FROM now())) / 3600 FROM envelopes"
    )
    assert 160 < hours < 169
    signed(bench, second)
    bench.wait(row_id, hurry=True)
    bench.paid_once(row_id, contract)


def test_an_entry_that_was_archived_while_people_signed_costs_a_fee_and_is_looked_at_anew(
    bench: Contracts, shared: tuple[Keypair, str, str]
) -> None:
    second, row_id, contract = shared
    asset = contract_of(bench.world.policy.id, TESTNET_PASSPHRASE)
    bench.knob("archive", contract=asset)
    signed(bench, second)
    refused = "SELECT note FROM outflows WHERE state = 'refused'"
    until(lambda: bench.work() or bench.sql(refused), 30, "for its end")
    assert bench.sql(refused) == [("entry_archived",)]
    assert bench.sql("SELECT codes, fee_charged > 0 FROM submissions WHERE is_used_up") == [
        ("tx_failed entry_archived", True)
    ]
    bench.knob("archive", contract=asset, archived=False)
    bench.go_on()
    until(lambda: bench.work() or newest_waits(bench), 30, "for another one to sign")
    signed(bench, second)
    bench.wait(row_id, hurry=True)
    bench.paid_once(row_id, contract)


def newest_waits(bench: Contracts) -> bool:
    bench.sql("UPDATE jobs SET due_at = now()")
    query = (
        "SELECT 1 FROM submissions s JOIN envelopes e ON e.submission_id = s.id"
        " WHERE s.state = 'pending_signatures' AND e.ask_at IS NULL"
        " AND max_time > extract(epoch FROM now()) + 100000"
    )
    return bool(bench.sql(query))


def test_what_left_is_known_to_be_ours_and_in_the_books(bench: Contracts) -> None:
    contract = bench.contract()
    row_id = bench.deposit(contract)
    bench.wait(row_id)
    bench.world.read()
    assert bench.world.cases() == []
    [(direction, amount, counterparty)] = bench.sql(
        "SELECT direction, amount, counterparty FROM payments"
    )
    assert (direction, amount, counterparty) == ("out", parse_amount("99"), contract)


@pytest.mark.parametrize(
    ("asset", "passphrase", "known"),
    [
        ("native", TESTNET_PASSPHRASE, "CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC"),
        ("native", PUBLIC_PASSPHRASE, "CAS3J7GYLGXMF6TDJBBYYSE3HQ6BBSMLNUQ34T6TZMYMW2EVH34XOWMA"),
        (USDC, PUBLIC_PASSPHRASE, "CCW67TSZV3SSS2HXMBQ5JFGCKJNXKZM7UQUWUZPUTHXSTZLEO7SJMI75"),
    ],
)
def test_the_contract_of_an_asset_is_the_one_that_the_networks_have(
    asset: str, passphrase: str, known: str
) -> None:
    assert contract_of(asset, passphrase) == known
