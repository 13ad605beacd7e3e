"""Money that left an account of ours: by an envelope that we stored, or it is an incident.

A restored database has forgotten what it sent, and a stolen key sends what nobody stored:
either way a person has to know (promise 1).
"""

from collections.abc import Iterable

from sqlalchemy import select

from anchor.extensions import db
from anchor.ledger.gateway import LedgerPayment
from anchor.models import Channel, Envelope
from anchor.services.networks import Watch
from anchor.services.transactions import any_of


def incidents(watch: Watch, page: Iterable[LedgerPayment]) -> list[dict[str, object]]:
    """Return a case for each payment of ours that no stored envelope explains.

    What closed before we were in charge, and what went to a channel account, is left out.
    Needs an open transaction.
    """
    left = [
        payment
        for payment in page
        if payment.direction == "out" and payment.closed_at >= watch.in_charge_since
    ]
    if not left:
        return []
    stored = select(Envelope.hash).where(
        Envelope.hash == any_of({payment.transaction_hash for payment in left})
    )
    channels = select(Channel.account_id).where(
        Channel.account_id == any_of({payment.counterparty or "" for payment in left}),
        Channel.number.is_not(None),
    )
    ours, pooled = set(db.session.scalars(stored)), set(db.session.scalars(channels))
    return [
        _case(watch, payment)
        for payment in left
        if payment.transaction_hash not in ours and payment.counterparty not in pooled
    ]


def _case(watch: Watch, payment: LedgerPayment) -> dict[str, object]:
    return {
        "reason": "outgoing_unknown",
        "cause": f"payment {watch.network_id}/{payment.operation_id}/{payment.index}",
        "note": "no envelope of ours did this: your own hand, a restored database, a stolen key?",
        "transaction_id": None,
        "asset": payment.asset,
        "amount_owed": None,
    }
