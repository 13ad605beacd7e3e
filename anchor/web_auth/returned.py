"""Challenges of SEP-10 that come back: read once, strictly, and their signatures weighed.

What was signed is the envelope up to its signatures, byte for byte. So what a lenient reader of
XDR might forgive (padding that is not empty, say) is none of ours: the server's signature fails.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest

from stellar_sdk import Keypair, StrKey, xdr
from stellar_sdk.exceptions import BadSignatureError

from anchor.clock import utcnow
from anchor.errors import Rejected
from anchor.ledger.gateway import LedgerAccount
from anchor.web_auth.clients import Client
from anchor.web_auth.policy import WebAuthPolicy

#: A challenge is a few operations; nothing of an honest wallet is longer.
MAX_ENVELOPE_CHARS = 20_000
#: How far the clock of who made the challenge may be ahead of ours.
_CLOCKS_APART_S = 300
#: No date can be written so late.
_END_OF_TIME = 2**37
_ED25519, _MUXED = (
    xdr.CryptoKeyType.KEY_TYPE_ED25519,
    xdr.CryptoKeyType.KEY_TYPE_MUXED_ED25519,
)
_NONCE_CHARS, _NONCE_BYTES = 64, 48


@dataclass(frozen=True)
class Challenge:
    """A challenge that came back signed by the server, within its time.

    `client_domain_key` (``G…``) has to sign it, too, where a client domain was verified.
    `signatures` are those of others than the server, each its hint (4 bytes) and itself.
    """

    client: Client
    home_domain: str
    client_domain: str | None
    client_domain_key: str | None
    hash: str
    expires_at: datetime
    signatures: Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class _Entry:
    """One Manage Data operation, with the account (``G…``) and the id below it that it is of."""

    name: str
    value: bytes | None
    account_id: str
    muxed_id: int | None


def read_challenge(policy: WebAuthPolicy, envelope_xdr: str) -> Challenge:
    """Check everything of a returned challenge but the client's signatures, or `Rejected`.

    SEP10-46 to 56.
    """
    if not 0 < len(envelope_xdr) <= MAX_ENVELOPE_CHARS:
        raise Rejected("transaction is not a challenge of this server")
    try:
        return _read(policy, *_parsed(envelope_xdr))
    except Rejected as reason:
        raise Rejected("transaction is not a valid challenge: {reason}", reason=reason) from reason


def _parsed(envelope_xdr: str) -> tuple[xdr.TransactionV1Envelope, bytes]:
    """Return the envelope, and its bytes up to the signatures."""
    try:
        raw = b64decode(envelope_xdr)
        envelope = xdr.TransactionEnvelope.from_xdr_bytes(raw)
    except Exception as error:  # the SDK's readers raise many kinds (SEP10-46)
        raise Rejected("it is not an envelope in base64") from error
    if envelope.v1 is None:
        raise Rejected("it is not a plain transaction")
    lengths = (len(each.signature.signature) for each in envelope.v1.signatures)
    length = 4 + sum(8 + length + -length % 4 for length in lengths)  # count; hint, length, padding
    return envelope.v1, raw[:-length]


def _read(policy: WebAuthPolicy, envelope: xdr.TransactionV1Envelope, body: bytes) -> Challenge:
    tx, server = envelope.tx, policy.signing_key
    if _account(tx.source_account) != (server, None):
        raise Rejected("its source account is not the SIGNING_KEY of this server")
    if tx.seq_num.sequence_number.int64 != 0:
        raise Rejected("its sequence number is not 0")
    expires_at = _end_of(tx.cond)
    first, *more = _entries(tx.operations)
    domain_entry = _look_through(policy, server, more)
    network_id = sha256(policy.network_passphrase.encode()).digest()
    digest = sha256(network_id + body).digest()
    return Challenge(
        client=_client_of(first, tx.memo),
        home_domain=_home_domain_of(policy, first),
        client_domain=_domain_of(domain_entry),
        client_domain_key=domain_entry.account_id if domain_entry else None,
        hash=digest.hex(),
        expires_at=expires_at,
        signatures=_without_servers(policy.signer(), digest, envelope.signatures),
    )


def _end_of(conditions: xdr.Preconditions) -> datetime:
    bounds = conditions.time_bounds
    if bounds is None and conditions.v2 is not None:
        bounds = conditions.v2.time_bounds
    if bounds is None:
        raise Rejected("it has no timebounds")
    since, until = bounds.min_time.time_point.uint64, bounds.max_time.time_point.uint64
    if not 0 < until < _END_OF_TIME:
        raise Rejected("its timebounds have no end")
    if not since - _CLOCKS_APART_S <= utcnow().timestamp() <= until:
        raise Rejected("its timebounds are over, or not there yet")
    return datetime.fromtimestamp(until, UTC)


def _entries(operations: Sequence[xdr.Operation]) -> list[_Entry]:
    if not operations:
        raise Rejected("it has no operation")
    return [_entry(each) for each in operations]


def _entry(operation: xdr.Operation) -> _Entry:
    data = operation.body.manage_data_op
    if data is None:
        raise Rejected("it has an operation that is not ManageData")
    if operation.source_account is None:
        raise Rejected("it has an operation without a source account")
    account_id, muxed_id = _account(operation.source_account)
    name = _text(data.data_name.string64)
    value = data.data_value.data_value if data.data_value is not None else None
    return _Entry(name, value, account_id, muxed_id)


def _account(account: xdr.MuxedAccount) -> tuple[str, int | None]:
    if account.type == _MUXED:
        assert account.med25519 is not None
        key, muxed_id = account.med25519.ed25519.uint256, account.med25519.id.uint64
        return _address(key), muxed_id
    assert account.type == _ED25519
    assert account.ed25519 is not None
    return _address(account.ed25519.uint256), None


@lru_cache
def _address(key: bytes) -> str:
    """Return the address of a key: the server's is in each challenge some three times."""
    return StrKey.encode_ed25519_public_key(key)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Rejected("it has what is not text") from error


def _client_of(first: _Entry, memo: xdr.Memo) -> Client:
    if memo.type == xdr.MemoType.MEMO_NONE:
        return Client(first.account_id, first.muxed_id, is_muxed=first.muxed_id is not None)
    if memo.id is None:
        raise Rejected("its memo is not an id")
    if first.muxed_id is not None:
        raise Rejected("it has a memo, and a muxed account")
    return Client(first.account_id, memo.id.uint64)


def _home_domain_of(policy: WebAuthPolicy, first: _Entry) -> str:
    """Return the home domain that the first operation names; its value is the nonce."""
    domain, mark, rest = first.name.rpartition(" auth")
    if not mark or rest or not policy.serves(domain):
        raise Rejected("its first operation does not name a home domain of this server")
    if first.value is None or len(first.value) != _NONCE_CHARS:
        raise Rejected("the value of its first operation has not 64 bytes")
    if not _is_nonce(first.value):
        raise Rejected("the value of its first operation is not base64 of 48 bytes")
    return domain


def _is_nonce(value: bytes) -> bool:
    try:
        return len(b64decode(value, validate=True)) == _NONCE_BYTES
    except Base64Error:
        return False


def _look_through(policy: WebAuthPolicy, server: str, entries: Iterable[_Entry]) -> _Entry | None:
    """Check the operations behind the first, and return the one of a client domain."""
    found = None
    for entry in entries:
        if entry.name == "client_domain":
            found = found or entry
        elif entry.account_id != server:
            raise Rejected("it has an operation of an account that is not this server's")
        if entry.name == "web_auth_domain" and entry.value != policy.web_auth_domain.encode():
            raise Rejected("its web_auth_domain is not that of this server")
    return found


def _domain_of(entry: _Entry | None) -> str | None:
    if entry is None:
        return None
    if entry.value is None:
        raise Rejected("its client_domain operation has no value")
    return _text(entry.value)


def _without_servers(
    server: Keypair, digest: bytes, signatures: Sequence[xdr.DecoratedSignature]
) -> Sequence[tuple[bytes, bytes]]:
    """Return the signatures of others; `Rejected` where the server's is not there.

    Ed25519 signs the same always, and to sign costs less than half of what to verify does.
    """
    found = [(each.hint.signature_hint, each.signature.signature) for each in signatures]
    own = server.sign(digest)
    for each in found:
        if compare_digest(each[1], own) and each[0] == server.signature_hint():
            found.remove(each)
            return tuple(found)
    raise Rejected("it is not signed by this server")


def verify_client(
    policy: WebAuthPolicy, challenge: Challenge, account: LedgerAccount | None
) -> None:
    """Check the client's signatures, or `Rejected`.

    An account on the ledger needs its medium threshold by ed25519 signers of weight above
    0; one that is not needs its master key alone (SEP10-57 to 63). The server and the client
    domain sign for themselves and count for no client; a signature of anybody else is refused.
    """
    weights, needed = _weights(challenge, account)
    weights.pop(policy.signing_key, None)
    domain = challenge.client_domain_key
    if domain == policy.signing_key:
        raise _not_signed(Rejected("its client_domain shows the key of this server"))
    if domain is not None:
        weights[domain] = 0
    signed = _signers(challenge, weights)
    if domain is not None and domain not in signed:
        raise _not_signed(Rejected("the key of its client_domain did not sign"))
    weight = sum(weights[key] for key in signed)
    if weight < needed:
        raise _not_signed(
            Rejected(
                "signers with weight {weight} do not meet threshold {needed}",
                weight=weight,
                needed=needed,
            )
        )


def _weights(challenge: Challenge, account: LedgerAccount | None) -> tuple[dict[str, int], int]:
    """Return what the signature of each key counts, and how much is needed: more than nothing."""
    if account is None:
        return {challenge.client.account_id: 1}, 1
    weights = {
        signer.key: signer.weight
        for signer in account.signers
        if signer.type == "ed25519_public_key" and signer.weight > 0
    }
    return weights, max(1, account.med_threshold)


def _signers(challenge: Challenge, keys: Iterable[str]) -> set[str]:
    """Return those keys that signed; `Rejected` for a signature of none, or a second of one."""
    digest = bytes.fromhex(challenge.hash)
    left = {key: _verifying(key) for key in keys}
    signed = set()
    for each in challenge.signatures:
        signer = next((name for name, key in left.items() if _is_of(key, digest, each)), None)
        if signer is None:
            raise _not_signed(Rejected("it has unrecognized signatures"))
        del left[signer]
        signed.add(signer)
    return signed


@lru_cache(maxsize=1024)
def _verifying(address: str) -> Keypair:
    """Return what verifies by a signer's address: a wallet comes again, or it is one for many."""
    return Keypair.from_public_key(address)


def _is_of(key: Keypair, digest: bytes, signature: tuple[bytes, bytes]) -> bool:
    hint, value = signature
    if hint != key.signature_hint():
        return False
    try:
        key.verify(digest, value)
    except BadSignatureError:
        return False
    return True


def _not_signed(reason: Rejected) -> Rejected:
    return Rejected("the challenge is not signed as it must be: {reason}", reason=reason)
