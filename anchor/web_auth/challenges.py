"""Challenges of SEP-10: built, read when they come back, and their signatures weighed."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_bytes

from stellar_sdk import (
    Account,
    IdMemo,
    ManageData,
    TransactionBuilder,
    TransactionEnvelope,
)
from stellar_sdk.sep.ed25519_public_key_signer import Ed25519PublicKeySigner
from stellar_sdk.sep.stellar_web_authentication import (
    read_challenge_transaction,
    verify_challenge_transaction_signed_by_client_master_key,
    verify_challenge_transaction_threshold,
)

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
    envelope_xdr: str


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
        home = _home_domain_in(policy, envelope_xdr)
        read = read_challenge_transaction(*_to_read(policy, envelope_xdr, home))
        return Challenge(
            client=_client_of(read.transaction, read.client_account_id, read.memo),
            home_domain=read.matched_home_domain,
            client_domain=_client_domain_of(read.transaction),
            hash=read.transaction.hash_hex(),
            expires_at=_end_of(read.transaction),
            envelope_xdr=envelope_xdr,
        )
    except Rejected:
        raise
    except Exception as error:  # the SDK's readers raise many kinds (SEP10-46)
        raise Rejected(
            "transaction is not a valid challenge: {reason}", reason=_sentence(error)
        ) from error


def _to_read(
    policy: WebAuthPolicy, envelope_xdr: str, home_domain: str
) -> tuple[str, str, str, str, str]:
    """Return what the SDK's readers take."""
    return (
        envelope_xdr,
        policy.signing_key,
        home_domain,
        policy.web_auth_domain,
        policy.network_passphrase,
    )


def _home_domain_in(policy: WebAuthPolicy, envelope_xdr: str) -> str:
    """Return the home domain of a challenge, if it is ours: the SDK knows no patterns."""
    envelope = TransactionEnvelope.from_xdr(envelope_xdr, policy.network_passphrase)
    operations = envelope.transaction.operations
    first = operations[0] if operations else None
    named = first.data_name.removesuffix(" auth") if isinstance(first, ManageData) else ""
    return named if policy.serves(named) else policy.home_domains[0]


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
    for operation in envelope.transaction.operations[1:]:
        if isinstance(operation, ManageData) and operation.data_name == "client_domain":
            if operation.data_value is None:
                raise Rejected("the client_domain operation has no value")
            return operation.data_value.decode("utf-8")
    return None


def verify_client(
    policy: WebAuthPolicy, challenge: Challenge, account: LedgerAccount | None
) -> None:
    """Check the client's signatures, or `Rejected`.

    An account on the ledger needs its medium threshold by ed25519 signers of weight above
    0; one that is not needs its master key alone (SEP10-57 to 63).
    """
    try:
        common = _to_read(policy, challenge.envelope_xdr, challenge.home_domain)
        if account is None:
            verify_challenge_transaction_signed_by_client_master_key(*common)
            return
        signers = [
            Ed25519PublicKeySigner(signer.key, signer.weight)
            for signer in account.signers
            if signer.type == "ed25519_public_key" and signer.weight > 0
        ]
        verify_challenge_transaction_threshold(*common, max(1, account.med_threshold), signers)
    except Exception as error:
        raise Rejected(
            "the challenge is not signed as it must be: {reason}", reason=_sentence(error)
        ) from error


def _sentence(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
