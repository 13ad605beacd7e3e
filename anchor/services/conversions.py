"""Transactions on a quote: the quote's numbers, and nothing but them.

What came is in one asset and what goes out in another, so no fee schedule and no rounding
joins them: the quote does, once, for exactly the amount that it sells. Anything else is a
person's.
"""

from typing import Any

from anchor.errors import Rejected
from anchor.extensions import db
from anchor.fees import Split
from anchor.models import Quote, Transaction
from anchor.money import told


def quote_of(row: Transaction) -> Quote:
    """Return the quote that a transaction is on. Needs an open transaction."""
    return db.session.get_one(Quote, row.quote_id)


def parts(row: Transaction) -> Split:
    """Return what a transaction on a quote comes to: sold, bought, and the fee in what is sold.

    Raises `Rejected` where what was credited and not sent back is not what the quote sells.
    """
    quote = quote_of(row)
    if row.amount_received - row.amount_refunded != quote.sell_amount:
        raise Rejected("what is left of the money is not what the quote sells")
    return Split(quote.sell_amount, quote.buy_amount, quote.fee)


def parts_again(row: Transaction) -> Split:
    """Return what paying again comes to, after all that was paid came back; the fee was kept.

    Raises `Rejected` where something else is left.
    """
    quote = quote_of(row)
    left = row.amount_received - row.amount_paid - row.amount_refunded
    if left != quote.sell_amount - quote.fee:
        raise Rejected("what is left of the money is not what the quote's payout was made of")
    return Split(left, quote.buy_amount, 0)


def demand_exact(row: Transaction, amount: int) -> None:
    """Refuse to credit what is not just what a quote sells: nobody promised a price for that."""
    if row.quote_id is None:
        return
    quoted = quote_of(row).sell_amount
    if amount != quoted or row.amount_received:
        raise Rejected(
            "{transaction} is on a quote, for {amount} and nothing else",
            transaction=row.id,
            amount=told(quoted),
        )


def sold(row: Transaction, amounts: Split) -> dict[str, Any]:
    """Return what an outflow writes down of the asset that it uses up; nothing without a quote."""
    if row.quote_id is None:
        return {}
    return {"sold": amounts.amount_in, "sold_asset": row.received_as}


def columns(quote: Quote) -> dict[str, Any]:
    """Return what a transaction has of its quote from the first."""
    return {
        "quote_id": quote.id,
        "amount_expected": quote.sell_amount,
        "amount_in": quote.sell_amount,
        "amount_in_asset": quote.sell_asset,
        "amount_out": quote.buy_amount,
        "amount_out_asset": quote.buy_asset,
        "amount_fee": quote.fee,
        "deadline_at": quote.expires_at,
    }
