"""The words of the console: how remittances and callbacks stand, for people who act on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from anchor import languages
from anchor.config import Settings
from anchor.languages import mark as _
from anchor.lifecycle import Status
from anchor.money import to_decimal
from anchor.policies import HOUSE
from anchor.reasons import Reason
from anchor.serializers.admin import STATUSES
from anchor.serializers.pages import Fact
from anchor.services.callback_replays import Owed
from anchor.services.remittance_views import Shown, Story


@dataclass(frozen=True)
class Standing:
    """How something stands: in a word or two, and whether that is good, bad, or waits."""

    label: str
    tone: str = "quiet"


_STANDINGS = {
    Status.PENDING_USER_TRANSFER_START: Standing(_("Waits for its money"), "wait"),
    Status.PENDING_ANCHOR: Standing(_("Being agreed on"), "busy"),
    Status.PENDING_CUSTOMER_INFO_UPDATE: Standing(_("More is asked"), "wait"),
    Status.PENDING_STELLAR: Standing(_("Being paid"), "busy"),
    Status.PENDING_EXTERNAL: Standing(_("Paid, on its way"), "busy"),
    Status.ON_HOLD: Standing(_("On hold"), "bad"),
    Status.COMPLETED: Standing(_("Completed"), "good"),
    Status.REFUNDED: Standing(_("Refunded")),
    Status.EXPIRED: Standing(_("Expired")),
    Status.ERROR: Standing(_("Failed"), "bad"),
}
#: How what goes out stands, by its state.
OUTFLOW_STANDINGS = {
    "prepared": Standing(_("Waits to go out"), "wait"),
    "sent": Standing(_("On its way"), "busy"),
    "unknown": Standing(_("Outcome unknown"), "bad"),
    "done": Standing(_("Done"), "good"),
    "refused": Standing(_("Refused")),
}
RESTS = Standing(_("Waits for a person"), "bad")
GIVEN_UP = Standing(_("Given up"), "bad")
AGAIN = Standing(_("Tried again"), "wait")
DUE = Standing(_("Due"), "busy")
_WAITS = {
    Status.PENDING_ANCHOR: _("The other anchor: it is being agreed on with it."),
    Status.PENDING_CUSTOMER_INFO_UPDATE: _(
        "You: the other anchor wants to know more of the parties."
    ),
    Status.PENDING_STELLAR: _("The ledger: the payment is on its way into it."),
    Status.PENDING_EXTERNAL: _("The other anchor: it was paid, and pays its customer."),
    Status.ON_HOLD: _("You: mend what was refused and release it, or refund it."),
}
_RESTING = _("You: its case says what happened. Mend it and release it, or refund it.")
_HOUSE = _("The house’s own money")
_EVENTS = {
    "opened": _("Opened"),
    "send": _("Sent"),
    "amend send": _("Parties amended"),
    "funds_received": _("Its money came"),
    "credited": _("A part of its money came"),
    "customer_info_needed": _("More was asked of the parties"),
    "customer_info_given": _("More was given"),
    "held": _("Held"),
    "hold": _("Held"),
    "released": _("Released"),
    "release": _("Released"),
    "ledger_payment_submitted": _("Payment handed to the ledger"),
    "ledger_payment_confirmed": _("Payment in the ledger"),
    "ledger_payment_failed": _("Payment failed"),
    "payout_completed": _("Delivered by the other anchor"),
    "payout_refused": _("Refused"),
    "payout_returned": _("Came back"),
    "refund": _("Refund ordered"),
    "refund_sent": _("Refund on its way"),
    "refund_completed": _("Refunded"),
    "expired": _("Expired"),
    "failed": _("Failed"),
    "fail": _("Failed"),
    "replay callbacks": _("Callbacks told again"),
    "close": _("Closed"),
    "credit": _("Credited"),
    "refund by hand": _("Refunded by hand"),
    "cancel refund": _("Refund cancelled"),
    "pay again": _("Paid again"),
}


def standing(status: str, is_resting: bool = False) -> Standing:
    """Return how a remittance stands."""
    if is_resting and status != Status.ON_HOLD:
        return RESTS
    return _STANDINGS.get(Status(status), Standing(status))


def choices() -> list[tuple[str, str]]:
    """Return the statuses to choose from, each with its words."""
    return [(status, standing(status).label) for status in STATUSES]


def source(rail: str) -> str:
    """Return what a remittance is paid from."""
    return _HOUSE if rail == HOUSE else named(rail)


def waits_for(found: Shown) -> str | None:
    """Return whom or what a remittance waits for; None where that is its money, or nothing."""
    if found.is_resting and found.status != Status.ON_HOLD:
        return _RESTING
    return _WAITS.get(Status(found.status))


def is_awaiting_money(found: Shown) -> bool:
    """Tell whether somebody has to pay it in by rail."""
    return found.status == Status.PENDING_USER_TRANSFER_START and not found.is_resting


def what(event: str) -> str:
    """Return an event or an act in words."""
    return _EVENTS.get(event) or named(event)


def named(word: str) -> str:
    """Return a word of ours as people write it."""
    return word.replace("_", " ").capitalize()


def meaning(reason: str) -> str:
    """Return what a reason of cases means; nothing for one that another version stored."""
    known = Reason.named(reason)
    return known.means if known else ""


def moment(instant: datetime | None, *, is_short: bool = False) -> Markup:
    """Write an instant in UTC as tables show it, which machines read as well; nothing for None."""
    if instant is None:
        return Markup("")
    form = "%Y-%m-%d %H:%M" if is_short else "%Y-%m-%d %H:%M:%S"
    return Markup("<time>{}Z</time>").format(instant.astimezone(UTC).strftime(form))


def money(stroops: int) -> str:
    """Write an amount as banks do: ``1,250.00``, with more decimals only where it has them."""
    return languages.number(languages.SOURCE, to_decimal(stroops), 2)


def facts(found: Story, settings: Settings) -> list[Fact]:
    """Return what is known of a remittance, without what its heading says."""
    return [fact for fact in _facts(found, settings) if fact.value]


def _facts(found: Story, settings: Settings) -> Iterator[Fact]:
    shown = found.shown
    yield _code(_("Id"), shown.id)
    yield Fact(_("Paid from"), source(shown.rail))
    yield _code(_("Reference"), shown.reference)
    yield Fact(
        _("Money awaited until"), moment(shown.deadline_at) if is_awaiting_money(shown) else ""
    )
    yield Fact(_("Receiver is paid by"), shown.funding_method or "")
    if shown.buys and shown.least_out:
        yield Fact(_("Receiver gets"), f"{money(shown.least_out)} {shown.buys} or more")
    yield _code(_("Id there"), shown.remote_id)
    yield Fact(_("Status there"), shown.remote_status or "", is_code=True)
    hash_ = shown.stellar_transaction_id
    yield _code(_("Stellar transaction"), hash_, settings.pages.explorer_link(hash_))
    for label, amount in ((_("Paid"), shown.amount_paid), (_("Refunded"), shown.amount_refunded)):
        yield Fact(label, f"{money(amount)} {shown.asset}" if amount else "")
    for part, names in found.details.items():
        yield Fact(_("Known of {part}"), ", ".join(names), is_code=True, words={"part": part})
    yield _code(_("Key"), shown.key)


def _code(label: str, value: str | None, link: str = "") -> Fact:
    return Fact(label, value or "", is_code=True, copied=value or "", link=link)


def callback_standing(found: Owed) -> Standing:
    """Return how a callback stands."""
    if found.delivered_at is not None:
        return Standing(_("Delivered"), "good")
    if found.is_parked:
        return GIVEN_UP
    return AGAIN if found.attempts else DUE


def case_standing(closed_at: datetime | None) -> Standing:
    """Return whether a case waits for a person."""
    return Standing(_("Closed")) if closed_at else Standing(_("Open"), "wait")
