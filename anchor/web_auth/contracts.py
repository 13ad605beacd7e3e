"""Challenges of SEP-45, for contract accounts: built of what a simulation asks for, and read.

Whether a contract account signed is for the contract alone to say (SEP45-26): what is read
here is simulated by whoever asks the ledger. That a challenge is ours, down to its nonce and
the key of its client domain, our own signature says (ADR 024).
"""

from base64 import b64encode, urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_bytes

from stellar_sdk import Account, Address, TransactionBuilder, scval, xdr
from stellar_sdk.auth import (
    authorization_payload_hash,
    authorize_entry,
    build_authorization_preimage,
)
from stellar_sdk.sep.stellar_soroban_web_authentication import (
    NULL_ACCOUNT,
    WEB_AUTH_VERIFY_FUNCTION_NAME,
    read_challenge_authorization_entries,
)

from anchor.clock import utcnow
from anchor.errors import Misconfigured, Rejected, Unavailable
from anchor.ledger.contract_gateway import Simulation
from anchor.web_auth.clients import is_contract
from anchor.web_auth.policy import WebAuthPolicy

#: Signatures of contract accounts may be long (passkeys, several keys); these are longer.
MAX_ENTRIES_CHARS = 64_000
#: The server's signature is good for about 15 minutes of ledgers (SEP45-09).
EXPIRES_IN_LEDGERS = 180
_NONCE_BYTES, _TIME_BYTES = 48, 8
_REQUIRED = frozenset(
    {"account", "home_domain", "nonce", "web_auth_domain", "web_auth_domain_account"}
)
_OF_CLIENT_DOMAIN = frozenset({"client_domain", "client_domain_account"})
_KINDS = xdr.SorobanCredentialsType
_LEGACY, _V2 = _KINDS.SOROBAN_CREDENTIALS_ADDRESS, _KINDS.SOROBAN_CREDENTIALS_ADDRESS_V2


@dataclass(frozen=True)
class ContractChallenge:
    """A challenge that came back, signed by the server and within its time.

    Its own signature is good until the ledger `expires_after`. `envelope_xdr` is the call to
    simulate. `hash` names the challenge.
    """

    account: str
    home_domain: str
    client_domain: str | None
    hash: str
    expires_at: datetime
    expires_after: int
    envelope_xdr: str


def ask_for_entries(
    policy: WebAuthPolicy,
    account: str,
    home_domain: str,
    client_domain: tuple[str, str] | None = None,
) -> str:
    """Return the call, as an envelope, whose simulation tells what has to be signed.

    `client_domain` is the domain with its signing key. Raises `Rejected` for an account that
    is no contract (SEP45-01), a home domain that is not ours (SEP45-02) and our own key.
    """
    if not is_contract(account):
        raise Rejected("account must be a contract account (C…); others log in by SEP-10")
    if not policy.serves(home_domain):
        raise Rejected("home_domain is not served here")
    policy.demand_wallet(client_domain)
    arguments = {
        "account": account,
        "home_domain": home_domain,
        "nonce": _new_nonce(policy.challenge_s),
        "web_auth_domain": policy.web_auth_domain,
        "web_auth_domain_account": policy.signing_key,
    }
    if client_domain is not None:
        arguments["client_domain"], arguments["client_domain_account"] = client_domain
    struct = scval.to_struct({name: scval.to_string(text) for name, text in arguments.items()})
    return _envelope(policy, struct, [])


def build_contract_challenge(policy: WebAuthPolicy, simulation: Simulation) -> str:
    """Sign the server's entry among those that a simulation asks for; return them all.

    The answer is base64 XDR of `SorobanAuthorizationEntries` (SEP45-04, SEP45-05), with
    credentials of the form that the policy wants (SEP45-12). Raises `Unavailable` where the
    contract cannot be called now, and `Misconfigured` where it is not one of SEP-45.
    """
    if simulation.error is not None:
        raise Unavailable("the web auth contract cannot be called at the moment")
    entries, server = [], policy.signer()
    for text in simulation.auth:
        entry = xdr.SorobanAuthorizationEntry.from_xdr(text)
        by = _address_part(entry)
        if policy.is_address_bound:
            entry.credentials = xdr.SorobanCredentials(_V2, address_v2=by)
        else:
            entry.credentials = xdr.SorobanCredentials(_LEGACY, address=by)
        if _address_of(entry) == server.public_key:
            until = simulation.latest_ledger + EXPIRES_IN_LEDGERS
            entry = authorize_entry(entry, server, until, policy.network_passphrase)
        entries.append(entry)
    challenge = xdr.SorobanAuthorizationEntries(entries).to_xdr()
    try:
        read_contract_challenge(policy, challenge)
    except Rejected as error:
        raise Misconfigured(f"web_auth.contract_id is no contract of SEP-45: {error}") from error
    return challenge


def read_contract_challenge(policy: WebAuthPolicy, entries_xdr: str) -> ContractChallenge:
    """Check everything of a returned challenge that needs no ledger, or `Rejected`.

    That is its form (SEP45-21, SEP45-22, SEP45-25), its time and the server's signature
    (SEP45-23, SEP45-24); not whose the other signatures are.
    """
    if not 0 < len(entries_xdr) <= MAX_ENTRIES_CHARS:
        raise Rejected("authorization_entries is not a challenge of this server")
    try:
        return _read(policy, entries_xdr)
    except Rejected:
        raise
    except Exception as error:  # the SDK's readers raise many kinds (SEP45-20)
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise Rejected(
            "authorization_entries is not a valid challenge: {reason}", reason=reason
        ) from error


def _read(policy: WebAuthPolicy, entries_xdr: str) -> ContractChallenge:
    read = read_challenge_authorization_entries(
        entries_xdr,
        policy.signing_key,
        _home_domain_in(policy, entries_xdr),
        policy.web_auth_domain,
        policy.contract_id or "",
    )
    entries = read.authorization_entries.soroban_authorization_entries
    addresses = [_address_of(entry) for entry in entries]
    if len(set(addresses)) != len(addresses):
        raise Rejected("authorization_entries has two entries for one address")
    if not is_contract(read.client_account_id):
        raise Rejected("authorization_entries is not for a contract account")
    call = entries[0].root_invocation.function.contract_fn
    assert call is not None
    _check_arguments(call.args[0], has_client_domain=read.client_domain is not None)
    server = entries[addresses.index(policy.signing_key)]
    return ContractChallenge(
        account=read.client_account_id,
        home_domain=read.matched_home_domain,
        client_domain=read.client_domain,
        hash=sha256(read.nonce.encode()).hexdigest(),
        expires_at=_end_of(read.nonce),
        expires_after=_check_server(policy, server),
        envelope_xdr=_envelope(policy, call.args[0], entries),
    )


def _home_domain_in(policy: WebAuthPolicy, entries_xdr: str) -> str:
    """Return the home domain that the entries name; the SDK knows no patterns."""
    entries = xdr.SorobanAuthorizationEntries.from_xdr(entries_xdr).soroban_authorization_entries
    call = entries[0].root_invocation.function.contract_fn
    assert call is not None
    home = scval.from_string(scval.from_struct(call.args[0])["home_domain"]).decode()
    if not policy.serves(home):
        raise Rejected("home_domain is not served here")
    return home


def _check_arguments(struct: xdr.SCVal, *, has_client_domain: bool) -> None:
    """Refuse names that are missing, that nobody knows, or that stand there twice (SEP45-07)."""
    assert struct.map is not None
    names = [entry.key.sym.sc_symbol.decode() for entry in struct.map.sc_map if entry.key.sym]
    wanted = _REQUIRED | (_OF_CLIENT_DOMAIN if has_client_domain else frozenset())
    if len(names) != len(struct.map.sc_map) or names != sorted(wanted):
        raise Rejected("authorization_entries has other arguments than the challenge had")


def _check_server(policy: WebAuthPolicy, entry: xdr.SorobanAuthorizationEntry) -> int:
    """Check our own signature, and return the last ledger in which it counts (SEP45-24)."""
    by = _address_part(entry)
    until = by.signature_expiration_ledger.uint32
    preimage = build_authorization_preimage(entry, until, policy.network_passphrase)
    (signature,) = scval.from_vec(by.signature)
    fields = {scval.from_symbol(key): value for key, value in scval.from_map(signature).items()}
    key = policy.signer()
    if scval.from_bytes(fields["public_key"]) != key.raw_public_key():
        raise Rejected("authorization_entries is not signed by this server")
    try:
        key.verify(authorization_payload_hash(preimage), scval.from_bytes(fields["signature"]))
    except Exception as error:
        raise Rejected("authorization_entries is not signed by this server") from error
    return int(until)


def _envelope(
    policy: WebAuthPolicy, struct: xdr.SCVal, entries: list[xdr.SorobanAuthorizationEntry]
) -> str:
    builder = TransactionBuilder(Account(NULL_ACCOUNT, 0), policy.network_passphrase, base_fee=100)
    builder.add_time_bounds(0, 0).append_invoke_contract_function_op(
        policy.contract_id or "", WEB_AUTH_VERIFY_FUNCTION_NAME, [struct], auth=entries
    )
    return builder.build().to_xdr()


def _address_part(entry: xdr.SorobanAuthorizationEntry) -> xdr.SorobanAddressCredentials:
    found = entry.credentials.address or entry.credentials.address_v2
    if found is None:
        raise Rejected("authorization_entries has credentials that are not taken here")
    return found


def _address_of(entry: xdr.SorobanAuthorizationEntry) -> str:
    return Address.from_xdr_sc_address(_address_part(entry).address).address


def _new_nonce(life_s: int) -> str:
    """Return 48 bytes in base64: when the challenge ends, and what nobody can guess."""
    ends_at = int(utcnow().timestamp()) + life_s
    raw = ends_at.to_bytes(_TIME_BYTES, "big") + token_bytes(_NONCE_BYTES - _TIME_BYTES)
    return b64encode(raw, b"-_").decode()


def _end_of(nonce: str) -> datetime:
    """Return when the challenge of a nonce ends; `Rejected` where that was before now."""
    raw = urlsafe_b64decode(nonce)
    if len(raw) != _NONCE_BYTES:
        raise Rejected("the nonce was not issued here")
    ends_at = datetime.fromtimestamp(int.from_bytes(raw[:_TIME_BYTES], "big"), UTC)
    if ends_at < utcnow():
        raise Rejected("the challenge has expired; ask for a new one")
    return ends_at
