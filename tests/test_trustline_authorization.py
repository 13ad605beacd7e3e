"""The issuer authorizes new trust lines by the envelopes that pay them, and no others (ADR 029)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from stellar_sdk import AuthorizationFlag, Keypair, MuxedAccount, Signer

from anchor.cli import group
from anchor.errors import Misconfigured
from anchor.extensions import db, house, transaction
from anchor.ledger.gateway import LedgerTransaction, Verdict
from anchor.models import KnownLine
from anchor.services import custodians, settling, sweeps
from anchor.services.transactions import PAY_ON_LEDGER
from tests.authorizing import authorizing, differences, maintain, open_by_hand, operations
from tests.deposits import Bench
from tests.signing import remote, signed_by
from tests.test_submission_faults import knob, open_slot
from tests.world import World

Change = Callable[[Bench, Keypair], None]
AUTHORIZED = ["set_trust_line_flags", "payment"]


@pytest.fixture
def bench(world: World) -> Bench:
    made = Bench(world)
    authorizing(made)
    return made


def run(bench: Bench, *words: str) -> Any:
    return bench.world.app.test_cli_runner().invoke(group, list(words))


def queued(bench: Bench, account: Keypair) -> str:
    row_id = bench.deposit(account.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    assert bench.sql("SELECT state, authorizes FROM outflows") == [("prepared", True)]
    return row_id


def types(bench: Bench, row_id: str) -> list[str]:
    return [each["type"] for each in operations(bench, row_id)]


def give_back(bench: Bench, account: Keypair) -> None:
    """Let an account send all that it holds back to the issuer."""
    builder = bench.builder(account)
    held = bench.held(account.public_key)
    builder.append_payment_op(bench.issuer().public_key, bench.world.asset, held)
    bench.world.submit(builder, account)


def known(bench: Bench) -> list[str]:
    with transaction():
        return list(db.session.scalars(select(KnownLine.account_id)))


# -- new lines -------------------------------------------------------------------------------


@pytest.mark.conforms("SEP6-29", "SEP24-28")
def test_a_new_line_is_authorized_by_the_envelope_that_pays_it(bench: Bench) -> None:
    account = bench.account()
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id)
    done = operations(bench, row_id)
    assert [each["type"] for each in done] == AUTHORIZED
    first = done[0]
    assert (first["trustor"], first["set_flags_s"]) == (account.public_key, ["authorized"])
    assert first["source_account"] == bench.issuer().public_key
    assert bench.held(account.public_key) == "99.0000000"
    assert bench.sql("SELECT operation_index, authorizes FROM outflows") == [(1, True)]
    assert bench.sql("SELECT sum(fee_charged) FROM submissions") == [(200,)]
    assert bench.sql("SELECT sum(amount) FROM postings") == [(0,)]
    assert "pending_trust" not in bench.world.events(row_id)
    assert bench.world.cases() == []
    assert differences() == set()


@pytest.mark.conforms("SEP6-29", "SEP24-28")
def test_a_line_that_is_added_later_is_authorized_and_the_deposit_goes_on(bench: Bench) -> None:
    account = bench.account(trusts=False)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    assert types(bench, row_id) == AUTHORIZED
    assert bench.held(account.public_key) == "99.0000000"


def test_a_line_that_is_authorized_is_only_paid(bench: Bench) -> None:
    account = bench.account()
    bench.authorize(account, authorized=True)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id)
    assert types(bench, row_id) == ["payment"]


def test_many_lines_are_authorized_in_one_envelope_and_apart_from_others(bench: Bench) -> None:
    new, open_ = [bench.account() for _ in range(3)], bench.account()
    bench.authorize(open_, authorized=True)
    rows = [bench.deposit(each.public_key) for each in (*new, open_)]
    for row_id in rows:
        bench.wait(row_id)
    assert types(bench, rows[0]) == AUTHORIZED * 3
    assert types(bench, rows[3]) == ["payment"]
    places = bench.sql("SELECT operation_index FROM outflows ORDER BY id")
    assert places == [(1,), (3,), (5,), (0,)]
    assert {bench.held(each.public_key) for each in (*new, open_)} == {"99.0000000"}


def test_an_envelope_has_no_more_operations_than_a_batch(bench: Bench) -> None:
    found = bench.world.app.extensions["anchor"]
    fewer = replace(found.settings, batch_max=4)
    bench.world.app.extensions["anchor"] = replace(found, settings=fewer)
    rows = [bench.deposit(bench.account().public_key) for _ in range(3)]
    for row_id in rows:
        bench.wait(row_id)
    assert [len(types(bench, each)) for each in rows] == [4, 4, 2]


def test_a_memo_and_a_muxed_id_go_with_it(bench: Bench) -> None:
    account, other = bench.account(), bench.account()
    muxed = MuxedAccount(other.public_key, 77).account_muxed
    more = {"destination_memo_type": "id", "destination_memo": "5"}
    rows = bench.deposit(account.public_key, **more), bench.deposit(muxed)
    for row_id in rows:
        bench.wait(row_id)
        assert types(bench, row_id) == AUTHORIZED
    assert operations(bench, rows[1])[1]["to_muxed_id"] == "77"
    assert set(known(bench)) == {account.public_key, other.public_key}


def test_two_deposits_to_one_new_line_both_arrive(bench: Bench) -> None:
    account = bench.account()
    rows = bench.deposit(account.public_key), bench.deposit(account.public_key)
    for row_id in rows:
        bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "198.0000000"


def test_where_the_asset_does_not_say_so_the_line_waits_for_its_issuer(bench: Bench) -> None:
    bench.serve(replace(bench.world.policy))
    account = bench.account()
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    bench.authorize(account, authorized=True)
    bench.wait(row_id, hurry=True)
    assert types(bench, row_id) == ["payment"]


# -- lines that were closed on purpose ---------------------------------------------------------


def revoked_and_empty(bench: Bench, account: Keypair) -> None:
    bench.wait(bench.deposit(account.public_key))
    give_back(bench, account)
    bench.authorize(account, authorized=False)


def revoked_and_added_again(bench: Bench, account: Keypair) -> None:
    revoked_and_empty(bench, account)
    bench.trust(account, "0")
    bench.trust(account)


def revoked_with_money(bench: Bench, account: Keypair) -> None:
    bench.wait(bench.deposit(account.public_key))
    bench.authorize(account, authorized=False)
    bench.sql("DELETE FROM known_lines")


def cut_down(bench: Bench, account: Keypair) -> None:
    bench.authorize(account, authorized=True)
    maintain(bench, account)


def refused(bench: Bench, account: Keypair) -> None:
    done = run(bench, "refuse-trustline", "USDC", account.public_key, "--note", "the court")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "close", [revoked_and_empty, revoked_and_added_again, revoked_with_money, cut_down, refused]
)
def test_a_line_that_was_closed_on_purpose_is_not_opened_and_told_at_once(
    bench: Bench, close: Change
) -> None:
    account = bench.account()
    close(bench, account)
    held = bench.held(account.public_key)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    for _ in range(3):
        bench.sql("UPDATE jobs SET due_at = now()")
        bench.work()
    assert bench.world.status(row_id) == "pending_trust"
    assert bench.held(account.public_key) == held
    assert bench.world.cases() == ["trustline_closed"]
    open_by_hand(bench, account)
    bench.wait(row_id, hurry=True)
    assert types(bench, row_id) == ["payment"]


def test_a_person_may_let_a_known_line_be_authorized_again(bench: Bench) -> None:
    account = bench.account()
    revoked_and_empty(bench, account)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    done = run(bench, "allow-trustline", "USDC", account.public_key)
    assert done.exit_code == 0, done.output
    bench.wait(row_id, hurry=True)
    assert types(bench, row_id) == AUTHORIZED
    acts = bench.sql("SELECT what FROM acts")
    assert acts == [(f"allow trust line {bench.world.policy.id} {account.public_key}",)]


def test_a_line_that_is_refused_while_its_payment_waits_is_not_authorized(bench: Bench) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    refused(bench, account)
    bench.wait(row_id, "pending_trust")
    assert bench.sql("SELECT state, note FROM outflows") == [("refused", "op_not_authorized")]
    assert bench.held(account.public_key) == "0.0000000"


def test_an_open_line_that_is_closed_while_its_payment_waits_stays_closed(bench: Bench) -> None:
    account = bench.account()
    bench.authorize(account, authorized=True)
    row_id = bench.deposit(account.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    bench.authorize(account, authorized=False)
    bench.wait(row_id, "pending_trust")
    bench.sql("UPDATE jobs SET due_at = now()")
    bench.work()
    assert bench.world.status(row_id) == "pending_trust"
    assert known(bench) == [account.public_key]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("refuse-trustline", "EURC", "G"), "There is no asset EURC that has trust lines."),
        (("refuse-trustline", "USDC", "G"), "G is no account (G…)."),
        (("allow-trustline", "USDC", Keypair.random().public_key), "is a new one as it is."),
    ],
)
def test_what_is_no_line_is_said_to_be_none(
    bench: Bench, words: tuple[str, ...], sentence: str
) -> None:
    done = run(bench, *words)
    assert done.exit_code == 1
    assert sentence in done.output


# -- result codes of the authorization -----------------------------------------------------------


def gone(bench: Bench, account: Keypair) -> None:
    bench.trust(account, "0")


def cut(bench: Bench, account: Keypair) -> None:
    cut_down(bench, account)


def small(bench: Bench, account: Keypair) -> None:
    bench.trust(account, "50")


@pytest.mark.parametrize(
    ("code", "change"),
    [
        pytest.param("op_no_trust", gone, id="op_no_trust"),
        pytest.param("op_invalid_state", cut, id="op_invalid_state"),
        pytest.param("op_line_full", small, id="op_line_full"),
    ],
)
def test_an_authorization_that_fails_pays_nothing_and_waits_for_trust(
    bench: Bench, code: str, change: Change
) -> None:
    account = bench.account()
    row_id = queued(bench, account)
    change(bench, account)
    bench.wait(row_id, "pending_trust")
    assert bench.sql("SELECT state, note FROM outflows") == [("refused", code)]
    assert bench.sql("SELECT sum(amount) FROM postings") == [(0,)]


def test_one_authorization_that_fails_keeps_no_other(bench: Bench) -> None:
    accounts = [bench.account() for _ in range(3)]
    rows = [bench.deposit(each.public_key) for each in accounts]
    sweeps.work_off([PAY_ON_LEDGER])
    bench.trust(accounts[1], "0")
    for row_id, status in zip(rows, ("completed", "pending_trust", "completed"), strict=True):
        bench.wait(row_id, status, hurry=True)
    assert [bench.held(each.public_key) for each in accounts] == [
        *("99.0000000", "none", "99.0000000")
    ]
    assert types(bench, rows[2]) == AUTHORIZED
    assert differences() == set()


@pytest.mark.parametrize(
    "code", ["op_malformed", "op_cant_revoke", "op_low_reserve", "op_no_source_account"]
)
def test_what_no_ledger_takes_of_an_authorization_is_for_a_person(bench: Bench, code: str) -> None:
    row_id = queued(bench, bench.account())
    open_slot(bench)
    told = Verdict("tx_failed", (code, "op_success"))
    held = LedgerTransaction("ab" * 32, None, False, 7, datetime.now(UTC), 200, "", "", told)
    settling.failed(1, held)
    assert bench.sql("SELECT state, note FROM outflows") == [("refused", code)]
    assert bench.world.status(row_id) == "on_hold"
    assert bench.world.cases() == ["ledger_refused"]


@pytest.mark.parametrize("answer", ["504-applied", "504-lost", "cut-applied", "cut-lost"])
def test_promise_06_whatever_the_network_answers_a_line_is_authorized_and_paid_once(
    bench: Bench, answer: str
) -> None:
    account = bench.account()
    row_id = bench.deposit(account.public_key)
    knob(bench, "misbehave", answer=answer)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"
    assert types(bench, row_id) == AUTHORIZED
    assert bench.sql("SELECT state FROM submissions") == [("confirmed",)]


# -- who signs ---------------------------------------------------------------------------------


def test_custody_is_asked_for_both_accounts(bench: Bench) -> None:
    signer = remote(bench)
    plain, account = bench.account(), bench.account()
    bench.authorize(plain, authorized=True)
    for each in (account, plain):
        bench.wait(bench.deposit(each.public_key))
    ours, issuer = bench.world.distribution, bench.issuer().public_key
    assert [each.accounts for each in signer.asked] == [(ours, issuer), (ours,)]


def test_an_issuer_of_several_people_waits_for_them_and_keeps_nobody_else(bench: Bench) -> None:
    assert run(bench, "channels", "--count", "4").exit_code == 0
    issuer, second = bench.issuer(), Keypair.random()
    account, plain = bench.account(), bench.account()
    bench.authorize(plain, authorized=True)
    builder = bench.builder(issuer)
    signer = Signer.ed25519_public_key(second.public_key, 1)
    builder.append_set_options_op(low_threshold=2, med_threshold=2, signer=signer)
    bench.world.submit(builder, issuer)
    waiting, other = bench.deposit(account.public_key), bench.deposit(plain.public_key)
    bench.wait(other, hurry=True)
    assert bench.world.status(waiting) == "pending_stellar"
    bench.work()
    assert bench.world.cases() == ["waits_for_signatures"]
    told = run(bench, "signatures", "list").output
    assert issuer.public_key in told
    [(number,)] = bench.sql("SELECT id FROM submissions WHERE state = 'pending_signatures'")
    exported = run(bench, "signatures", "export", str(number)).output.splitlines()[-1]
    taken = bench.world.app.test_cli_runner().invoke(
        group, ["signatures", "import", str(number)], input=signed_by(exported, second)
    )
    assert taken.exit_code == 0, taken.output
    bench.wait(waiting, hurry=True)
    assert types(bench, waiting) == AUTHORIZED


def test_custody_that_does_not_sign_for_the_issuer_stops_the_start(bench: Bench) -> None:
    found = house()
    custody = replace(found.custody, keys={})  # type: ignore[type-var]
    assert custody is not None
    with pytest.raises(Misconfigured, match="ANCHOR_ISSUER_SECRET_USDC"):
        custodians.demand_issuers(found.settings, custody)
    signer = remote(bench)
    with pytest.raises(Misconfigured, match="the custody remote does not give"):
        custodians.demand_issuers(found.settings, signer)
    signer.traits = replace(signer.traits, signs_for_issuers=True)  # type: ignore[misc]
    custodians.demand_issuers(found.settings, signer)


def test_doctor_says_where_an_issuer_does_not_ask_for_it(bench: Bench) -> None:
    assert "exists, and has its trust lines authorized" in run(bench, "doctor").output
    issuer = bench.issuer()
    builder = bench.builder(issuer)
    builder.append_set_options_op(clear_flags=AuthorizationFlag(3))
    bench.world.submit(builder, issuer)
    assert "does not ask for it (AUTH_REQUIRED)" in run(bench, "doctor").output
