"""Firm quotes: promised to one owner, reserved until they run out, used once.

The rate is asked for with no database transaction open; then one commit stores the promise.
Where it can die: before that commit nothing was promised; after it the wallet asks for the
quote by its id, or lets it run out.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, text

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, settings
from anchor.integrations.rates import Way
from anchor.languages import mark as _
from anchor.lifecycle import Kind
from anchor.models import Quote, new_id
from anchor.money import format_amount
from anchor.pricing import Priced
from anchor.services import exchanges, opening
from anchor.services.exchanges import Exchange, Wish
from anchor.services.transactions import Owner

_ID = re.compile(r"[0-9a-f]{32}")
_BATCH = 500
#: The flow whose transactions are sends.
_SENDS = "send"


def promise(owner: Owner, wish: Wish, flow: str, expire_after: datetime | None = None) -> Quote:
    """Make a firm quote and reserve what it promises (SEP38-50 to 54).

    Raises `Rejected` for a wish that cannot be met, where the method is not named and there
    are several, where it would have to be held for longer than is done, or where all that may
    be promised of the asset is promised; and `Unavailable` while nobody knows the rate.
    """
    exchange = exchanges.find(wish)
    if not wish.method and len(exchange.methods) > 1:
        name = "sell_delivery_method" if exchange.way is Way.DEPOSIT else "buy_delivery_method"
        raise Rejected("{name} is required, for there are several ways to pay", name=name)
    found = exchanges.priced(exchange, wish, is_firm=True)
    _check_limits(exchange, found, flow)
    return _store(owner, wish, flow, found, expire_after)


def _check_limits(exchange: Exchange, found: Priced, flow: str) -> None:
    """Refuse what no transaction could be made of: limits are in the asset on the ledger."""
    is_deposit = exchange.way is Way.DEPOSIT
    kind = Kind.SEND if flow == _SENDS else Kind.DEPOSIT if is_deposit else Kind.WITHDRAWAL
    limits = opening.flow_of(exchange.policy, kind)
    if limits.enabled:
        opening.check_limits(limits, found.buy_amount if is_deposit else found.sell_amount)


@atomic
def _store(
    owner: Owner, wish: Wish, flow: str, found: Priced, expire_after: datetime | None
) -> Quote:
    _reserve(wish.buy_asset, found.buy_amount)
    row = Quote(
        id=new_id(),
        owner_account=owner.account_id,
        owner_subaccount=owner.subaccount_id,
        flow=flow,
        sell_asset=wish.sell_asset,
        buy_asset=wish.buy_asset,
        sell_amount=found.sell_amount,
        buy_amount=found.buy_amount,
        fee=found.fee,
        fee_details=fee_details(found),
        price=found.price,
        total_price=found.total_price,
        sell_delivery_method=wish.sell_delivery_method,
        buy_delivery_method=wish.buy_delivery_method,
        country_code=wish.country_code,
        expires_at=_until(expire_after),
    )
    db.session.add(row)
    db.session.flush()
    return row


def fee_details(found: Priced) -> list[dict[str, str]]:
    """Return the parts of a fee, whose amounts sum to it (SEP38-42); none where it has one part."""
    return listed(found.fee_fixed, found.fee_share)


def listed(fixed: int, share: int, **others: int) -> list[dict[str, str]]:
    """Return parts of a fee in stroops as they are told; none where only one is above nought.

    Their names are English, and said in the asker's language by whoever shows them.
    """
    parts = {_("Fixed fee"): fixed, _("Share of the amount"): share} | others
    told = [{"name": name, "amount": format_amount(part)} for name, part in parts.items() if part]
    return told if len(told) > 1 else []


def _until(expire_after: datetime | None) -> datetime:
    """Return when a quote runs out: after a whole second, so that it is told as it is stored."""
    policy = settings().quotes
    now = db.session.execute(select(func.now())).scalar_one()
    if expire_after is not None and expire_after > now + timedelta(seconds=policy.hold_max_s):
        raise Rejected(
            "expire_after: a quote is held for {seconds} seconds at most",
            seconds=policy.hold_max_s,
        )
    wanted = now + timedelta(seconds=policy.hold_s)
    wanted = max(wanted, expire_after) if expire_after is not None else wanted
    return wanted.replace(microsecond=0) + timedelta(seconds=1 if wanted.microsecond else 0)


def _reserve(asset: str, amount: int) -> None:
    """Make sure that so much more of an asset may be promised, while nobody else does."""
    most = settings().quotes.reserve_max.get(asset)
    if most is None:
        return
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('anchor.quotes'), hashtext(:asset))"),
        {"asset": asset},
    )
    promised = select(func.coalesce(func.sum(Quote.buy_amount), 0)).where(
        Quote.buy_asset == asset, Quote.expires_at > func.now()
    )
    if int(db.session.scalar(promised) or 0) + amount > most:
        raise Rejected("so much of this asset cannot be promised now; try less, or later")


@atomic
def get(owner: Owner, quote_id: str) -> Quote:
    """Return the owner's quote, also after it ran out; `NotFound` where it is another's."""
    row = db.session.get(Quote, quote_id) if _ID.fullmatch(quote_id) else None
    if row is None or not _is_owned_by(row, owner):
        raise NotFound("there is no such quote")
    return row


def _is_owned_by(row: Quote, owner: Owner) -> bool:
    return Owner(row.owner_account, row.owner_subaccount) == owner


@dataclass(frozen=True)
class Use:
    """What a transaction says of the quote that it is to be made on; None is left out.

    `asset` is the one on the ledger, `other` the one outside it, both as SEP-38 names them;
    `amount` (stroops) is what the customer would pay.
    """

    quote_id: str
    owner: Owner
    flow: str
    way: Way
    asset: str
    other: str | None = None
    amount: int | None = None
    method: str | None = None


def take(use: Use) -> Quote:
    """Use a quote up for a transaction that is opened in the same commit (SEP38-56, 57).

    Needs an open transaction. Raises `Rejected` where the quote is unknown or another's, is
    used or has run out, or says otherwise than the transaction (SEP24-21).
    """
    row = None
    if _ID.fullmatch(use.quote_id):
        row = db.session.get(Quote, use.quote_id, with_for_update=True, populate_existing=True)
    if row is None or not _is_owned_by(row, use.owner):
        raise Rejected("quote_id: there is no such quote")
    if row.flow != use.flow:
        raise Rejected("quote_id: the quote was made for another use")
    if row.used_at is not None:
        raise Rejected("quote_id: the quote is used already")
    if row.expires_at <= db.session.execute(select(func.clock_timestamp())).scalar_one():
        raise Rejected("quote_id: the quote has run out")
    _demand_same(row, use)
    row.used_at = func.now()
    return row


def _demand_same(row: Quote, use: Use) -> None:
    sold, bought = row.sell_asset, row.buy_asset
    asset, other = (bought, sold) if use.way is Way.DEPOSIT else (sold, bought)
    method = row.sell_delivery_method or row.buy_delivery_method
    for error, quoted, told in (
        (Rejected("quote_id: the quote is about another asset"), asset, use.asset),
        (Rejected("quote_id: the quote exchanges it for another asset"), other, use.other),
        (Rejected("quote_id: the quote is about another amount"), row.sell_amount, use.amount),
        (Rejected("quote_id: the quote is about another way to pay"), method, use.method),
    ):
        if None not in {quoted, told} and quoted != told:
            raise error


@atomic
def forget() -> int:
    """Delete a batch of quotes that ran out long ago and were never used; return how many."""
    gone = select(Quote.id).where(*_forgettable()).limit(_BATCH).with_for_update(skip_locked=True)
    ids = db.session.scalars(gone).all()
    db.session.execute(delete(Quote).where(Quote.id.in_(ids)))
    return len(ids)


@atomic
def has_old() -> bool:
    """Tell whether there is something to forget."""
    return db.session.scalar(select(Quote.id).where(*_forgettable()).limit(1)) is not None


def _forgettable() -> tuple[ColumnElement[bool], ...]:
    keep = timedelta(days=settings().quotes.keep_days)
    return Quote.used_at.is_(None), Quote.expires_at < func.now() - keep
