"""Log-in by signature (SEP-10), and the tokens that it earns.

Nothing here asks a network or a database: what the ledger says of an account is handed in.
"""

from anchor.web_auth.challenges import (
    Challenge,
    build_challenge,
    read_challenge,
    verify_client,
)
from anchor.web_auth.clients import Client, is_account, read_client
from anchor.web_auth.policy import WebAuthPolicy
from anchor.web_auth.tokens import Principal, issue_link, issue_token, read_link, read_token

__all__ = [
    "Challenge",
    "Client",
    "Principal",
    "WebAuthPolicy",
    "build_challenge",
    "is_account",
    "issue_link",
    "issue_token",
    "read_challenge",
    "read_client",
    "read_link",
    "read_token",
    "verify_client",
]
