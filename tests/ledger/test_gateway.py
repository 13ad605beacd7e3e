"""What the gateway reads of accounts, fees and balances; and what it takes for no answer."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import AuthorizationFlag
from werkzeug.wrappers import Request, Response

from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Unavailable
from anchor.ledger import destinations, envelopes
from anchor.ledger.destinations import CODES, READY, memo_required, room_for, spendable
from anchor.ledger.gateway import AccountFlags, Balance, FeeSpread, LedgerAccount, SubmissionFailed
from anchor.ledger.horizon import HorizonGateway
from anchor.ledger.orders import LedgerOrder
from anchor.money import MAX_STROOPS
from anchor.sandbox.network import Sandbox
from tests.ledger.chain import XLM, Chain
from tests.sandbox.recording import load

BASE_RESERVE = 5_000_000


def account_of(chain: Chain, account_id: str, **options: bool) -> LedgerAccount:
    found = chain.gateway.account(account_id, **options)
    assert found is not None
    return found


# -- accounts ---------------------------------------------------------------------------------


def test_an_account_tells_its_lines_flags_and_data(chain: Chain) -> None:
    user = chain.account()
    chain.trust(user, "50")
    chain.give(user, "20")
    chain.unauthorize(user, may_keep_offers=True)
    chain.do(user, lambda builder: builder.append_manage_data_op("config.memo_required", b"1"))
    found = account_of(chain, user)
    line = found.balance(chain.asset)
    assert line == Balance(
        asset=chain.asset,
        amount=20 * XLM,
        limit=50 * XLM,
        is_authorized=False,
        maintains_liabilities=True,
        last_modified_ledger=line.last_modified_ledger if line else None,
    )
    assert found.data == {"config.memo_required": b"1"}
    assert memo_required(found)
    assert not memo_required(account_of(chain, chain.issuer))
    assert found.flags == AccountFlags()
    assert account_of(chain, chain.issuer).flags == AccountFlags(auth_revocable=True)
    assert found.last_modified_ledger is not None
    assert found.ledger is not None
    assert found.ledger >= found.last_modified_ledger
    assert chain.gateway.account(chain.new()) is None


def test_the_holders_of_an_asset_are_counted_and_read_page_by_page(chain: Chain) -> None:
    users = [chain.account() for _ in range(4)]
    for user in users:
        chain.trust(user)
    chain.unauthorize(users[0])
    holders = sorted([*users, chain.treasury])
    assert chain.gateway.holders(chain.asset) == 5
    assert chain.gateway.holders(f"EUR:{chain.issuer}") == 0
    first = chain.gateway.accounts_with(chain.asset, limit=3)
    rest = chain.gateway.accounts_with(chain.asset, first[-1].account_id, limit=3)
    assert [each.account_id for each in first + rest] == holders
    assert all(each.balance(chain.asset) for each in first + rest)


def test_an_issuer_that_can_claw_back_says_so_and_so_do_its_lines(chain: Chain) -> None:
    flags = (
        AuthorizationFlag.AUTHORIZATION_REVOCABLE | AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED
    )
    chain.do(chain.issuer, lambda builder: builder.append_set_options_op(set_flags=flags))
    user = chain.account()
    chain.trust(user)
    assert account_of(chain, chain.issuer).flags.auth_clawback_enabled
    lines = [account_of(chain, each).balance(chain.asset) for each in (user, chain.treasury)]
    assert [line.is_clawback_enabled for line in lines if line] == [True, False]


def test_recorded_accounts_are_read_to_the_last_stroop() -> None:
    recorded = [
        answer["body"]
        for answer in load("gets")
        if answer["status"] == 200
        and isinstance(answer["body"], dict)
        and "thresholds" in answer["body"]
    ]
    assert recorded
    from anchor.ledger.reading import read_account

    for body in recorded:
        found = read_account(body, "77")
        assert found.ledger == 77
        assert found.sequence == int(body["sequence"])
        assert [b.amount for b in found.balances] == [
            int(line["balance"].replace(".", "")) for line in body["balances"]
        ]
        assert len(found.signers) == len(body["signers"])


# -- when an envelope is dead -----------------------------------------------------------------


def test_promise_06_one_answer_tells_that_a_number_can_never_be_used(chain: Chain) -> None:
    channel, max_time = chain.account(), int(time.time()) + 60
    sequence = chain.sequence(channel) + 1
    envelope = chain.signed(chain.pay(chain.issuer), channel=channel, max_time=max_time)
    assert not account_of(chain, channel, dated=True).has_let_pass(sequence, max_time)
    chain.knob("clock", seconds=62)
    chain.knob("freeze")
    chain.knob("close")
    dark = account_of(chain, channel, dated=True)
    assert not dark.has_let_pass(sequence, max_time), "what is shown is older than that ledger"
    chain.knob("thaw")
    seen = account_of(chain, channel, dated=True)
    assert seen.has_let_pass(sequence, max_time)
    with pytest.raises(SubmissionFailed, match="tx_too_late"):
        chain.gateway.submit(envelope)
    assert not account_of(chain, channel).has_let_pass(sequence, max_time), "nobody said when"


def test_promise_06_a_number_that_was_used_was_not_let_pass(chain: Chain) -> None:
    max_time = int(time.time()) + 60
    sequence = chain.sequence(chain.treasury) + 1
    chain.gateway.submit(chain.signed(chain.pay(chain.issuer), max_time=max_time))
    chain.knob("clock", seconds=62)
    chain.knob("close")
    assert not account_of(chain, chain.treasury, dated=True).has_let_pass(sequence, max_time)


def test_promise_06_the_very_second_of_the_bound_is_not_beyond_it() -> None:
    closed_at = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
    at = int(closed_at.timestamp())
    account = LedgerAccount("G", 6, (), (), 0, 0, 0, 0, ledger=9, ledger_closed_at=closed_at)
    assert account.has_let_pass(7, at - 1)
    assert not account.has_let_pass(7, at)
    assert not account.has_let_pass(7, at + 1)
    assert not account.has_let_pass(7, 0), "an envelope without a bound lives for ever"
    assert not account.has_let_pass(6, at - 1)


# -- room -------------------------------------------------------------------------------------


def nobody(chain: Chain) -> str:
    return chain.new()


def no_line(chain: Chain) -> str:
    return chain.account()


def plenty(chain: Chain) -> str:
    account = chain.account()
    chain.trust(account)
    return account


def just_enough(chain: Chain) -> str:
    account = chain.account()
    chain.trust(account, "1")
    return account


def one_stroop_short(chain: Chain) -> str:
    account = just_enough(chain)
    chain.give(account, "0.0000001")
    return account


def unauthorized(chain: Chain) -> str:
    account = one_stroop_short(chain)
    chain.unauthorize(account)
    return account


def keeps_offers(chain: Chain) -> str:
    account = plenty(chain)
    chain.unauthorize(account, may_keep_offers=True)
    return account


def issuer(chain: Chain) -> str:
    return chain.issuer


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (nobody, "no_account"),
        (no_line, "no_line"),
        (plenty, "ready"),
        (just_enough, "ready"),
        (one_stroop_short, "full"),
        (unauthorized, "not_authorized"),
        (keeps_offers, "not_authorized"),
        (issuer, "ready"),
    ],
)
def test_room_is_what_the_ledger_finds(
    chain: Chain, make: Callable[[Chain], str], word: str
) -> None:
    account_id = make(chain)
    assert room_for(chain.gateway.account(account_id), chain.asset, XLM) == word
    envelope = chain.signed(chain.pay(account_id, XLM, chain.asset))
    if word == READY:
        assert chain.gateway.submit(envelope).successful
        return
    with pytest.raises(SubmissionFailed) as caught:
        chain.gateway.submit(envelope)
    assert caught.value.verdict.operation_codes == (CODES[word],)


@given(
    amount=st.integers(0, MAX_STROOPS),
    limit=st.integers(0, MAX_STROOPS),
    buying=st.integers(0, MAX_STROOPS),
    wanted=st.integers(1, MAX_STROOPS),
)
def test_room_counts_what_offers_may_still_bring(
    amount: int, limit: int, buying: int, wanted: int
) -> None:
    line = Balance("USD:GI", amount, limit, buying_liabilities=buying)
    native = Balance("native", amount, None, buying_liabilities=buying)
    account = LedgerAccount("GA", 1, (line, native), (), 0, 0, 0, 0)
    fits = amount + buying + wanted <= limit
    assert (room_for(account, "USD:GI", wanted) == READY) == fits
    assert (room_for(account, "native", wanted) == READY) == (amount + buying + wanted < 2**63)
    assert room_for(account, "USD:GA", wanted) == READY, "its own asset"


def test_what_is_spendable_can_be_spent_and_not_a_stroop_more(chain: Chain) -> None:
    payer, there = chain.account(), chain.account()
    chain.trust(payer)
    chain.give(payer, "5")
    left = spendable(account_of(chain, payer), "native", BASE_RESERVE) - 100
    for amount, code in ((left + 1, "op_underfunded"), (left - 100, "tx_success")):
        envelope = chain.signed(chain.pay(there, amount), source=payer)
        try:
            verdict = chain.gateway.submit(envelope).verdict
        except SubmissionFailed as failed:
            verdict = failed.verdict
        assert code in {verdict.code, *verdict.operation_codes}
    found = account_of(chain, payer)
    assert spendable(found, "native", BASE_RESERVE) == 0
    assert spendable(found, chain.asset, BASE_RESERVE) == 5 * XLM
    assert spendable(found, f"EUR:{chain.issuer}", BASE_RESERVE) == 0
    assert spendable(account_of(chain, chain.issuer), chain.asset, BASE_RESERVE) == MAX_STROOPS
    chain.unauthorize(payer)
    assert spendable(account_of(chain, payer), chain.asset, BASE_RESERVE) == 0


# -- fees and claimable balances --------------------------------------------------------------


def test_fees_are_whole_stroops_and_rise_in_a_surge(chain: Chain) -> None:
    calm = chain.gateway.fee_stats()
    assert (calm.base_fee, calm.charged.p50, calm.charged.p99) == (100, 100, 100)
    assert 0 <= calm.capacity_percent < 100
    chain.knob("surge", stroops=4321)
    busy = chain.gateway.fee_stats()
    assert (busy.charged.p10, busy.charged.p90, busy.charged.max) == (4321, 4321, 4321)
    assert busy.capacity_percent == 100
    assert busy.ledger > 1
    assert isinstance(busy.offered, FeeSpread)


def test_recorded_fees_are_read() -> None:
    from anchor.ledger.reading import read_fee_stats

    bodies = [a["body"] for a in load("gets") if a.get("path") == "/fee_stats"]
    for body in bodies:
        assert read_fee_stats(body).charged.p95 == int(body["fee_charged"]["p95"])
    assert bodies


def test_a_claimable_balance_that_is_clawed_back_says_so(chain: Chain) -> None:
    flags = (
        AuthorizationFlag.AUTHORIZATION_REVOCABLE | AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED
    )
    chain.do(chain.issuer, lambda builder: builder.append_set_options_op(set_flags=flags))
    source = chain.account()
    chain.trust(source)
    chain.give(source, "5")
    user = chain.new()
    order = LedgerOrder("claimable_balance", user, chain.asset, XLM, reclaim_at=2**33)
    envelope = chain.signed(order, source=source)
    chain.gateway.submit(envelope)
    balance_id = envelopes.claimable_balance_id(envelope, 0, TESTNET_PASSPHRASE)
    found = chain.gateway.claimable_balance(balance_id)
    assert found is not None
    assert (found.id, found.sponsor, found.is_clawback_enabled) == (balance_id, source, True)
    assert found.claimants[0].predicate["abs_before_epoch"] == str(2**33)
    chain.do(chain.issuer, lambda builder: builder.append_clawback_claimable_balance_op(balance_id))
    end = chain.gateway.balance_end(balance_id)
    assert end is not None
    assert (end.how, end.account) == ("clawed_back", chain.issuer)
    assert abs(end.closed_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert chain.gateway.transaction(end.transaction_hash) is not None
    unknown = "0" * 8 + "ab" * 32
    assert chain.gateway.claimable_balance(unknown) is None
    assert chain.gateway.balance_end(unknown) is None


# -- what is no answer ------------------------------------------------------------------------


class Twisted:
    """Passes on what a Horizon answers, with one thing about it changed."""

    def __init__(self) -> None:
        self.horizon = ""
        self.twist: Callable[[Any], Any] = lambda body: body
        self.headers: dict[str, str] = {}
        self.status: int | None = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        path = Request(environ).path
        answer = requests.get(self.horizon + path, timeout=10)
        body = self.twist(answer.json())
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": answer.headers["Content-Type"]} | self.headers
        return Response(text, self.status or answer.status_code, headers)(environ, start_response)


@pytest.fixture
def twisted(chain: Chain) -> Any:
    twist = Twisted()
    twist.horizon = chain.sandbox.url
    with Sandbox(mounts={"/twisted": twist}) as running:
        yield twist, HorizonGateway(f"{running.url}/twisted", TESTNET_PASSPHRASE)


def without(*names: str) -> Callable[[Any], Any]:
    def change(body: Any) -> Any:
        inner = body
        for name in names[:-1]:
            inner = inner[name]
        del inner[names[-1]]
        return body

    return change


def having(value: Any, *names: Any) -> Callable[[Any], Any]:
    def change(body: Any) -> Any:
        inner = body
        for name in names[:-1]:
            inner = inner[name]
        inner[names[-1]] = value
        return body

    return change


ACCOUNT_TWISTS = [
    without("sequence"),
    without("flags"),
    without("data"),
    without("balances"),
    without("thresholds", "med_threshold"),
    having(5, "sequence"),
    having("yes", "flags", "auth_required"),
    having("no base64!", "data", "config.memo_required"),
    having(1.5, "balances", 0, "balance"),
    having("-1.0000000", "balances", 0, "balance"),
    having("true", "balances", 0, "is_authorized"),
    having("1", "signers", 0, "weight"),
    having("G" + "A" * 55, "account_id"),
    lambda _body: [],
    lambda _body: "<html>",
    lambda _body: "",
]


@pytest.mark.parametrize("twist", ACCOUNT_TWISTS)
def test_promise_07_half_an_account_is_no_answer(
    chain: Chain, twisted: Any, twist: Callable[[Any], Any]
) -> None:
    door, asked = twisted
    assert asked.account(chain.treasury) is not None
    door.twist = twist
    with pytest.raises(Unavailable):
        asked.account(chain.treasury)


@pytest.mark.parametrize(
    "twist",
    [
        having(False, "successful"),
        having("true", "successful"),
        having("AAAA", "result_xdr"),
        having("ab" * 32, "hash"),
        having("2026-11-23T19:57:36", "created_at"),
        without("fee_charged"),
        without("envelope_xdr"),
    ],
)
def test_promise_07_a_transaction_that_contradicts_itself_is_no_answer(
    chain: Chain, twisted: Any, twist: Callable[[Any], Any]
) -> None:
    door, asked = twisted
    taken = chain.gateway.submit(chain.signed(chain.pay(chain.issuer)))
    assert asked.transaction(taken.hash) == taken
    door.twist = twist
    with pytest.raises(Unavailable):
        asked.transaction(taken.hash)


@pytest.mark.parametrize(
    "twist",
    [
        without("fee_charged", "p99"),
        having(100, "fee_charged", "p50"),
        having("many", "last_ledger_base_fee"),
        having("full", "ledger_capacity_usage"),
    ],
)
def test_half_of_the_fees_are_no_answer(twisted: Any, twist: Callable[[Any], Any]) -> None:
    door, asked = twisted
    assert asked.fee_stats().base_fee == 100
    door.twist = twist
    with pytest.raises(Unavailable):
        asked.fee_stats()


def test_promise_14_a_proxy_that_knows_nothing_does_not_make_an_account_disappear(
    chain: Chain, twisted: Any
) -> None:
    door, asked = twisted
    assert asked.account(chain.new()) is None
    door.status, door.headers = 404, {"Content-Type": "text/html"}
    for ask in (asked.account, asked.transaction, asked.claimable_balance):
        with pytest.raises(Unavailable, match="404"):
            ask(chain.treasury)


def test_an_answer_that_does_not_tell_its_ledger_decides_nothing(
    chain: Chain, twisted: Any
) -> None:
    _, asked = twisted
    found = asked.account(chain.treasury, dated=True)
    assert found.ledger is None
    assert found.ledger_closed_at is None
    assert not found.has_let_pass(found.sequence + 1, 1)


@pytest.mark.parametrize("answer", ["503", "429", "500", "504", "cut"])
def test_promise_07_a_horizon_that_fails_has_said_nothing(chain: Chain, answer: str) -> None:
    asks: dict[str, Callable[[], object]] = {
        "/accounts": lambda: chain.gateway.account(chain.treasury),
        "/fee_stats": chain.gateway.fee_stats,
        "/transactions": lambda: chain.gateway.transaction("ab" * 32),
        "/claimable_balances": lambda: chain.gateway.claimable_balance("0" * 72),
    }
    for path, ask in asks.items():
        chain.knob("misbehave", answer=answer, get=path)
        with pytest.raises(Unavailable):
            ask()
        ask()


@pytest.mark.parametrize(
    "twist",
    [without("network_passphrase"), having("soon", "history_latest_ledger")],
)
def test_half_a_root_is_no_answer(twisted: Any, twist: Callable[[Any], Any]) -> None:
    door, asked = twisted
    assert asked.network().latest_ledger > 0
    door.twist = twist
    with pytest.raises(Unavailable):
        asked.network()


def test_half_a_page_or_another_ledger_is_no_answer(chain: Chain, twisted: Any) -> None:
    door, asked = twisted
    assert asked.ledger(1).sequence == 1
    assert asked.newest_cursor(chain.treasury) != "0"
    door.twist = having(2, "sequence")
    with pytest.raises(Unavailable, match="another ledger"):
        asked.ledger(1)
    door.twist = without("_embedded", "records")
    for ask in (asked.newest_cursor, lambda account: asked.payments_page(account, "0")):
        with pytest.raises(Unavailable):
            ask(chain.treasury)


def test_every_word_of_room_but_ready_has_its_code() -> None:
    words = {destinations.NO_ACCOUNT, destinations.NO_LINE, destinations.NOT_AUTHORIZED}
    assert set(CODES) == words | {destinations.FULL}
