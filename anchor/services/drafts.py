"""Interactive transactions while their customer fills in the pages: piece by piece, then for good.

A draft binds nobody and shows itself to no bank: it is the amount, the way to pay and the rail's
details of a transaction that is `incomplete`. Each function here is one commit, and the same
again changes nothing. `confirm` ends it, for just the sums that the customer saw.

What is exchanged for another currency is on a quote that the page has promised, renewed as long
as the customer takes (`is_renewable`); a quote that the wallet brought stays what it is.

Where it can die: the rate is asked for with no transaction open, and then one commit takes the
quote for the draft. A promise that no draft took runs out by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from anchor.clock import utcnow
from anchor.customers.standing import Stand
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, house, settings
from anchor.fees import FeeSchedule
from anchor.integrations.interactive import Given
from anchor.integrations.protocols import Field
from anchor.integrations.rates import Way
from anchor.languages import mark as _
from anchor.lifecycle import DEPOSITS, WITHDRAWALS, Event, Kind, Status
from anchor.models import Transaction
from anchor.money import to_stroops
from anchor.policies import AssetPolicy
from anchor.services import (
    allowances,
    callbacks,
    conversions,
    deposits,
    details,
    draft_customers,
    draft_sums,
    exchanges,
    opening,
    quotes,
    views,
    withdrawals,
)
from anchor.services.customer_standings import CustomerView
from anchor.services.draft_customers import customer_of
from anchor.services.draft_sums import Sums
from anchor.services.exchanges import Wish
from anchor.services.quotes import Use
from anchor.services.transactions import Happening, happened, owner_of
from anchor.services.views import View

WAYS = {"deposit": DEPOSITS, "withdraw": WITHDRAWALS}
FLOW = opening.ON_PAGES
#: A customer who looks at a price has so long to confirm it.
_FRESH = timedelta(seconds=60)
REFUSED = _("We cannot offer you this service.")


class Step(StrEnum):
    """What a customer does, in this order, as far as there is something to do."""

    AMOUNT = "amount"
    CUSTOMER = "customer"
    ACCOUNT = "account"
    REVIEW = "review"


@dataclass(frozen=True)
class Draft:
    """A transaction with all that its pages are made of.

    `others` are the currencies, as SEP-38 names them, that the customer may exchange; `ways` the
    rails to choose from, `fields` what the chosen one asks. `at` is the first step that lacks
    something.
    """

    view: View
    policy: AssetPolicy
    ways: Sequence[str]
    others: Sequence[str]
    fields: Sequence[Field]
    customer: CustomerView | None
    steps: Sequence[Step]
    at: Step
    sums: Sums | None

    @property
    def is_deposit(self) -> bool:
        """Whether it brings money onto the ledger."""
        return self.view.row.kind in DEPOSITS

    @property
    def plain_fee(self) -> FeeSchedule | None:
        """The fee, where two numbers say it whatever the customer chooses; else None."""
        found = opening.flow_of(self.policy, self.view.row.kind).fees.all_of(self.ways)
        fee = next(iter(found))
        return fee if len(found) == 1 and fee.is_plain else None

    @property
    def seal(self) -> str:
        """What the customer confirms, in short: another one, where anything of it has changed."""
        row, sums = self.view.row, self.sums
        told: list[object] = [row.rail, row.destination, sorted(row.details.items())]
        told += [sums.paid, sums.fee, sums.received, sums.received_in] if sums else []
        return sha256(repr(told).encode()).hexdigest()


def look(transaction_id: str) -> Draft:
    """Return an incomplete transaction as its pages need it.

    Raises `Rejected` where it is complete, or its asset is not offered any more.
    """
    view = views.get(transaction_id)
    row = view.row
    policy = settings().asset_by_id(row.asset)
    if row.status != Status.INCOMPLETE:
        raise Rejected("this transaction is complete already")
    if policy is None or not opening.flow_of(policy, row.kind).enabled:
        raise Rejected("this asset is not offered any more")
    ways = ways_of(view, policy)
    rail = row.rail if row.rail in ways else ways[0]
    fields = details.asked(house().rails[rail], row.kind)
    customer = customer_of(row)
    lacking = details.read(fields, row.details)[1]
    sums = draft_sums.of(view, policy) if row.rail in ways else None
    steps = [Step.AMOUNT, Step.REVIEW]
    if fields:
        steps.insert(1, Step.ACCOUNT)
    if customer is not None and (customer.missing or customer.provided):
        steps.insert(1, Step.CUSTOMER)
    at = Step.REVIEW
    if sums is None:
        at = Step.AMOUNT
    elif customer is not None and customer.stand in (Stand.NEEDS_INFO, Stand.REJECTED):
        at = Step.CUSTOMER
    elif lacking:
        at = Step.ACCOUNT
    return Draft(
        view,
        policy,
        ways,
        () if draft_sums.is_fixed(view) else tuple(others(policy, row.kind)),
        fields,
        customer,
        steps,
        at,
        sums,
    )


def ways_of(view: View, policy: AssetPolicy) -> list[str]:
    """Return the rails that a customer may choose from, the preferred one first.

    Raises `Rejected` where those of the wallet's quote are gone from the configuration.
    """
    if not draft_sums.is_fixed(view):
        return list(policy.rails)
    assert view.quote is not None
    named, known = opening.quoted_rail(view.quote), opening.quoted_ways(view.quote)
    found = [rail for rail in policy.rails if rail in known and named in {None, rail}]
    if not found:
        raise Rejected("this way to pay is not offered")
    return found


def currency(policy: AssetPolicy, kind: str, asset: str) -> str | None:
    """Return which currency `asset`, a name of SEP-38, means on a page; None for the asset's own.

    Raises `Rejected` for one that is not exchanged for the asset, that way.
    """
    if asset == f"iso4217:{policy.booked_in}":
        return None
    if asset not in others(policy, kind):
        raise Rejected("these two assets are not exchanged for each other here")
    return asset


def others(policy: AssetPolicy, kind: str) -> list[str]:
    """Return what the asset is exchanged for, that way, by a rail of the asset."""
    found = []
    known = settings().quotes
    for pair in known.pairs:
        offchain = known.offchain[pair.offchain]
        is_in = kind in DEPOSITS
        fee = pair.deposit if is_in else pair.withdrawal
        methods = offchain.sell_delivery_methods if is_in else offchain.buy_delivery_methods
        if pair.asset == policy.code and fee is not None and set(methods) & set(policy.rails):
            found.append(pair.offchain)
    return found


def estimate(transaction_id: str, amount: int, rail: str | None, other: str | None) -> Sums:
    """Return what an amount would come to now: nothing is promised, and nothing written.

    Raises `Rejected` for an amount or a way to pay that would not be taken.
    """
    draft = look(transaction_id)
    row, policy = draft.view.row, draft.policy
    if draft_sums.is_fixed(draft.view) and draft.sums is not None:
        return draft.sums
    way = rail or draft.ways[0]
    if way not in draft.ways:
        raise Rejected("this way to pay is not offered")
    if other is None:
        opening.check_amount(policy, row.kind, amount, way)
        return draft_sums.plain(policy, row.kind, amount, way)
    wish = draft_sums.wish(row.kind, policy, amount, way, other)
    return draft_sums.priced(wish, exchanges.price(wish))


def choose(transaction_id: str, amount: int, rail: str, other: str | None = None) -> None:
    """Keep how much a customer pays, by which rail, and in exchange for what.

    `other` is the currency that it is exchanged for, None for none. Raises `Rejected` where the
    amount is outside the limits or the rail not offered, and where it is complete.
    """
    draft = look(transaction_id)
    row = draft.view.row
    if draft_sums.is_fixed(draft.view):
        _keep_way(transaction_id, rail, amount)
    elif other is None:
        _keep_plain(transaction_id, amount, rail)
    else:
        if other not in draft.others:
            raise Rejected("these two assets are not exchanged for each other here")
        wish = draft_sums.wish(row.kind, draft.policy, amount, rail, other)
        quote = quotes.promise(owner_of(row), wish, FLOW)
        _keep_exchange(transaction_id, rail, wish, quote.id)


def refresh(transaction_id: str) -> None:
    """Have a draft's own quote promised anew, where it has one that soon runs out.

    Raises `Unavailable` while nobody knows the rate.
    """
    view = views.get(transaction_id)
    row, quote = view.row, view.quote
    if row.status != Status.INCOMPLETE or not draft_sums.is_renewable(row) or quote is None:
        return
    if quote.expires_at > utcnow() + _FRESH or row.amount_expected is None:
        return
    names = (row.amount_in_asset or "", row.amount_out_asset or "")
    other = next(name for name in names if not name.startswith("stellar:"))
    choose(transaction_id, row.amount_expected, row.rail, other)


@atomic
def _keep_way(transaction_id: str, rail: str, amount: int) -> None:
    row, _known = opening.incomplete(transaction_id, rail, *DEPOSITS, *WITHDRAWALS)
    if amount != row.amount_expected:
        raise Rejected("the amount is not what the quote says")
    row.rail = rail


@atomic
def _keep_plain(transaction_id: str, amount: int, rail: str) -> None:
    row, policy = opening.incomplete(transaction_id, rail, *DEPOSITS, *WITHDRAWALS)
    opening.check_amount(policy, row.kind, amount, rail)
    kind = Kind.DEPOSIT if row.kind in DEPOSITS else Kind.WITHDRAWAL
    columns = dict.fromkeys(_OF_QUOTES)
    _write(row, policy, columns, kind=kind, amount_expected=amount, rail=rail)


_OF_QUOTES = (
    *("quote_id", "amount_in", "amount_in_asset", "amount_out", "amount_out_asset"),
    *("amount_fee", "deadline_at"),
)


@atomic
def _keep_exchange(transaction_id: str, rail: str, wish: Wish, quote_id: str) -> None:
    row, policy = opening.incomplete(transaction_id, rail, *DEPOSITS, *WITHDRAWALS)
    is_in = row.kind in DEPOSITS
    way, other = (Way.DEPOSIT, wish.sell_asset) if is_in else (Way.WITHDRAWAL, wish.buy_asset)
    ours = f"stellar:{policy.id}"
    quote = quotes.take(Use(quote_id, owner_of(row), FLOW, way, ours, other, wish.sell_amount))
    kind = Kind.DEPOSIT_EXCHANGE if is_in else Kind.WITHDRAWAL_EXCHANGE
    columns = conversions.columns(quote) | {"deadline_at": None}
    _write(row, policy, columns, kind=kind, rail=rail)


def _write(row: Transaction, policy: AssetPolicy, columns: dict[str, Any], **more: Any) -> None:
    for name, value in (columns | more).items():
        setattr(row, name, value)
    db.session.flush()
    allowances.demand(row, opening.flow_of(policy, row.kind), row.amount_expected)


@atomic
def tell(transaction_id: str, url: str) -> None:
    """Have a wallet told at `url`, which was checked, of each change from now on (SEP24-43)."""
    row = db.session.get(Transaction, transaction_id, with_for_update=True)
    if row is not None:
        row.callback_url = url


@atomic
def describe(transaction_id: str, rail: str, values: Mapping[str, str]) -> None:
    """Keep the details that the rail asks for; `Rejected` where it is complete."""
    row, _known = opening.incomplete(transaction_id, rail, *DEPOSITS, *WITHDRAWALS)
    row.details = dict(values)


@atomic
def confirm(transaction_id: str, seal: str, request_id: str, finish_url: str | None = None) -> None:
    """Complete a draft for the sums that its customer saw; it waits for the money from now on.

    A customer who is looked at still lets it wait for that (`pending_anchor`). `finish_url` is
    told of it once, in the same commit (SEP24-42). Raises `Rejected` where something lacks, where
    what `seal` stands for has changed, and where it is complete already.
    """
    known = views.get(transaction_id).row
    draft_customers.hold(known)
    row, _policy = opening.incomplete(transaction_id, known.rail, *DEPOSITS, *WITHDRAWALS)
    draft = look(transaction_id)
    if draft.at is not Step.REVIEW or draft.sums is None or row.amount_expected is None:
        raise Rejected("something is missing still")
    if draft.seal != seal:
        raise Rejected("something has changed meanwhile; please look at it again")
    amount, values = row.amount_expected, details.read(draft.fields, row.details)[0]
    if draft.customer is not None and draft.customer.stand is Stand.PROCESSING:
        columns = opening.completed(row, draft.policy, amount, row.rail, values)
        columns["deadline_at"] = None  # nobody was told to pay
        happened(Happening(row.id, Event.CHECKS_BEGUN, request_id, columns=columns))
    else:
        give_details(row, amount, row.rail, values, request_id)
    if finish_url is not None:
        callbacks.owe(FLOW, row.id, finish_url, views.get(row.id))


def complete(given: Given) -> None:
    """Complete a transaction with what pages of the business's own brought, as ours would.

    What is complete stays as it is. Raises `Rejected` for whatever the pages would refuse, and
    where the store of customers still lacks something.
    """
    row = views.get(given.transaction_id).row
    if row.flow != FLOW or row.kind not in (*DEPOSITS, *WITHDRAWALS):
        raise NotFound("there is no such transaction")
    if row.status != Status.INCOMPLETE:
        return
    draft = look(row.id)
    rail = given.rail or draft.ways[0]
    if rail not in draft.ways:
        raise Rejected("this way to pay is not offered")
    choose(row.id, to_stroops(given.amount), rail)
    values, problems = details.read(details.asked(house().rails[rail], row.kind), given.details)
    for problem in problems.values():
        raise problem
    describe(row.id, rail, values)
    confirm(row.id, look(row.id).seal, f"given {row.id}")


def give_details(
    row: Transaction, amount: int, rail: str, values: Mapping[str, str], request_id: str
) -> None:
    """Complete a transaction, whichever way it goes; needs an open transaction."""
    service = deposits if row.kind in DEPOSITS else withdrawals
    service.give_details(row.id, amount, rail, values, request_id, status=Status(row.status))


@atomic
def refuse_customer(transaction_id: str, request_id: str, finish_url: str | None = None) -> bool:
    """End an incomplete transaction whose customer is refused for good; tell whether it was."""
    row = db.session.get(Transaction, transaction_id)
    if row is None or row.status != Status.INCOMPLETE:
        return False
    draft_customers.hold(row)
    db.session.refresh(row, with_for_update=True)
    if row.status != Status.INCOMPLETE:
        return False
    customer = customer_of(row)
    if customer is None or customer.stand is not Stand.REJECTED:
        return False
    columns = {"message": customer.message or REFUSED}
    happened(Happening(row.id, Event.FAILED, request_id, columns=columns))
    if finish_url is not None:
        callbacks.owe(FLOW, row.id, finish_url, views.get(row.id))
    return True
