"""The words of the console about the desk: cases, what an act does, and what it is about."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from markupsafe import Markup, escape

from anchor.languages import mark as _
from anchor.reasons import Reason
from anchor.serializers import console_money
from anchor.serializers.console import OUTFLOW_STANDINGS, Standing, moment
from anchor.serializers.pages import Fact
from anchor.services.act_views import About, Concerned, Going
from anchor.services.arrivals import Arrival
from anchor.services.desk import Desk
from anchor.services.refund_orders import Review


@dataclass(frozen=True)
class ActWords:
    """An act: its name as a heading, what it does, and what its button says."""

    title: str
    does: str
    button: str


ACTS: Mapping[str, ActWords] = MappingProxyType(
    {
        "credit": ActWords(
            _("Credit the money to a transaction"),
            _("It counts as paid for that transaction, which goes on: it may be paid out at once."),
            _("Credit it"),
        ),
        "refund": ActWords(
            _("Refund the money"),
            _("It goes back to who paid it. Nothing else of it goes out until that has ended."),
            _("Refund it"),
        ),
        "cancel-refund": ActWords(
            _("Cancel the refund"),
            _("Nobody outside has heard of it yet. Its money is owed as before."),
            _("Cancel the refund"),
        ),
        "release": ActWords(
            _("Release the transaction"),
            _("It goes on: what is left of it is paid out."),
            _("Release it"),
        ),
        "pay-again": ActWords(
            _("Pay again"),
            _("What came back is paid out again, to the details that the transaction has now."),
            _("Pay again"),
        ),
        "hold": ActWords(
            _("Hold the transaction"),
            _("Nothing goes out for it until somebody releases it."),
            _("Hold it"),
        ),
        "fail": ActWords(
            _("Fail the transaction"),
            _("It ends unpaid: its status is “error”, and its customer is shown your note."),
            _("Fail it"),
        ),
        "settle": ActWords(
            _("Settle the order"),
            _("Say what became of it: the bank’s system cannot be asked. What you say is final."),
            _("Settle it"),
        ),
        "settle-order": ActWords(
            _("Settle the custodian’s order"),
            _("Say what became of it: nobody can be asked any more. What you say is final."),
            _("Settle it"),
        ),
        "retry": ActWords(
            _("Retry the work"),
            _("It is due at once, whether it was given up or waits for its next try."),
            _("Retry it"),
        ),
        "close": ActWords(
            _("Close the case"),
            _("It was answered otherwise, as your note says. No money moves by this."),
            _("Close it"),
        ),
    }
)
_DONE = {
    "credit": _("The money is credited."),
    "refund": _("The refund is on its way, or written down as done by hand."),
    "cancel-refund": _("The refund is cancelled."),
    "release": _("The transaction is released."),
    "pay-again": _("It is being paid again."),
    "hold": _("The transaction is held."),
    "fail": _("The transaction has failed."),
    "settle": _("The order is settled."),
    "settle-order": _("The order is settled."),
    "retry": _("The work is due."),
    "close": _("The case is closed."),
    "pause": _("It is paused."),
    "resume": _("It is resumed."),
    "send": _("The remittance is begun."),
    "amend": _("The parties are amended."),
    "accept": _("The customer is accepted."),
    "request": _("The customer is asked for more."),
    "reject": _("The customer is refused for good."),
}


def in_order(names: Collection[str]) -> list[tuple[str, str]]:
    """Return acts with what their links say: what answers most cases first, and closing last."""
    return [(name, name.replace("-", " ").capitalize()) for name in ACTS if name in names]


def done(act: str | None) -> str:
    """Say that an act was done; nothing for what is none."""
    return _DONE.get(act or "", "")


def answer(reason: str) -> Markup:
    """Return what answers a case, names of acts set apart."""
    known = Reason.named(reason)
    parts = (known.answer if known else "").split("`")
    marked = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    ]
    text = Markup("").join(marked)
    return Markup("{}{}.").format(text[:1].upper(), text[1:]) if text[:1] != "<" else text + "."


def amount(stroops: int | None, asset: str | None) -> str:
    """Write an amount with the code of its asset; nothing for None."""
    return "" if stroops is None else console_money.sum_of(stroops, asset)


def state(found: Going) -> Standing:
    """Return how what goes out stands."""
    return OUTFLOW_STANDINGS[found.state]


def case_facts(found: Desk) -> list[Fact]:
    """Return what is known of a case, without what its heading says."""
    return _shown(
        Fact(_("Owed"), amount(found.amount_owed, found.asset)),
        _code(_("About"), found.cause),
        Fact(_("Opened"), moment(found.opened_at)),
        Fact(_("Closed"), moment(found.closed_at)),
    )


def arrival_facts(found: Arrival) -> list[Fact]:
    """Return what is known of money that came; what a bank says of its payer is not shown."""
    payer = found.payer if found.rail is None else None
    came = found.came_at if isinstance(found.came_at, datetime) else None
    left = amount(found.left, found.asset) if found.left != found.amount else ""
    return _shown(
        Fact(_("Came"), amount(found.amount, found.asset), is_key=True),
        Fact(_("Not refunded yet"), left),
        Fact(_("When"), moment(came)),
        Fact(_("By"), _("the ledger") if found.rail is None else found.rail),
        _code(_("Paid by"), payer),
        _code(
            _("Stellar transaction") if found.rail is None else _("Id at the bank"), found.reference
        ),
    )


def transaction_facts(found: Concerned) -> list[Fact]:
    """Return how a transaction stands, in numbers."""
    standing = console_money.standing_of(found.kind, found.status, found.is_resting)
    is_short = found.expected is not None and found.expected != found.received
    left = found.received - found.paid - found.refunded
    return _shown(
        Fact(_("Kind"), console_money.kind(found.kind)),
        Fact(_("Status"), standing.label),
        Fact(_("Awaited"), amount(found.expected, found.asset) if is_short else ""),
        Fact(_("Came"), amount(found.received, found.asset)),
        Fact(_("Paid out, with the fee"), amount(found.paid or None, found.asset)),
        Fact(_("Refunded, with fees"), amount(found.refunded or None, found.asset)),
        Fact(_("Left"), amount(left, found.asset) if 0 < left != found.received else ""),
        _code(_("Id"), found.id),
    )


def choices(found: About) -> list[tuple[str, str]]:
    """Return what came to choose from, by its names, and what is left of each."""
    return [
        (each.cause, f"{amount(each.left, each.asset)} of {each.cause}") for each in found.choices
    ]


def outflow_facts(found: Going) -> list[Fact]:
    """Return what is known of money that goes out."""
    return _shown(
        Fact(_("Amount"), amount(found.amount, found.asset), is_key=True),
        Fact(_("Kind"), console_money.outflow(found.kind)),
        Fact(_("Status"), state(found).label),
        Fact(_("By"), found.carrier or _("the ledger")),
        _code(_("Key"), found.key),
    )


def review_facts(found: Review) -> list[Fact]:
    """Return what a refund would come to."""
    asset, parts = found.arrival.asset, found.parts
    payer = found.arrival.payer if found.arrival.rail is None else None
    return _shown(
        Fact(_("Goes back"), amount(parts.amount_out, asset), is_key=True),
        Fact(_("Kept as fee"), amount(parts.amount_fee or None, asset)),
        Fact(_("Of"), amount(found.gross if parts.amount_fee else None, asset)),
        Fact(_("By"), _("the ledger") if found.arrival.rail is None else found.arrival.rail),
        _code(_("To"), payer),
        _code(_("Money"), found.arrival.cause),
    )


def sections(found: About) -> Iterator[tuple[str, list[Fact]]]:
    """Yield what an act is about, part by part, each with its heading."""
    if found.arrival is not None:
        yield _("The money that came"), arrival_facts(found.arrival)
    if found.outflow is not None:
        yield _("What goes out"), outflow_facts(found.outflow)
    if found.transaction is not None:
        yield _("The transaction"), transaction_facts(found.transaction)
    if found.job is not None:
        yield (
            _("The work"),
            [Fact(_("Kind"), found.job.kind, is_code=True), _code(_("Of"), found.job.subject_id)],
        )


def _shown(*facts: Fact) -> list[Fact]:
    return [fact for fact in facts if fact.value]


def _code(label: str, value: str | None) -> Fact:
    return Fact(label, value or "", is_code=True, copied=value or "")
