"""Accounts that are the anchor's own: those that hold, issue or carry, of today and of earlier."""

from sqlalchemy import select

from anchor.extensions import db, settings
from anchor.models import Account, Channel

_STORED = select(Account.account_id).union(select(Channel.account_id))


def known() -> set[str]:
    """Return them all. Needs an open transaction."""
    policies = settings().assets.values()
    named = {each for policy in policies for each in (policy.distribution, policy.issuer) if each}
    return named.union(db.session.scalars(_STORED))
