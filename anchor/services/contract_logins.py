"""Logging in by SEP-45: as SEP-10, for contract accounts; the ledger's RPC weighs signatures."""

from anchor import web_auth
from anchor.errors import Rejected
from anchor.extensions import contracts
from anchor.services import client_domains, logins


def begin(account: str, home_domain: str, client_domain: str | None = None) -> str:
    """Return a challenge for a contract account, as base64 XDR of its authorization entries.

    Which client domain is taken, refused or left out, `client_domains.choose` tells
    (SEP45-03). Raises `Unavailable` where the ledger cannot be asked (SEP45-11).
    """
    policy = logins.policy()
    pair = client_domains.choose(client_domain)
    asked = web_auth.ask_for_entries(policy, account, home_domain, pair)
    told = contracts().simulate(asked, address_bound=policy.is_address_bound)
    return web_auth.build_contract_challenge(policy, told)


def complete(authorization_entries: str) -> str:
    """Exchange a signed challenge for a session token, once.

    Raises `Rejected` where anything is wrong with it, also where the ledger says so (SEP45-26,
    SEP45-28), and `Unavailable` where the ledger cannot be asked: in doubt there is no token.
    """
    policy = logins.policy()
    challenge = web_auth.read_contract_challenge(policy, authorization_entries)
    told = contracts().simulate(challenge.envelope_xdr)
    if told.error is not None:
        raise Rejected("the ledger does not take the signatures of this challenge")
    if told.latest_ledger > challenge.expires_after:
        raise Rejected("the challenge has expired; ask for a new one")
    logins.use_up(challenge.hash, challenge.expires_at)
    return web_auth.issue_contract_token(policy, challenge)
