"""Challenges of SEP-10: built, read when they come back, and their signatures weighed."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_bytes

from stellar_sdk import (
    Account,
    DecoratedSignature,
    IdMemo,
    Keypair,
    ManageData,
    TransactionBuilder,
    TransactionEnvelope,
)
from stellar_sdk.exceptions import BadSignatureError
from stellar_sdk.sep.stellar_web_authentication import read_challenge_transaction

from anchor.clock import utcnow
from anchor.errors import Rejected
from anchor.ledger.gateway import LedgerAccount
from anchor.web_auth.clients import Client, read_client
from anchor.web_auth.policy import MAX_DATA_BYTES, WebAuthPolicy, auth_key, size_of

#: A challenge is a few operations; nothing of an honest wallet is longer.
MAX_ENVELOPE_CHARS = 20_000


@dataclass(frozen=True)
class Challenge:
    """A challenge that came back signed by the server, within its time."""

    client: Client
    home_domain: str
    client_domain: str | None
    hash: str
    expires_at: datetime
    envelope: TransactionEnvelope


def build_challenge(
    policy: WebAuthPolicy,
    client: Client,
    home_domain: str | None = None,
    client_domain: tuple[str, str] | None = None,
) -> str:
    """Build a challenge for `client`, signed by the server, as base64 XDR.

    `client_domain` is the domain with its signing key. Raises `Rejected` for a home
    domain that is not ours (SEP10-06), and a client domain that no data entry can hold or
    that shows our own key.

    It is built here, for the SDK's own builder drops a memo of 0 (SEP10-05).
    """
    home = home_domain or policy.home_domains[0]
    if not policy.serves(home):
        raise Rejected("home_domain is not served here")
    if client_domain is not None and size_of(client_domain[0]) > MAX_DATA_BYTES:
        raise Rejected("client_domain is too long")
    policy.demand_wallet(client_domain)
    server = policy.signer()
    now = int(utcnow().timestamp())
    builder = TransactionBuilder(
        Account(server.public_key, -1), policy.network_passphrase, base_fee=100
    )
    builder.add_time_bounds(now, now + policy.challenge_s)
    builder.append_manage_data_op(auth_key(home), b64encode(token_bytes(48)), source=client.address)
    builder.append_manage_data_op(
        "web_auth_domain", policy.web_auth_domain, source=server.public_key
    )
    if client_domain is not None:
        domain, key = client_domain
        builder.append_manage_data_op("client_domain", domain, source=key)
    if client.subaccount_id is not None and not client.is_muxed:
        builder.add_memo(IdMemo(client.subaccount_id))
    envelope = builder.build()
    envelope.sign(server)
    return envelope.to_xdr()


def read_challenge(policy: WebAuthPolicy, envelope_xdr: str) -> Challenge:
    """Check everything of a returned challenge but the client's signatures, or `Rejected`."""
    if not 0 < len(envelope_xdr) <= MAX_ENVELOPE_CHARS:
        raise Rejected("transaction is not a challenge of this server")
    try:
        read = read_challenge_transaction(
            envelope_xdr,
            policy.signing_key,
            _home_domains_for(policy, envelope_xdr),
            policy.web_auth_domain,
            policy.network_passphrase,
        )
        envelope = read.transaction
        return Challenge(
            client=_client_of(envelope, read.client_account_id, read.memo),
            home_domain=read.matched_home_domain,
            client_domain=_client_domain_of(envelope),
            hash=envelope.hash_hex(),
            expires_at=_end_of(envelope),
            envelope=envelope,
        )
    except Rejected:
        raise
    except Exception as error:  # the SDK's readers raise many kinds (SEP10-46)
        raise Rejected(
            "transaction is not a valid challenge: {reason}", reason=_sentence(error)
        ) from error


def _home_domains_for(policy: WebAuthPolicy, envelope_xdr: str) -> Sequence[str]:
    """Return the home domains that a challenge may be for: the SDK knows no patterns."""
    if not policy.has_patterns:
        return policy.home_domains
    envelope = TransactionEnvelope.from_xdr(envelope_xdr, policy.network_passphrase)
    operations = envelope.transaction.operations
    first = operations[0] if operations else None
    named = first.data_name.removesuffix(" auth") if isinstance(first, ManageData) else ""
    return [named] if policy.serves(named) else policy.home_domains


def _client_of(envelope: TransactionEnvelope, address: str, memo: int | None) -> Client:
    first = envelope.transaction.operations[0]
    assert first.source is not None
    if first.source.account_muxed is not None and memo is not None:
        raise Rejected("memos are not permitted with a muxed account")
    return read_client(address, None if memo is None else str(memo))


def _end_of(envelope: TransactionEnvelope) -> datetime:
    preconditions = envelope.transaction.preconditions
    assert preconditions is not None
    assert preconditions.time_bounds is not None
    return datetime.fromtimestamp(preconditions.time_bounds.max_time, UTC)


def _client_domain_of(envelope: TransactionEnvelope) -> str | None:
    operation = _client_domain_operation(envelope)
    if operation is None:
        return None
    if operation.data_value is None:
        raise Rejected("the client_domain operation has no value")
    return operation.data_value.decode("utf-8")


def _client_domain_operation(envelope: TransactionEnvelope) -> ManageData | None:
    for operation in envelope.transaction.operations[1:]:
        if isinstance(operation, ManageData) and operation.data_name == "client_domain":
            return operation
    return None


def verify_client(
    policy: WebAuthPolicy, challenge: Challenge, account: LedgerAccount | None
) -> None:
    """Check the client's signatures, or `Rejected`.

    An account on the ledger needs its medium threshold by ed25519 signers of weight above
    0; one that is not needs its master key alone (SEP10-57 to 63). The server and the client
    domain sign for themselves and count for no client; a signature of anybody else is refused.
    """
    weights, needed = _weights(challenge, account)
    domain = _client_domain_operation(challenge.envelope)
    others = {policy.signing_key}
    if domain is not None and domain.source is not None:
        others.add(domain.source.account_id)
    signed = _signers(challenge, others | weights.keys())
    if not others <= signed:
        raise _not_signed("the key of its client_domain did not sign")
    weight = sum(weights[key] for key in signed - others)
    if weight < needed:
        raise _not_signed(f"signers with weight {weight} do not meet threshold {needed}")


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
    left = [Keypair.from_public_key(key) for key in keys]
    signed = set()
    for each in challenge.envelope.signatures:
        signer = next((key for key in left if _is_of(key, digest, each)), None)
        if signer is None:
            raise _not_signed("it has unrecognized signatures")
        left.remove(signer)
        signed.add(signer.public_key)
    return signed


def _is_of(key: Keypair, digest: bytes, signature: DecoratedSignature) -> bool:
    if signature.signature_hint != key.signature_hint():
        return False
    try:
        key.verify(digest, signature.signature)
    except BadSignatureError:
        return False
    return True


def _not_signed(reason: str) -> Rejected:
    return Rejected("the challenge is not signed as it must be: {reason}", reason=reason)


def _sentence(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
