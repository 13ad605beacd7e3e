"""Log-in by signature (SEP-10, SEP-45), and the tokens that it earns.

Nothing here asks a network or a database: what the ledger says of an account is handed in.
"""

from anchor.web_auth.challenges import build_challenge
from anchor.web_auth.clients import Client, is_account, is_contract, read_client
from anchor.web_auth.contracts import (
    ContractChallenge,
    ask_for_entries,
    build_contract_challenge,
    read_contract_challenge,
)
from anchor.web_auth.links import (
    Link,
    PageSession,
    check_form_token,
    form_token,
    issue_link,
    issue_page_session,
    read_link,
    read_page_session,
)
from anchor.web_auth.policy import WebAuthPolicy
from anchor.web_auth.returned import Challenge, read_challenge, verify_client
from anchor.web_auth.signed_requests import check_request
from anchor.web_auth.tokens import (
    Principal,
    issue_contract_token,
    issue_token,
    read_token,
)

__all__ = [
    "Challenge",
    "Client",
    "ContractChallenge",
    "Link",
    "PageSession",
    "Principal",
    "WebAuthPolicy",
    "ask_for_entries",
    "build_challenge",
    "build_contract_challenge",
    "check_form_token",
    "check_request",
    "form_token",
    "is_account",
    "is_contract",
    "issue_contract_token",
    "issue_link",
    "issue_page_session",
    "issue_token",
    "read_challenge",
    "read_client",
    "read_contract_challenge",
    "read_link",
    "read_page_session",
    "read_token",
    "verify_client",
]
