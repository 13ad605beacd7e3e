"""`flask anchor trust`: lines of our own accounts, opened without hurting what is under way."""

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from stellar_sdk import Asset, AuthorizationFlag, Keypair

from anchor.cli import group
from anchor.config import Secret
from anchor.extensions import gateway, transaction
from anchor.sealed_keys import seal
from anchor.services import jobs, own_submissions, sweeps
from anchor.services.deposit_payments import DRIVE, lane_of
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench, stretch, submit_only
from tests.test_result_codes import leave_lumens
from tests.test_submission_faults import knob, settle
from tests.world import World

CODE = "EURC"


@pytest.fixture
def bench(world: World) -> Bench:
    """An anchor that serves a second asset, for which its account has no line."""
    made = Bench(world)
    made.serve(replace(world.policy, code=CODE))
    return made


def settings(bench: Bench) -> Any:
    return bench.world.app.extensions["anchor"].settings


def run(bench: Bench, *words: str) -> Result:
    return bench.world.app.test_cli_runner().invoke(group, ["trust", *words])


def told(bench: Bench, code: str = CODE) -> dict[str, Any]:
    found = json.loads(run(bench, "--json").output)
    line: dict[str, Any] = next(each for each in found if each["asset"] == code)
    return line


def serve_alone(bench: Bench, account: str, secret: str = "", **more: Any) -> None:
    """Let the second asset have an account of its own, and perhaps its key."""
    keys = {CODE: Secret(secret)} if secret else {}
    settle(bench, distribution_secrets=keys)
    bench.serve(replace(bench.world.policy, code=CODE, distribution=account, **more))


def sequence(bench: Bench) -> int:
    found = gateway().account(bench.world.distribution)
    assert found is not None
    return found.sequence


def has_line(bench: Bench) -> bool:
    found = bench.world.sandbox_get(f"/accounts/{bench.world.distribution}")
    return any(line.get("asset_code") == CODE for line in found["balances"])


def number_of_leases(bench: Bench) -> int:
    return int(bench.sql("SELECT count(*) FROM jobs WHERE leased_until > now()")[0][0])


# -- what it does ---------------------------------------------------------------------------


def test_a_line_that_is_missing_is_opened_once_and_then_told_of(bench: Bench) -> None:
    before = sequence(bench)
    done = run(bench, "--asset", CODE)
    assert (done.exit_code, has_line(bench)) == (0, True), done.output
    assert f"{CODE}  {bench.world.distribution}  opened: opened by " in done.output
    assert sequence(bench) == before + 1
    again = run(bench, "--asset", CODE)
    assert (again.exit_code, sequence(bench)) == (0, before + 1)
    assert "open: open, with 0\n" in again.output
    assert number_of_leases(bench) == 0


def test_the_lines_of_all_assets_are_told_as_json(bench: Bench) -> None:
    done = run(bench, "--json")
    known, new = json.loads(done.output)
    assert done.exit_code == 0
    assert (known["asset"], known["state"], known["balance"]) == ("USDC", "open", "1000000")
    assert (new["asset"], new["state"], new["balance"]) == (CODE, "opened", "0")
    assert (new["account"], new["is_authorized"]) == (bench.world.distribution, True)
    assert bench.world.sandbox_get(f"/transactions/{new['hash']}")["successful"]


def test_a_sealed_key_opens_a_line(bench: Bench) -> None:
    passphrase = "correct horse battery staple"
    secret = settings(bench).distribution_secrets["USDC"]
    sealed = {"USDC": Secret(seal(secret, passphrase))}
    settle(bench, distribution_secrets=sealed, keys_passphrase=Secret(passphrase))
    assert told(bench)["state"] == "opened"


def test_a_line_that_its_issuer_has_to_authorize_is_told_so(bench: Bench) -> None:
    builder = bench.builder(bench.issuer())
    builder.append_set_options_op(set_flags=AuthorizationFlag.AUTHORIZATION_REQUIRED)
    bench.world.submit(builder, bench.issuer())
    done = run(bench, "--asset", CODE)
    assert done.exit_code == 0
    assert "its issuer has to authorize it yet" in done.output
    assert told(bench)["is_authorized"] is False


def test_an_anchor_whose_network_nobody_has_stamped_yet_has_its_lines_opened(bench: Bench) -> None:
    bench.sql("DELETE FROM accounts")
    bench.sql("DELETE FROM networks")
    assert told(bench)["state"] == "opened"
    assert bench.sql("SELECT kind FROM jobs") == []


# -- what is in the way ---------------------------------------------------------------------


def test_an_account_that_is_not_there_is_told_how_many_lumens_it_needs(bench: Bench) -> None:
    keys = Keypair.random()
    serve_alone(bench, keys.public_key, keys.secret)
    done = run(bench, "--asset", CODE)
    assert done.exit_code == 1
    assert "does not exist: send it 1.51 lumens or more first" in done.output


def test_an_account_with_too_few_lumens_is_told_how_many_more_it_needs(bench: Bench) -> None:
    leave_lumens(bench, 1_6000000)  # it has one line, so its reserve is 1.5
    assert "too few lumens for a trust line: send it 0.41 or more first" in told(bench)["sentence"]
    assert run(bench).exit_code == 1
    assert not has_line(bench)


def test_the_lumens_that_are_named_are_enough(bench: Bench) -> None:
    keys = Keypair.random()
    serve_alone(bench, keys.public_key, keys.secret)
    builder = bench.builder(bench.issuer())
    builder.append_create_account_op(keys.public_key, "1.51")
    bench.world.submit(builder, bench.issuer())
    assert told(bench)["state"] == "opened"


def test_an_issuer_that_is_not_there_is_named(bench: Bench) -> None:
    issuer = Keypair.random().public_key
    bench.serve(replace(bench.world.policy, code=CODE, issuer=issuer))
    assert told(bench)["sentence"] == f"its issuer {issuer} does not exist on the ledger"


def test_a_key_that_is_not_here_is_told_where_it_belongs(bench: Bench) -> None:
    account = bench.account(trusts=False)
    serve_alone(bench, account.public_key)
    assert f"set ANCHOR_DISTRIBUTION_SECRET_{CODE}" in told(bench)["sentence"]


def test_a_key_that_is_with_another_custody_is_told_so(bench: Bench) -> None:
    account = bench.account(trusts=False)
    serve_alone(bench, account.public_key)
    settle(bench, custody="vault")
    object.__setattr__(bench.world.app.extensions["anchor"].custody, "name", "vault")
    assert "its key is with the custody vault: have a change_trust" in told(bench)["sentence"]


def test_a_key_that_does_not_suffice_signs_nothing(bench: Bench) -> None:
    keys = Keypair.from_secret(settings(bench).distribution_secrets["USDC"])
    builder = bench.builder(keys)
    builder.append_set_options_op(med_threshold=2, high_threshold=2)
    bench.world.submit(builder, keys)
    assert "does not suffice for its thresholds" in told(bench)["sentence"]
    assert not has_line(bench)


def test_lumens_and_an_issuer_s_own_account_need_no_line(bench: Bench) -> None:
    bench.serve(
        replace(bench.world.policy, code="XLM", issuer=None),
        replace(bench.world.policy, code=CODE, distribution=bench.issuer().public_key),
    )
    done = run(bench)
    assert done.exit_code == 0, done.output
    assert "not_needed: lumens need no trust line" in done.output
    assert "not_needed: it is the issuer itself" in done.output


def test_an_asset_that_is_not_served_is_wrong_usage(bench: Bench) -> None:
    done = run(bench, "--asset", "NOPE")
    assert done.exit_code == 2
    assert "NOPE is no asset of the configuration." in done.output


def test_one_line_that_cannot_be_opened_stops_no_other(bench: Bench) -> None:
    bench.serve(replace(bench.world.policy, code="AAA", issuer=Keypair.random().public_key))
    done = run(bench)
    assert (done.exit_code, has_line(bench)) == (1, True)
    assert "AAA" in done.output


# -- what is under way ----------------------------------------------------------------------


def test_promise_06_a_submission_on_the_account_s_own_number_is_left_alone(bench: Bench) -> None:
    account = bench.account()
    knob(bench, "freeze")
    row_id = bench.deposit(account.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    submit_only(bench)
    before = bench.sql("SELECT id FROM submissions WHERE state = 'submitted'")
    assert before != []
    done = run(bench, "--asset", CODE)
    assert done.exit_code == 1
    assert f"submission {before[0][0]} is open on the account's own sequence" in done.output
    knob(bench, "thaw")
    bench.wait(row_id, hurry=True)
    assert told(bench)["state"] == "opened"
    assert bench.world.cases() == []


def test_promise_06_nothing_is_submitted_while_a_line_is_opened_and_all_goes_on_after_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.deposit(bench.account().public_key)
    bench.wait(first)  # the account's number is known now, and out of date in a moment
    row_id = bench.deposit(bench.account().public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    submit, counts = gateway().submit_async, []

    def meanwhile(envelope_xdr: str) -> Any:
        with bench.world.app.app_context():
            bench.work()
            counts.append(bench.sql("SELECT count(*) FROM submissions"))
            found = submit(envelope_xdr)
            bench.work()
            counts.append(bench.sql("SELECT count(*) FROM submissions"))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(gateway(), "submit_async", meanwhile)
        assert told(bench)["state"] == "opened"
    assert counts == [[(2,)], [(2,)]]
    bench.wait(row_id)
    assert bench.sql("SELECT count(*) FROM envelopes") == [(3,)]
    assert bench.world.cases() == []


def test_it_waits_for_whoever_makes_payments_and_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_submissions, "_QUEUE_S", 1)
    source = bench.world.distribution
    with transaction():
        jobs.renew(jobs.Address(DRIVE, source), lane_of(source))
    assert jobs.claim(jobs.Address(DRIVE, source)) is not None
    assert "payments from it are being made" in told(bench)["sentence"]
    assert not has_line(bench)
    bench.sql("UPDATE jobs SET leased_until = now() - interval '1 second'")
    assert told(bench)["state"] == "opened"


@pytest.mark.parametrize("answer", ["504-applied", "cut-applied", "504-lost", "cut-lost"])
def test_promise_07_a_line_whose_answer_was_lost_is_looked_up(bench: Bench, answer: str) -> None:
    before = sequence(bench)
    knob(bench, "misbehave", answer=answer, times=1)
    assert told(bench)["state"] == "opened"
    assert sequence(bench) == before + 1
    assert bench.sql("SELECT count(*) FROM envelopes") == [(1,)]


def test_promise_07_while_its_end_is_unknown_nothing_is_submitted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_submissions, "_OUTCOME_S", 2)
    row_id = bench.deposit(bench.account().public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    knob(bench, "freeze")
    knob(bench, "misbehave", answer="cut-applied", times=1)
    assert "it is not known yet what became of submission" in told(bench)["sentence"]
    assert number_of_leases(bench) == 0, "its open submission holds payments back, no lease"
    bench.sql("UPDATE jobs SET due_at = now()")
    stretch(bench)
    assert bench.sql("SELECT count(*) FROM submissions") == [(1,)]
    knob(bench, "thaw")
    bench.wait(row_id, hurry=True)
    assert told(bench)["state"] == "open"
    assert bench.world.cases() == []


@pytest.mark.parametrize("answer", ["bad-seq", "tx_insufficient_fee"])
def test_what_passes_is_handed_in_again_as_it_is(bench: Bench, answer: str) -> None:
    knob(bench, "misbehave", answer=answer, times=1)
    assert told(bench)["state"] == "opened"
    assert bench.sql("SELECT count(*) FROM envelopes") == [(1,)]


def test_what_the_network_refuses_is_said_when_no_ledger_can_take_it(bench: Bench) -> None:
    settle(bench, time_bound_s=2)
    knob(bench, "misbehave", answer="tx_bad_auth_extra", times=1)
    assert "no ledger took it in time (tx_bad_auth_extra): run" in told(bench)["sentence"]
    assert number_of_leases(bench) == 0
    settle(bench, time_bound_s=60)
    assert told(bench)["state"] == "opened"


def test_a_number_that_was_used_by_hand_meanwhile_keeps_no_payment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(bench, time_bound_s=2)
    keys = Keypair.from_secret(settings(bench).distribution_secrets["USDC"])
    submit = gateway().submit_async

    def after_a_hand(envelope_xdr: str) -> Any:
        if not by_hand:
            by_hand.append(bench.builder(keys).append_bump_sequence_op(0))
            bench.world.submit(by_hand[0], keys)
        return submit(envelope_xdr)

    by_hand: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(gateway(), "submit_async", after_a_hand)
        assert "(its number was used by others): run the command" in told(bench)["sentence"]
    settle(bench, time_bound_s=60)
    bench.wait(bench.deposit(bench.account().public_key))
    assert told(bench)["state"] == "opened"
    assert bench.world.cases() == []


def test_a_base_fee_above_the_ceiling_opens_nothing(bench: Bench) -> None:
    settle(bench, base_fee_max=150)
    knob(bench, "base-fee", stroops=200)
    bench.world.sandbox.network.close_ledger()
    assert "above base_fee_max" in told(bench)["sentence"]
    assert not has_line(bench)


def test_a_queue_that_waits_is_owed_again(bench: Bench) -> None:
    row_id = bench.deposit(bench.account().public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    bench.sql("DELETE FROM jobs")
    assert told(bench)["state"] == "opened"
    assert bench.sql("SELECT kind, subject_id FROM jobs WHERE due_at <= now()") == [
        (DRIVE, bench.world.distribution)
    ]
    bench.wait(row_id)


def test_the_asset_of_the_line_is_the_configured_one(bench: Bench) -> None:
    assert told(bench)["state"] == "opened"
    found = bench.world.sandbox_get(f"/accounts/{bench.world.distribution}")
    [line] = [each for each in found["balances"] if each.get("asset_code") == CODE]
    assert Asset(CODE, line["asset_issuer"]) == Asset(CODE, bench.world.policy.issuer)
    assert line["limit"] == "922337203685.4775807"
