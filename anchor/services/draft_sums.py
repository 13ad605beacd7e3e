"""What a draft comes to: by its amount and today's fees, by its quote, or by the rate of now."""

from dataclasses import dataclass

from anchor.errors import Rejected
from anchor.lifecycle import DEPOSITS
from anchor.models import Quote, Transaction
from anchor.policies import AssetPolicy
from anchor.pricing import Priced
from anchor.services import opening
from anchor.services.exchanges import Wish
from anchor.services.views import View


@dataclass(frozen=True)
class Sums:
    """What a draft comes to, in stroops, each with the name that people have for its asset.

    `is_exchange` says that one is not worth one of the other, and `is_firm` that a quote promises
    it.
    """

    paid: int
    fee: int
    received: int
    paid_in: str
    received_in: str
    is_exchange: bool = False
    is_firm: bool = False


def is_fixed(view: View) -> bool:
    """Tell whether the wallet brought a quote, so that there is nothing to choose."""
    return view.quote is not None and not is_renewable(view.row)


def is_renewable(row: Transaction) -> bool:
    """Tell whether an incomplete transaction is on a quote that its own page had promised.

    That one gives it no deadline: it is renewed for as long as the customer takes.
    """
    return row.quote_id is not None and row.deadline_at is None


def of(view: View, policy: AssetPolicy) -> Sums | None:
    """Return what was chosen comes to; None where nothing was, or its fee would leave nothing."""
    row = view.row
    if view.quote is not None:
        return _exchanged(view.quote, view.quote, is_firm=True)
    if row.amount_expected is None:
        return None
    try:
        return plain(policy, row.kind, row.amount_expected, row.rail)
    except Rejected:
        return None


def plain(policy: AssetPolicy, kind: str, amount: int, rail: str) -> Sums:
    """Return what one for one comes to: the bank's currency on one side, the asset on the other."""
    parts = opening.parts(policy, kind, amount, rail)
    paid_in, received_in = policy.booked_in, policy.code
    if kind not in DEPOSITS:
        paid_in, received_in = received_in, paid_in
    return Sums(parts.amount_in, parts.amount_fee, parts.amount_out, paid_in, received_in)


def priced(wish: Wish, found: Priced) -> Sums:
    """Return what a wish comes to at a price that nobody promises."""
    return _exchanged(found, wish, is_firm=False)


def _exchanged(found: Priced | Quote, between: Wish | Quote, *, is_firm: bool) -> Sums:
    return Sums(
        found.sell_amount,
        found.fee,
        found.buy_amount,
        between.sell_asset.split(":")[1],
        between.buy_asset.split(":")[1],
        is_exchange=True,
        is_firm=is_firm,
    )


def wish(kind: str, policy: AssetPolicy, amount: int, rail: str, other: str) -> Wish:
    """Return what is asked of the exchange for `amount` stroops; `rail` is the bank's side."""
    ours = f"stellar:{policy.id}"
    if kind in DEPOSITS:
        return Wish(other, ours, sell_amount=amount, sell_delivery_method=rail)
    return Wish(ours, other, sell_amount=amount, buy_delivery_method=rail)
