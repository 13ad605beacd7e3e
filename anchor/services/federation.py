"""Addresses of SEP-2: ``<transaction id>*<home domain>``, while the anchor waits for its payment.

Nothing can be found out by trying: an id is 128 random bits, which only whoever opened the
transaction was told. An address tells no more than what is paid to it shows on the ledger, and
only until it is paid, so that nobody pays twice. Customers and accounts have no addresses.
"""

import re

from sqlalchemy import select

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, settings
from anchor.lifecycle import WITHDRAWALS, Kind, Status
from anchor.models import Memo, Transaction
from anchor.services import logins

_ID = re.compile(r"[0-9a-f]{32}")
_KINDS = (*WITHDRAWALS, Kind.SEND)
_WAITING = (Status.PENDING_USER_TRANSFER_START, Status.PENDING_SENDER)


@atomic
def look_up(kind: str, asked: str) -> Memo:
    """Return the account and memo under which an address is paid (SEP2-01 to 03).

    Raises `NotFound` for what is no address of ours, and for all that is asked by account or
    transaction; `Rejected` for forwards, which are not made.
    """
    if kind == "forward":
        raise Rejected("payments are not forwarded here; open a withdrawal")
    user, _, domain = asked.rpartition("*")
    if kind != "name" or not _ID.fullmatch(user) or not logins.policy().serves(domain.lower()):
        raise NotFound("there is no such address")
    found = db.session.scalar(
        select(Memo)
        .join(Transaction, Transaction.id == Memo.transaction_id)
        .where(
            Transaction.id == user,
            Transaction.kind.in_(_KINDS),
            Transaction.status.in_(_WAITING),
            Transaction.settlement == "stellar",
            Transaction.funded_at.is_(None),
        )
    )
    if found is None:
        raise NotFound("there is no such address")
    return found


def address_of(transaction_id: str, home_domain: str | None) -> str | None:
    """Return the address of a transaction; None where the anchor gives none."""
    policy = settings()
    if 2 not in policy.seps:
        return None
    named = [each for each in policy.home_domains if not each.startswith("*")]
    return f"{transaction_id}*{home_domain or next(iter(named), policy.web_auth_domain)}"
