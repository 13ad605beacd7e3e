"""Challenges of SEP-10 as they go out; `anchor.web_auth.returned` reads what comes back."""

from base64 import b64encode
from secrets import token_bytes

from stellar_sdk import Account, IdMemo, TransactionBuilder

from anchor.clock import utcnow
from anchor.errors import Rejected
from anchor.web_auth.clients import Client
from anchor.web_auth.policy import MAX_DATA_BYTES, WebAuthPolicy, auth_key, size_of


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
