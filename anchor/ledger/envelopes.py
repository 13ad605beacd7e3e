"""Envelopes of what the anchor does on the ledger: built, bumped, signed, and recognised.

Pure functions: nothing here asks a network, and no value of an SDK leaves. Amounts and
fees are stroops, times are unix seconds, envelopes are base-64 XDR, hashes are lower-case
hex. Whatever cannot be built or read is `Rejected`. Stellar: transactions, fee bumps
(CAP-15), trust line flags (CAP-35), claimable balances (CAP-23), muxed accounts (SEP-23).
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from stellar_sdk import (
    ClaimClaimableBalance,
    DecoratedSignature,
    FeeBumpTransaction,
    FeeBumpTransactionEnvelope,
    HashMemo,
    IdMemo,
    Keypair,
    NoneMemo,
    Preconditions,
    ReturnHashMemo,
    SetTrustLineFlags,
    TextMemo,
    TimeBounds,
    Transaction,
    TransactionEnvelope,
)
from stellar_sdk.memo import Memo

from anchor.errors import Rejected
from anchor.ledger.gateway import LedgerAccount, Signature
from anchor.ledger.invocations import declared
from anchor.ledger.keys import is_signed
from anchor.ledger.operations import account_of, operations_of
from anchor.ledger.orders import LedgerOrder, Unsigned
from anchor.money import MAX_STROOPS

MAX_OPERATIONS = 100
MAX_SIGNATURES = 20
_FEE_MAX = 2**32 - 1
_HASH = re.compile(r"[0-9a-f]{64}")
_TEXT_MAX = 28
#: Operations for which the low threshold of their source suffices.
_LIGHT = (ClaimClaimableBalance, SetTrustLineFlags)

Envelope = TransactionEnvelope | FeeBumpTransactionEnvelope


def build(
    channel: str,
    sequence: int,
    source: str,
    orders: Sequence[LedgerOrder],
    *,
    memo_type: str = "none",
    memo: str | None = None,
    fee_per_operation: int,
    max_time: int,
    passphrase: str,
) -> Unsigned:
    """Build a transaction of `channel` whose operations are those of `source`.

    Those that authorize trust lines are of their issuers, who have to sign, too. `sequence` is
    the transaction's own number: one more than the channel has used. It is valid in ledgers
    that close until `max_time`. A memo goes with a single order only: `memo_type` is ``none``,
    ``id`` (decimal), ``text`` (28 bytes), ``hash`` or ``return`` (64 hex digits). A payment to a
    contract goes alone and without a memo; `invocations.with_resources` completes its envelope.
    Raises `Rejected` with what is wrong.
    """
    count = _demand_company(orders, memo_type)
    if not 0 < sequence <= MAX_STROOPS or not 0 < max_time <= MAX_STROOPS:
        raise Rejected("a sequence number or a time that no ledger can hold")
    fee = fee_per_operation * count
    if not 0 < fee <= _FEE_MAX:
        raise Rejected("a fee that no transaction can offer")
    with _sentences("the transaction cannot be built"):
        transaction = Transaction(
            source=account_of(channel),
            sequence=sequence,
            fee=fee,
            operations=[
                operation
                for order in orders
                for operation in operations_of(
                    order, account_of(source), account_of(channel), passphrase
                )
            ],
            memo=_memo(memo_type, memo),
            preconditions=Preconditions(time_bounds=TimeBounds(0, max_time)),
        )
        envelope = TransactionEnvelope(transaction, passphrase)
        issuers = (order.issuer for order in orders if order.issuer)
        sources = tuple(dict.fromkeys((channel, source, *issuers)))
        return Unsigned(envelope.to_xdr(), envelope.hash_hex(), fee, sources)


def _demand_company(orders: Sequence[LedgerOrder], memo_type: str) -> int:
    """Return how many operations the orders are; `Rejected` where they cannot go together."""
    count = sum(order.operations for order in orders)
    if not 1 <= count <= MAX_OPERATIONS:
        raise Rejected(f"a transaction takes 1 to {MAX_OPERATIONS} operations")
    if memo_type != "none" and len(orders) > 1:
        raise Rejected("a memo is for one order only")
    if any(order.calls_contract for order in orders) and (count > 1 or memo_type != "none"):
        raise Rejected("a call of a contract goes alone in its transaction, and without a memo")
    return count


def fee_bump(envelope_xdr: str, fee_source: str, fee: int, passphrase: str) -> Unsigned:
    """Wrap a signed transaction so that `fee_source` offers up to `fee` stroops for all of it.

    Of a fee bump the transaction inside is wrapped anew: its hash stays, and only one of
    the two can ever be in a ledger. Raises `Rejected` where the transaction is not signed
    or the fee is below `least_bump_fee`.
    """
    inner = _inner(_read(envelope_xdr, passphrase))
    if not inner.signatures:
        raise Rejected("a fee bump is for a signed transaction")
    if not least_bump_fee(envelope_xdr, 0, passphrase) <= fee <= MAX_STROOPS:
        raise Rejected("the fee of a bump has to be above that of the transaction inside")
    with _sentences("the fee bump cannot be built"):
        bump = FeeBumpTransaction(account_of(fee_source), fee, inner)
        envelope = FeeBumpTransactionEnvelope(bump, passphrase)
        return Unsigned(envelope.to_xdr(), envelope.hash_hex(), fee, (fee_source,))


def least_bump_fee(envelope_xdr: str, fee_per_operation: int, passphrase: str) -> int:
    """Return the lowest fee in stroops for which a bump is taken (CAP-15).

    It pays `fee_per_operation` for each operation and one more, and for each of them no
    less than the transaction inside offered. What a call of a contract takes for its resources
    comes on top, and is no part of what is offered (CAP-46-07).
    """
    transaction = _inner(_read(envelope_xdr, passphrase)).transaction
    count, resources = len(transaction.operations), declared(transaction)
    inherited = -(-(transaction.fee - resources) * (count + 1) // count)
    return max(inherited, fee_per_operation * (count + 1)) + resources


def hash_of(envelope_xdr: str, passphrase: str) -> str:
    """Return the hash under which a ledger would have the envelope; the outer one of a bump."""
    return _read(envelope_xdr, passphrase).hash_hex()


def inner_hash_of(envelope_xdr: str, passphrase: str) -> str:
    """Return the hash of the transaction inside a fee bump, and without one its own."""
    return _inner(_read(envelope_xdr, passphrase)).hash_hex()


def claimable_balance_id(envelope_xdr: str, index: int, passphrase: str) -> str:
    """Return the id (72 hex digits) of the balance that operation `index` (from 0) creates.

    It is known before the transaction is submitted, and a fee bump does not change it.
    """
    transaction = _inner(_read(envelope_xdr, passphrase)).transaction
    with _sentences("no claimable balance is made there"):
        return transaction.get_claimable_balance_id(index)


def signatures_in(envelope_xdr: str, keys: Iterable[str], passphrase: str) -> tuple[Signature, ...]:
    """Return those signatures of the envelope (of a bump: the outer ones) that are by `keys`."""
    envelope = _read(envelope_xdr, passphrase)
    payload, known = envelope.hash(), tuple(keys)
    found = [_owner(signature, known, payload) for signature in envelope.signatures]
    return tuple(signature for signature in found if signature is not None)


def add_signatures(envelope_xdr: str, signatures: Iterable[Signature], passphrase: str) -> str:
    """Return the envelope with `signatures` added; those that it has already are left out.

    Raises `Rejected` for one that does not sign this envelope (of a bump: the outer one),
    and for more than the ledger takes.
    """
    envelope = _read(envelope_xdr, passphrase)
    payload = envelope.hash()
    for signature in signatures:
        if not is_signed(signature, payload):
            raise Rejected(f"the signature by {signature.key} is not one of this envelope")
        hint = Keypair.from_public_key(signature.key).signature_hint()
        decorated = DecoratedSignature(hint, signature.value)
        if decorated not in envelope.signatures:
            envelope.signatures.append(decorated)
    if len(envelope.signatures) > MAX_SIGNATURES:
        raise Rejected(f"an envelope takes {MAX_SIGNATURES} signatures at most")
    return envelope.to_xdr()


def is_signed_enough(
    envelope_xdr: str, accounts: Mapping[str, LedgerAccount], passphrase: str
) -> bool:
    """Tell whether the signatures reach the threshold of each account that has to sign.

    That is the low threshold for the transaction's own source (and for that of a fee
    bump), the medium one for an operation's source, the low one for claiming and for
    authorizing a trust line; at least one signature for each. Only ed25519 keys count. An
    account that is not among `accounts` has not signed enough.
    """
    return all(used is not None for used in _weighed(envelope_xdr, accounts, passphrase))


def without_surplus(
    envelope_xdr: str, accounts: Mapping[str, LedgerAccount], passphrase: str
) -> str:
    """Return the envelope without the signatures that its accounts do not need.

    The ledger refuses an envelope with a signature too many (``tx_bad_auth_extra``). Of a
    bump only the outer signatures are looked at. Raises `Rejected` for one that is not
    signed enough: which signatures it needs is not known yet.
    """
    used: set[int] = set()
    for each in _weighed(envelope_xdr, accounts, passphrase):
        if each is None:
            raise Rejected("the envelope is not signed enough yet")
        used |= each
    envelope = _read(envelope_xdr, passphrase)
    kept = enumerate(envelope.signatures)
    envelope.signatures = [signature for place, signature in kept if place in used]
    return envelope.to_xdr()


# -- weights --------------------------------------------------------------------------------


def _weighed(
    envelope_xdr: str, accounts: Mapping[str, LedgerAccount], passphrase: str
) -> Iterator[set[int] | None]:
    """Yield for each account and threshold the signatures that reach it, or None."""
    envelope = _read(envelope_xdr, passphrase)
    payload = envelope.hash()
    for account_id, level in dict.fromkeys(_demands(envelope)):
        account = accounts.get(account_id)
        yield None if account is None else _reached(envelope.signatures, payload, account, level)


def _demands(envelope: Envelope) -> Iterator[tuple[str, str]]:
    """Yield the accounts that have to sign, each with the threshold it is about."""
    if isinstance(envelope, FeeBumpTransactionEnvelope):
        yield envelope.transaction.fee_source.account_id, "low"
        return
    transaction = envelope.transaction
    yield transaction.source.account_id, "low"
    for operation in transaction.operations:
        level = "low" if isinstance(operation, _LIGHT) else "med"
        yield (operation.source or transaction.source).account_id, level


def _reached(
    signatures: Sequence[DecoratedSignature], payload: bytes, account: LedgerAccount, level: str
) -> set[int] | None:
    """Weigh as the ledger does: signature after signature, until the threshold is reached."""
    needed = max(account.low_threshold if level == "low" else account.med_threshold, 1)
    weights = {
        s.key: s.weight for s in account.signers if s.type == "ed25519_public_key" and s.weight
    }
    total, used = 0, set()
    for place, decorated in enumerate(signatures):
        owner = _owner(decorated, weights, payload)
        if owner is None:
            continue
        total += weights.pop(owner.key)
        used.add(place)
        if total >= needed:
            return used
    return None


def _owner(decorated: DecoratedSignature, keys: Iterable[str], payload: bytes) -> Signature | None:
    for key in keys:
        signature = Signature(key, decorated.signature)
        hint = Keypair.from_public_key(key).signature_hint()
        if hint == decorated.signature_hint and is_signed(signature, payload):
            return signature
    return None


# -- parts ----------------------------------------------------------------------------------


def _memo(kind: str, memo: str | None) -> Memo:
    if kind == "none" and memo is None:
        return NoneMemo()
    if memo is None:
        raise Rejected(f"a memo of type {kind} without its text")
    if kind == "id" and memo.isascii() and memo.isdigit() and int(memo) < 2**64:
        return IdMemo(int(memo))
    if kind == "text" and 0 < len(memo.encode()) <= _TEXT_MAX:
        return TextMemo(memo)
    if kind in {"hash", "return"} and _HASH.fullmatch(memo):
        return HashMemo(memo) if kind == "hash" else ReturnHashMemo(memo)
    raise Rejected(f"a memo of type {kind} that no transaction can carry")


@contextmanager
def _sentences(sentence: str) -> Iterator[None]:
    try:
        yield
    except Rejected:
        raise
    except Exception as error:  # the SDK raises whatever its parts do
        raise Rejected(f"{sentence}: {type(error).__name__}") from error


def _read(envelope_xdr: str, passphrase: str) -> Envelope:
    with _sentences("the envelope cannot be read"):
        b64decode(envelope_xdr, validate=True)
        if FeeBumpTransactionEnvelope.is_fee_bump_transaction_envelope(envelope_xdr):
            return FeeBumpTransactionEnvelope.from_xdr(envelope_xdr, passphrase)
        return TransactionEnvelope.from_xdr(envelope_xdr, passphrase)


def _inner(envelope: Envelope) -> TransactionEnvelope:
    if isinstance(envelope, FeeBumpTransactionEnvelope):
        return envelope.transaction.inner_transaction_envelope
    return envelope
