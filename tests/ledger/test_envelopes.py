"""What is built is what was ordered: to stellar_sdk, and to a ledger over HTTP."""

import time
import traceback
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stellar_sdk import (
    Asset,
    ChangeTrust,
    ClaimClaimableBalance,
    CreateAccount,
    CreateClaimableBalance,
    FeeBumpTransactionEnvelope,
    Keypair,
    MuxedAccount,
    Payment,
    TransactionEnvelope,
)
from stellar_sdk import Signer as SdkSigner
from stellar_sdk.memo import HashMemo, IdMemo, NoneMemo, ReturnHashMemo, TextMemo

from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Rejected
from anchor.ledger import envelopes
from anchor.ledger.envelopes import build
from anchor.ledger.gateway import LedgerAccount, Signature, Signer, SubmissionFailed, Verdict
from anchor.ledger.keys import account_of, channel_keys, is_signed, sign
from anchor.ledger.orders import LedgerOrder
from anchor.money import MAX_STROOPS, to_stroops
from tests.ledger.chain import XLM, Chain

ALICE, BOB, ISSUER, CHANNEL, EVE = (
    Keypair.from_raw_ed25519_seed(bytes([n] * 32)) for n in range(5)
)
USD = f"USD:{ISSUER.public_key}"
SOON = 2_000_000_000
OPTIONS: dict[str, Any] = {
    "fee_per_operation": 100,
    "max_time": SOON,
    "passphrase": TESTNET_PASSPHRASE,
}


def _fits(text: str) -> bool:
    try:
        return len(text.encode()) <= 28
    except UnicodeEncodeError:
        return False


accounts = st.sampled_from([key.public_key for key in (ALICE, BOB, EVE)])
muxed = st.builds(
    lambda account, number: MuxedAccount(account, number).account_muxed,
    accounts,
    st.integers(0, 2**64 - 1),
)
amounts = st.integers(1, MAX_STROOPS)
assets = st.sampled_from(["native", USD, f"LONGCODE1234:{ISSUER.public_key}"])
orders = st.one_of(
    st.builds(LedgerOrder, st.just("payment"), accounts | muxed, assets, amounts),
    st.builds(LedgerOrder, st.just("create_account"), accounts, amount=amounts),
    st.builds(LedgerOrder, st.just("establish"), accounts | muxed, starting_balance=amounts),
    st.builds(
        LedgerOrder,
        st.just("claimable_balance"),
        accounts,
        assets,
        amounts,
        reclaim_at=st.integers(1, MAX_STROOPS),
    ),
    st.builds(
        LedgerOrder,
        st.just("claim"),
        balance_id=st.binary(min_size=32, max_size=32).map(lambda raw: "00000000" + raw.hex()),
    ),
    st.builds(LedgerOrder, st.just("trust"), asset=assets.filter(lambda asset: asset != "native")),
)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
memos = st.one_of(
    st.just(("none", None)),
    st.tuples(st.just("id"), st.integers(0, 2**64 - 1).map(str)),
    st.tuples(st.just("text"), st.text(min_size=1).filter(_fits)),
    st.tuples(st.sampled_from(["hash", "return"]), hashes),
)


def parsed(envelope_xdr: str) -> TransactionEnvelope:
    return TransactionEnvelope.from_xdr(envelope_xdr, TESTNET_PASSPHRASE)


def built(*wanted: LedgerOrder, **more: Any) -> envelopes.Unsigned:
    return build(CHANNEL.public_key, 7, ISSUER.public_key, wanted, **(OPTIONS | more))


def payment(amount: int = 1, destination: str = ALICE.public_key) -> LedgerOrder:
    return LedgerOrder("payment", destination, "native", amount)


@given(
    wanted=st.lists(orders, min_size=1, max_size=100),
    sequence=st.integers(1, MAX_STROOPS),
    fee=st.integers(1, 40_000_000),
    max_time=st.integers(1, MAX_STROOPS),
    channel=st.sampled_from([CHANNEL.public_key, ISSUER.public_key]),
)
@settings(deadline=None, max_examples=60)
def test_what_is_built_is_read_back_the_same(
    wanted: list[LedgerOrder], sequence: int, fee: int, max_time: int, channel: str
) -> None:
    made = build(
        channel,
        sequence,
        ISSUER.public_key,
        wanted,
        fee_per_operation=fee,
        max_time=max_time,
        passphrase=TESTNET_PASSPHRASE,
    )
    envelope = parsed(made.envelope_xdr)
    transaction = envelope.transaction
    assert (
        envelope.hash_hex() == made.hash == envelopes.hash_of(made.envelope_xdr, TESTNET_PASSPHRASE)
    )
    assert transaction.source.universal_account_id == channel
    assert transaction.sequence == sequence
    assert transaction.fee == made.fee == fee * len(wanted)
    assert transaction.preconditions is not None
    bounds = transaction.preconditions.time_bounds
    assert bounds is not None
    assert (bounds.min_time, bounds.max_time) == (0, max_time)
    assert set(made.sources) == {channel, ISSUER.public_key}
    for order, operation in zip(wanted, transaction.operations, strict=True):
        own = operation.source.account_id if operation.source else None
        assert own == (None if channel == ISSUER.public_key else ISSUER.public_key)
        assert carries_out(operation, order)


def carries_out(operation: Any, order: LedgerOrder) -> bool:
    """Tell whether an operation does what was ordered of the issuer, and nothing else."""
    if order.form == "payment":
        return (
            isinstance(operation, Payment)
            and operation.destination.universal_account_id == order.destination
            and named(operation.asset) == order.asset
            and stroops(operation.amount) == order.amount
        )
    if order.form in {"create_account", "establish"}:
        return (
            isinstance(operation, CreateAccount)
            and operation.destination == MuxedAccount.from_account(order.destination).account_id
            and stroops(operation.starting_balance) == order.amount + order.starting_balance
        )
    if order.form == "claim":
        return (
            isinstance(operation, ClaimClaimableBalance)
            and operation.balance_id == order.balance_id
        )
    if order.form == "trust":
        return (
            isinstance(operation, ChangeTrust)
            and named(operation.asset) == order.asset
            and stroops(operation.limit) == MAX_STROOPS
        )
    user, anchor = operation.claimants
    return (
        isinstance(operation, CreateClaimableBalance)
        and (user.destination, anchor.destination) == (order.destination, ISSUER.public_key)
        and user.predicate.abs_before == order.reclaim_at
        and anchor.predicate.not_predicate == user.predicate
        and named(operation.asset) == order.asset
        and stroops(operation.amount) == order.amount
    )


def named(asset: Asset) -> str:
    return "native" if asset.is_native() else f"{asset.code}:{asset.issuer}"


def stroops(amount: str) -> int:
    return to_stroops(Decimal(amount))


@given(memo=memos)
@settings(deadline=None)
def test_each_kind_of_memo_is_carried_as_it_is(memo: tuple[str, str | None]) -> None:
    kind, text = memo
    found = parsed(built(payment(), memo_type=kind, memo=text).envelope_xdr).transaction.memo
    kinds = {
        "none": NoneMemo,
        "id": IdMemo,
        "text": TextMemo,
        "hash": HashMemo,
        "return": ReturnHashMemo,
    }
    assert type(found) is kinds[kind]
    if isinstance(found, IdMemo):
        assert str(found.memo_id) == text
    elif isinstance(found, TextMemo):
        assert found.memo_text.decode() == text
    elif isinstance(found, HashMemo | ReturnHashMemo):
        carried = found.memo_hash if isinstance(found, HashMemo) else found.memo_return
        assert carried.hex() == text


MUXED = MuxedAccount(ALICE.public_key, 5).account_muxed
assert MUXED is not None
HASH = "ab" * 32


@pytest.mark.parametrize(
    ("wanted", "options", "said"),
    [
        ([], {}, "1 to 100"),
        ([payment()] * 101, {}, "1 to 100"),
        ([payment()] * 2, {"memo_type": "id", "memo": "5"}, "one order only"),
        ([payment(0)], {}, "amount"),
        ([payment(-1)], {}, "amount"),
        ([payment(2**63)], {}, "amount"),
        ([payment(destination="GABC")], {}, "a destination is"),
        ([payment(destination=ALICE.secret)], {}, "a destination is"),
        ([LedgerOrder("payment", ALICE.public_key, "USD", 1)], {}, "written as G"),
        ([LedgerOrder("payment", ALICE.public_key, f"U$D:{ISSUER.public_key}", 1)], {}, "CODE"),
        ([LedgerOrder("gift", ALICE.public_key, "native", 1)], {}, "gift is not a form"),
        ([LedgerOrder("create_account", MUXED, amount=1)], {}, "written as G"),
        ([LedgerOrder("create_account", ALICE.public_key, USD, 1)], {}, "with lumens"),
        ([LedgerOrder("establish", ALICE.public_key, amount=1)], {}, "nothing else"),
        ([LedgerOrder("claimable_balance", ALICE.public_key, USD, 1)], {}, "taken back"),
        (
            [LedgerOrder("claimable_balance", MUXED, USD, 1, reclaim_at=SOON)],
            {},
            "written as G",
        ),
        (
            [LedgerOrder("claimable_balance", ISSUER.public_key, USD, 1, reclaim_at=SOON)],
            {},
            "the account that pays it",
        ),
        ([LedgerOrder("claim", balance_id="00")], {}, "72 hex digits"),
        ([LedgerOrder("trust")], {}, "lumens need no trust line"),
        ([payment()], {"sequence": 0}, "sequence number"),
        ([payment()], {"max_time": 0}, "time"),
        ([payment()], {"fee_per_operation": 0}, "fee"),
        ([payment()], {"fee_per_operation": 2**32}, "fee"),
        ([payment()], {"channel": MUXED}, "written as G"),
        ([payment()], {"source": MUXED}, "written as G"),
        ([payment()], {"memo_type": "none", "memo": "5"}, "a memo of type none"),
        ([payment()], {"memo_type": "id"}, "without its text"),
        ([payment()], {"memo_type": "id", "memo": "-1"}, "a memo of type id"),
        ([payment()], {"memo_type": "id", "memo": str(2**64)}, "a memo of type id"),
        ([payment()], {"memo_type": "id", "memo": "٣"}, "a memo of type id"),
        ([payment()], {"memo_type": "text", "memo": "ü" * 15}, "a memo of type text"),
        ([payment()], {"memo_type": "hash", "memo": HASH.upper()}, "a memo of type hash"),
        ([payment()], {"memo_type": "return", "memo": HASH[:-1]}, "a memo of type return"),
        ([payment()], {"memo_type": "pigeon", "memo": "5"}, "a memo of type pigeon"),
    ],
)
def test_what_no_ledger_would_take_is_refused_with_a_sentence(
    wanted: list[LedgerOrder], options: dict[str, Any], said: str
) -> None:
    given_ = {"channel": CHANNEL.public_key, "sequence": 7, "source": ISSUER.public_key} | OPTIONS
    with pytest.raises(Rejected, match=said) as caught:
        build(orders=wanted, **(given_ | options))
    assert ALICE.secret not in str(caught.value)


# -- fee bumps and signatures ---------------------------------------------------------------


def signed(unsigned: envelopes.Unsigned, *keys: Keypair) -> str:
    payload = bytes.fromhex(unsigned.hash)
    found = [sign(key.secret, payload) for key in keys]
    return envelopes.add_signatures(unsigned.envelope_xdr, found, TESTNET_PASSPHRASE)


@given(count=st.integers(1, 100), fee=st.integers(1, 10**7), extra=st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_a_fee_bump_keeps_the_transaction_inside(count: int, fee: int, extra: int) -> None:
    made = built(*[payment()] * count, fee_per_operation=fee)
    envelope = signed(made, CHANNEL, ISSUER)
    least = envelopes.least_bump_fee(envelope, fee, TESTNET_PASSPHRASE)
    assert least == fee * (count + 1)
    bump = envelopes.fee_bump(envelope, EVE.public_key, least + extra, TESTNET_PASSPHRASE)
    read = FeeBumpTransactionEnvelope.from_xdr(bump.envelope_xdr, TESTNET_PASSPHRASE)
    assert read.transaction.inner_transaction_envelope == parsed(envelope)
    assert (read.transaction.fee, bump.fee) == (least + extra, least + extra)
    assert bump.hash == read.hash_hex() != made.hash
    assert bump.sources == (EVE.public_key,)
    assert envelopes.hash_of(bump.envelope_xdr, TESTNET_PASSPHRASE) == bump.hash
    assert envelopes.inner_hash_of(bump.envelope_xdr, TESTNET_PASSPHRASE) == made.hash
    assert envelopes.inner_hash_of(envelope, TESTNET_PASSPHRASE) == made.hash
    again = envelopes.fee_bump(bump.envelope_xdr, EVE.public_key, least * 2, TESTNET_PASSPHRASE)
    assert envelopes.inner_hash_of(again.envelope_xdr, TESTNET_PASSPHRASE) == made.hash


def test_a_bump_that_no_ledger_takes_is_refused() -> None:
    made = built(payment())
    with pytest.raises(Rejected, match="signed transaction"):
        envelopes.fee_bump(made.envelope_xdr, EVE.public_key, 1000, TESTNET_PASSPHRASE)
    with pytest.raises(Rejected, match="above"):
        envelopes.fee_bump(signed(made, ISSUER), EVE.public_key, 199, TESTNET_PASSPHRASE)


def test_a_signature_of_something_else_is_refused_and_a_second_time_changes_nothing() -> None:
    made, other = built(payment()), built(payment(2))
    once = signed(made, ISSUER)
    assert signed(replace(made, envelope_xdr=once), ISSUER) == once
    strange = sign(ISSUER.secret, bytes.fromhex(other.hash))
    for wrong in (strange, Signature("GABC", b"x" * 64), Signature(ISSUER.public_key, b"x")):
        with pytest.raises(Rejected, match="not one of this envelope"):
            envelopes.add_signatures(once, [wrong], TESTNET_PASSPHRASE)
    keys = [ALICE.public_key, ISSUER.public_key]
    (found,) = envelopes.signatures_in(once, keys, TESTNET_PASSPHRASE)
    assert found == sign(ISSUER.secret, bytes.fromhex(made.hash))


def ledger_account(key: Keypair, medium: int, *signers: tuple[Keypair, int]) -> LedgerAccount:
    return LedgerAccount(
        account_id=key.public_key,
        sequence=1,
        balances=(),
        signers=tuple(
            Signer(signer.public_key, "ed25519_public_key", weight) for signer, weight in signers
        ),
        low_threshold=1,
        med_threshold=medium,
        high_threshold=medium,
        subentry_count=0,
    )


def test_an_account_of_several_signers_has_signed_enough_at_its_medium_threshold() -> None:
    made = built(payment())
    known = {
        CHANNEL.public_key: ledger_account(CHANNEL, 0, (CHANNEL, 1)),
        ISSUER.public_key: ledger_account(ISSUER, 2, (ISSUER, 0), (ALICE, 1), (BOB, 1), (EVE, 1)),
    }

    def enough(*keys: Keypair) -> bool:
        return envelopes.is_signed_enough(signed(made, *keys), known, TESTNET_PASSPHRASE)

    assert not enough(CHANNEL)
    assert not enough(CHANNEL, ALICE)
    assert not enough(CHANNEL, ALICE, ISSUER), "the master key weighs nothing"
    assert not enough(ALICE, BOB), "the channel has to sign too"
    assert enough(CHANNEL, ALICE, BOB)
    assert not envelopes.is_signed_enough(
        signed(made, CHANNEL, ALICE, BOB),
        {CHANNEL.public_key: known[CHANNEL.public_key]},
        TESTNET_PASSPHRASE,
    ), "an account that is not known"
    slim = envelopes.without_surplus(
        signed(made, ISSUER, ALICE, CHANNEL, BOB, EVE), known, TESTNET_PASSPHRASE
    )
    assert slim == signed(made, ALICE, CHANNEL, BOB)
    with pytest.raises(Rejected, match="not signed enough"):
        envelopes.without_surplus(signed(made, CHANNEL, ALICE), known, TESTNET_PASSPHRASE)


def test_a_bump_and_a_claim_need_the_low_threshold_only() -> None:
    claim = LedgerOrder("claim", balance_id="0" * 72)
    made = built(claim)
    known = {
        CHANNEL.public_key: ledger_account(CHANNEL, 2, (CHANNEL, 1)),
        ISSUER.public_key: ledger_account(ISSUER, 2, (ISSUER, 1)),
        EVE.public_key: ledger_account(EVE, 2, (EVE, 1)),
    }
    both = signed(made, CHANNEL, ISSUER)
    assert envelopes.is_signed_enough(both, known, TESTNET_PASSPHRASE)
    paid = signed(built(payment()), CHANNEL, ISSUER)
    assert not envelopes.is_signed_enough(paid, known, TESTNET_PASSPHRASE)
    bump = envelopes.fee_bump(both, EVE.public_key, 1000, TESTNET_PASSPHRASE)
    assert not envelopes.is_signed_enough(bump.envelope_xdr, known, TESTNET_PASSPHRASE)
    assert envelopes.is_signed_enough(signed(bump, EVE), known, TESTNET_PASSPHRASE)


@pytest.mark.parametrize("text", ["", "AAAA", "no", "\ud800", "AAAAAgAAAAB"])
def test_what_is_no_envelope_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        envelopes.hash_of(text, TESTNET_PASSPHRASE)


# -- keys -----------------------------------------------------------------------------------


def test_the_keys_of_a_channel_never_change() -> None:
    """Pinned: other keys would leave the lumens of every channel behind."""
    secret = "SAMPLE secret of an anchor"
    first, second = channel_keys(secret, 0), channel_keys(secret, 1)
    assert first.account == "GAZOSKQD5CZQNWYBQK7BEMNZ2RSHRQ6332K5O6M457XMQ2RG3WPL5LF4"
    assert second.account == "GBNBAWOD6KI7LLJY56RG6X2SSESSALVFU3BAHDAFTAM66BRQANOAO4UD"
    assert first.account == account_of(first.secret)
    assert first.secret not in repr(first)


@pytest.mark.parametrize(("secret", "number"), [("", 0), ("x", -1), ("x", 2**31)])
def test_a_channel_needs_a_secret_and_a_number(secret: str, number: int) -> None:
    with pytest.raises(Rejected, match="a channel has"):
        channel_keys(secret, number)


def test_a_signature_is_by_its_key_over_its_payload_only() -> None:
    signature = sign(ALICE.secret, b"payload")
    assert is_signed(signature, b"payload")
    assert not is_signed(signature, b"another")
    assert not is_signed(replace(signature, key=BOB.public_key), b"payload")


def test_a_broken_secret_is_refused_and_never_shown() -> None:
    broken = ALICE.secret[:-1] + "7"
    for act in (lambda: account_of(broken), lambda: sign(broken, b"")):
        with pytest.raises(Rejected) as caught:
            act()
        shown = "".join(traceback.format_exception(caught.value))
        assert broken not in shown


# -- the ledger -----------------------------------------------------------------------------


def test_the_ledger_takes_every_form(chain: Chain) -> None:
    channel, alice, there = chain.account(), chain.new(), chain.account()
    to_muxed = MuxedAccount(there, 2**64 - 1).account_muxed
    assert to_muxed is not None
    reclaim_at = int(time.time()) + 1000
    envelope = chain.signed(
        LedgerOrder("create_account", alice, amount=20 * XLM),
        LedgerOrder("establish", chain.new(), starting_balance=2 * XLM),
        chain.pay(alice, 5),
        chain.pay(to_muxed, 7),
        LedgerOrder("claimable_balance", alice, chain.asset, 3 * XLM, reclaim_at=reclaim_at),
        channel=channel,
    )
    before = chain.sequence(chain.treasury)
    taken = chain.gateway.submit(envelope)
    assert taken.successful
    assert taken.hash == envelopes.hash_of(envelope, TESTNET_PASSPHRASE)
    assert taken.fee_charged == 500
    assert chain.sequence(chain.treasury) == before, "only the channel's number was used"
    found = chain.gateway.account(alice)
    assert found is not None
    assert found.balances[0].amount == 20 * XLM + 5


def test_a_hundred_payments_fit_into_one_transaction(chain: Chain) -> None:
    channel, there = chain.account(), chain.account()
    taken = chain.gateway.submit(chain.signed(*[chain.pay(there)] * 100, channel=channel))
    assert taken.verdict.operation_codes == ("op_success",) * 100
    assert taken.fee_charged == 100 * 100


@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(wanted=st.lists(amounts.map(lambda a: a % XLM + 1), min_size=1, max_size=4), memo=memos)
def test_whatever_is_built_the_ledger_takes_and_says_the_same(
    chain: Chain, wanted: list[int], memo: tuple[str, str | None]
) -> None:
    kind, text = memo if len(wanted) == 1 else ("none", None)
    made = chain.build(
        *(chain.pay(chain.issuer, amount) for amount in wanted), memo_type=kind, memo=text
    )
    taken = chain.gateway.submit(chain.sign(made))
    assert taken.hash == made.hash
    page = chain.gateway.payments_page(chain.issuer, chain.gateway.newest_cursor(chain.issuer))
    assert page.payments == ()
    start = str((taken.ledger << 32) - 1)
    arrived = chain.gateway.payments_page(chain.issuer, start).payments
    arrived = tuple(each for each in arrived if each.transaction_hash == made.hash)
    assert [each.amount for each in arrived] == wanted
    if text is not None and "\0" in text:
        kind, text = "bytes", text.encode().hex()
    assert {(each.memo_type, each.memo) for each in arrived} == {(kind, text)}


def test_a_claimable_balance_is_the_users_until_a_moment_and_ours_from_then_on(
    chain: Chain,
) -> None:
    user, now = chain.account(), int(time.time())
    chain.trust(user)
    order = LedgerOrder("claimable_balance", user, chain.asset, XLM, reclaim_at=now + 1000)
    envelope = chain.signed(order, order)
    mine, theirs = (
        envelopes.claimable_balance_id(envelope, index, TESTNET_PASSPHRASE) for index in (0, 1)
    )
    chain.gateway.submit(envelope)
    found = chain.gateway.claimable_balance(mine)
    assert found is not None
    assert (found.amount, found.asset) == (XLM, chain.asset)
    assert [claimant.account for claimant in found.claimants] == [user, chain.treasury]
    assert chain.gateway.balance_end(mine) is None

    def claim(who: str, balance_id: str) -> str:
        made = chain.signed(
            LedgerOrder("claim", balance_id=balance_id), source=who, max_time=now + 9000
        )
        try:
            return chain.gateway.submit(made).verdict.code
        except SubmissionFailed as failed:
            return failed.verdict.operation_codes[0]

    assert claim(chain.treasury, mine) == "op_cannot_claim"
    assert claim(user, theirs) == "tx_success"
    chain.knob("clock", seconds=1001)
    assert claim(user, mine) == "op_cannot_claim"
    assert claim(chain.treasury, mine) == "tx_success"
    for balance_id, who in ((mine, chain.treasury), (theirs, user)):
        assert chain.gateway.claimable_balance(balance_id) is None
        end = chain.gateway.balance_end(balance_id)
        assert end is not None
        assert (end.how, end.account) == ("claimed", who)


def test_the_ledger_takes_a_bump_of_what_is_stuck(chain: Chain) -> None:
    there = chain.account()
    chain.knob("surge", stroops=1000)
    envelope = chain.signed(chain.pay(there))
    with pytest.raises(SubmissionFailed) as caught:
        chain.gateway.submit(envelope)
    assert caught.value.verdict == Verdict("tx_insufficient_fee", fee_charged=1000)
    fee = envelopes.least_bump_fee(envelope, 1000, TESTNET_PASSPHRASE)
    bump = envelopes.fee_bump(envelope, chain.issuer, fee, TESTNET_PASSPHRASE)
    taken = chain.gateway.submit(chain.sign(bump))
    inner = envelopes.inner_hash_of(envelope, TESTNET_PASSPHRASE)
    assert (taken.hash, taken.inner_hash) == (bump.hash, inner)
    assert taken.verdict.code == "tx_success"
    assert taken.fee_charged <= fee


def test_an_account_of_three_signers_pays_once_two_have_signed(chain: Chain) -> None:
    second, third, channel = chain.new(), chain.new(), chain.account()

    def share(builder: Any) -> None:
        builder.append_set_options_op(signer=SdkSigner.ed25519_public_key(second, 1))
        builder.append_set_options_op(
            signer=SdkSigner.ed25519_public_key(third, 1),
            low_threshold=2,
            med_threshold=2,
            high_threshold=2,
        )

    chain.do(chain.treasury, share)
    made = chain.build(chain.pay(channel), channel=channel)
    ids = (chain.treasury, channel)
    known = {each: account for each in ids if (account := chain.gateway.account(each))}
    envelope = chain.sign(made)
    assert not envelopes.is_signed_enough(envelope, known, TESTNET_PASSPHRASE)
    with pytest.raises(SubmissionFailed) as caught:
        chain.gateway.submit(envelope)
    assert caught.value.verdict.operation_codes == ("op_bad_auth",)
    crowded = chain.sign(made, second, third)
    with pytest.raises(SubmissionFailed) as caught:
        chain.gateway.submit(crowded)
    assert caught.value.verdict.code == "tx_bad_auth_extra"
    slim = envelopes.without_surplus(crowded, known, TESTNET_PASSPHRASE)
    assert envelopes.is_signed_enough(slim, known, TESTNET_PASSPHRASE)
    assert chain.gateway.submit(slim).successful
