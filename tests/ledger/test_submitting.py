"""What becomes of an envelope, said by name; and nothing is ever handed in twice by itself."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Unavailable
from anchor.ledger import envelopes
from anchor.ledger.gateway import SubmissionFailed, SubmitAnswer, Verdict
from anchor.ledger.horizon import HorizonGateway
from anchor.ledger.orders import LedgerOrder
from anchor.sandbox.network import Sandbox
from tests.ledger.chain import XLM, Chain

Make = Callable[[Chain], str]


def hash_of(envelope: str) -> str:
    return envelopes.hash_of(envelope, TESTNET_PASSPHRASE)


def refusal(chain: Chain, envelope: str) -> Verdict:
    with pytest.raises(SubmissionFailed) as caught:
        chain.gateway.submit(envelope)
    return caught.value.verdict


# -- result codes by name ---------------------------------------------------------------------


def too_cheap(chain: Chain) -> str:
    chain.knob("surge", stroops=500)
    return chain.signed(chain.pay(chain.issuer))


def unsigned_by_source(chain: Chain) -> str:
    made = chain.build(chain.pay(chain.issuer), channel=chain.account())
    return chain.sign(envelopes.Unsigned(made.envelope_xdr, made.hash, made.fee, made.sources[:1]))


def poor_source(chain: Chain) -> str:
    poor = chain.new()
    chain.do(chain.issuer, lambda builder: builder.append_create_account_op(poor, "1"))
    return chain.signed(chain.pay(chain.issuer), source=poor)


def too_many_signatures(chain: Chain) -> str:
    return chain.sign(chain.build(chain.pay(chain.issuer)), chain.issuer)


def nobody(chain: Chain) -> str:
    return chain.signed(chain.pay(chain.issuer), source=chain.new(), sequence=1)


#: Before any ledger: nothing is charged, no number used, and no hash is known afterwards.
AT_THE_DOOR: dict[str, tuple[str, Make]] = {
    "tx_bad_seq": (
        "",
        lambda c: c.signed(c.pay(c.issuer), sequence=c.sequence(c.treasury)),
    ),
    "tx_insufficient_fee": ("", too_cheap),
    "tx_too_late": ("", lambda c: c.signed(c.pay(c.issuer), max_time=int(time.time()) - 5)),
    "tx_bad_auth": ("", lambda c: c.build(c.pay(c.issuer)).envelope_xdr),
    "tx_bad_auth_extra": ("", too_many_signatures),
    "tx_no_source_account": ("", nobody),
    "tx_insufficient_balance": ("", poor_source),
    "op_bad_auth": ("tx_failed", unsigned_by_source),
}


@pytest.mark.parametrize("code", AT_THE_DOOR)
def test_what_is_refused_at_the_door_is_said_by_name(chain: Chain, code: str) -> None:
    around, make = AT_THE_DOOR[code]
    envelope = make(chain)
    verdict = refusal(chain, envelope)
    assert verdict.transaction_code == (around or code)
    assert verdict.operation_codes == ((code,) if around else ())
    assert chain.gateway.transaction(hash_of(envelope)) is None
    answer = chain.gateway.submit_async(envelope)
    assert (answer.status, answer.verdict) == ("refused", verdict)
    if code == "tx_insufficient_fee":
        assert verdict.fee_charged == 500, "what would have been enough"


def usd(chain: Chain, to: str, amount: int = XLM) -> str:
    return chain.signed(chain.pay(to, amount, chain.asset))


def to_a_full_line(chain: Chain) -> str:
    full = chain.account()
    chain.trust(full, "1")
    return usd(chain, full, XLM + 1)


def to_an_unauthorized_line(chain: Chain) -> str:
    there = chain.account()
    chain.trust(there)
    chain.unauthorize(there)
    return usd(chain, there)


def from_an_unauthorized_line(chain: Chain) -> str:
    there = chain.account()
    chain.trust(there)
    chain.unauthorize(chain.treasury)
    return usd(chain, there)


def from_no_line(chain: Chain) -> str:
    there = chain.account()
    return chain.signed(chain.pay(chain.treasury, 1, chain.asset), source=there)


def waits_for_another(chain: Chain) -> str:
    order = LedgerOrder("claimable_balance", chain.account(), "native", XLM, reclaim_at=2**40)
    envelope = chain.signed(order)
    chain.gateway.submit(envelope)
    balance_id = envelopes.claimable_balance_id(envelope, 0, TESTNET_PASSPHRASE)
    return chain.signed(LedgerOrder("claim", balance_id=balance_id))


#: In a ledger: the fee is charged, the number used, and the hash is known for ever.
IN_A_LEDGER: dict[str, Make] = {
    "op_no_trust": lambda c: usd(c, c.account()),
    "op_line_full": to_a_full_line,
    "op_no_destination": lambda c: usd(c, c.new()),
    "op_not_authorized": to_an_unauthorized_line,
    "op_src_not_authorized": from_an_unauthorized_line,
    "op_src_no_trust": from_no_line,
    "op_underfunded": lambda c: c.signed(c.pay(c.issuer, 10**6 * XLM)),
    "op_low_reserve": lambda c: c.signed(
        LedgerOrder("establish", c.new(), starting_balance=XLM - 1)
    ),
    "op_already_exists": lambda c: c.signed(LedgerOrder("create_account", c.issuer, amount=XLM)),
    "op_cannot_claim": waits_for_another,
    "op_does_not_exist": lambda c: c.signed(LedgerOrder("claim", balance_id="0" * 72)),
}


@pytest.mark.parametrize("code", IN_A_LEDGER)
def test_what_fails_in_a_ledger_is_said_by_name_also_by_its_hash(chain: Chain, code: str) -> None:
    envelope = IN_A_LEDGER[code](chain)
    expected = Verdict("tx_failed", (code,), None, 100)
    assert refusal(chain, envelope) == expected
    found = chain.gateway.transaction(hash_of(envelope))
    assert found is not None
    assert (found.verdict, found.successful, found.fee_charged) == (expected, False, 100)
    assert found.ledger > 1
    assert expected.failed_operations == {0: code}
    assert chain.gateway.submit_async(envelope) == SubmitAnswer(
        "refused", Verdict("tx_bad_seq", fee_charged=100), _anything
    ), "its number is used up: only its hash tells why"


class _Anything:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    __hash__ = None  # type: ignore[assignment]


_anything: Any = _Anything()


def test_one_that_fails_among_many_is_found_by_its_place(chain: Chain) -> None:
    verdict = refusal(
        chain,
        chain.signed(chain.pay(chain.issuer), chain.pay(chain.new()), chain.pay(chain.issuer)),
    )
    assert verdict.code == "tx_failed"
    assert verdict.failed_operations == {1: "op_no_destination"}


def test_a_failure_inside_a_fee_bump_is_said_by_name_and_found_by_both_hashes(
    chain: Chain,
) -> None:
    envelope = usd(chain, chain.account())
    bump = envelopes.fee_bump(envelope, chain.issuer, 400, TESTNET_PASSPHRASE)
    verdict = refusal(chain, chain.sign(bump))
    assert verdict == Verdict("tx_fee_bump_inner_failed", ("op_no_trust",), "tx_failed", 200)
    assert verdict.code == "tx_failed"
    outer, inner = (chain.gateway.transaction(h) for h in (bump.hash, hash_of(envelope)))
    assert outer == inner
    assert outer is not None
    assert (outer.hash, outer.inner_hash) == (bump.hash, hash_of(envelope))
    assert (outer.verdict, outer.successful) == (verdict, False)


def test_a_fee_bump_of_a_used_number_is_refused_by_name(chain: Chain) -> None:
    envelope = chain.signed(chain.pay(chain.issuer))
    chain.gateway.submit(envelope)
    bump = envelopes.fee_bump(envelope, chain.issuer, 400, TESTNET_PASSPHRASE)
    assert refusal(chain, chain.sign(bump)).code == "tx_bad_seq"


def test_what_is_no_transaction_is_refused_as_malformed(chain: Chain) -> None:
    assert refusal(chain, "AAAA") == Verdict("transaction_malformed")
    answer = chain.gateway.submit_async("AAAA")
    assert (answer.status, answer.verdict) == ("refused", Verdict("transaction_malformed"))


# -- without waiting --------------------------------------------------------------------------


def test_an_envelope_is_pending_then_a_duplicate_then_in_a_ledger() -> None:
    with Sandbox(close_every_s=0, close_on_submit=True) as running:
        chain = Chain(running)
        running.close_on_submit = False
        first, second = (chain.signed(chain.pay(chain.issuer, amount)) for amount in (1, 2))
        submitted = [chain.gateway.submit_async(each).status for each in (first, first, second)]
        assert submitted == ["pending", "duplicate", "try_again_later"]
        assert chain.gateway.transaction(hash_of(first)) is None
        chain.knob("close")
        found = chain.gateway.transaction(hash_of(first))
        assert found is not None
        assert found.successful
        assert chain.gateway.transaction(hash_of(second)) is None


@dataclass
class Shut:
    """A door that is not there, or is kept shut; it counts who knocked."""

    status: str = "404 Not Found"
    knocks: list[str] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        self.knocks.append(environ["REQUEST_METHOD"])
        start_response(self.status, [("Location", "/"), ("Content-Type", "text/plain")])
        return [b"no"]


@pytest.fixture
def shut() -> Shut:
    return Shut()


@pytest.fixture
def old_chain(shut: Shut) -> Iterator[Chain]:
    """A network whose Horizon has no asynchronous door."""
    mounts = {"/transactions_async": shut}
    with Sandbox(close_every_s=1, close_on_submit=True, mounts=mounts) as running:
        yield Chain(running)


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden"])
def test_without_an_asynchronous_door_the_other_one_is_taken(
    old_chain: Chain, shut: Shut, status: str
) -> None:
    shut.status = status
    envelope = old_chain.signed(old_chain.pay(old_chain.issuer))
    answer = old_chain.gateway.submit_async(envelope)
    assert answer.status == "applied"
    assert answer.transaction is not None
    assert answer.transaction.hash == hash_of(envelope)
    bad = old_chain.signed(old_chain.pay(old_chain.new()))
    refused = old_chain.gateway.submit_async(bad)
    assert refused.status == "refused"
    assert refused.verdict is not None
    assert refused.verdict.operation_codes == ("op_no_destination",)
    assert shut.knocks == ["POST", "POST"]


@pytest.mark.parametrize(
    "status",
    ["200 OK", "202 Accepted", "301 Moved", "307 Moved", "405 No", "409 Conflict", "502 Bad"],
)
def test_any_other_answer_at_the_asynchronous_door_leaves_the_outcome_open(
    old_chain: Chain, shut: Shut, status: str
) -> None:
    shut.status = status
    envelope = old_chain.signed(old_chain.pay(old_chain.issuer))
    with pytest.raises(Unavailable):
        old_chain.gateway.submit_async(envelope)
    assert shut.knocks == ["POST"], "asked once, no redirect followed"
    assert old_chain.gateway.transaction(hash_of(envelope)) is None


# -- misbehaviour -----------------------------------------------------------------------------

ANSWERS = ["503", "503-stale", "429", "500", "504-lost", "504-applied", "cut-lost", "cut-applied"]


@pytest.mark.parametrize("door", ["submit", "submit_async"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_promise_07_no_answer_is_unknown_and_the_hash_tells(
    chain: Chain, answer: str, door: str
) -> None:
    envelope = chain.signed(chain.pay(chain.issuer))
    chain.knob("misbehave", answer=answer)
    with pytest.raises(Unavailable):
        getattr(chain.gateway, door)(envelope)
    found = None
    for _ in range(50 if answer.endswith("applied") else 3):
        found = found or chain.gateway.transaction(hash_of(envelope))
        time.sleep(0 if found else 0.02)
    assert (found is not None) == answer.endswith("applied"), "a hidden second try would be found"
    assert chain.gateway.submit(envelope).successful


def test_promise_06_a_wrong_bad_seq_does_not_hide_what_is_in_a_ledger(chain: Chain) -> None:
    envelope = chain.signed(chain.pay(chain.issuer))
    chain.gateway.submit(envelope)
    chain.knob("misbehave", answer="bad-seq", times=2)
    assert refusal(chain, envelope).code == "tx_bad_seq"
    answer = chain.gateway.submit_async(envelope)
    assert answer.verdict is not None
    assert answer.verdict.code == "tx_bad_seq"
    found = chain.gateway.transaction(hash_of(envelope))
    assert found is not None
    assert found.successful


def test_a_busy_network_says_try_again_later(chain: Chain) -> None:
    envelope = chain.signed(chain.pay(chain.issuer))
    chain.knob("misbehave", answer="try-again-later", times=2)
    assert chain.gateway.submit_async(envelope) == SubmitAnswer("try_again_later")
    with pytest.raises(Unavailable):
        chain.gateway.submit(envelope)
    assert chain.gateway.transaction(hash_of(envelope)) is None


def test_a_network_that_ingests_nothing_leaves_the_outcome_open_until_it_does(
    sandbox: Sandbox,
) -> None:
    chain = Chain(sandbox)
    chain.gateway = HorizonGateway(sandbox.url, TESTNET_PASSPHRASE, submit_timeout_s=1)
    envelope = chain.signed(chain.pay(chain.issuer))
    chain.knob("freeze")
    with pytest.raises(Unavailable):
        chain.gateway.submit(envelope)
    assert chain.gateway.transaction(hash_of(envelope)) is None, "although it is in a ledger"
    chain.knob("thaw")
    found = chain.gateway.transaction(hash_of(envelope))
    assert found is not None
    assert found.successful


def test_nobody_is_asked_where_nobody_listens() -> None:
    with pytest.raises(Unavailable):
        HorizonGateway("http://127.0.0.1:9", TESTNET_PASSPHRASE).submit_async("AAAA")
