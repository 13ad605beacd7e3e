"""What rails report, read once into what a table can hold; what cannot be read stays money."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from anchor.errors import Rejected
from anchor.integrations.protocols import Receipt
from anchor.money import to_stroops

_ID_MAX, _TEXT_MAX = 200, 500


@dataclass(frozen=True)
class Entry:
    """A receipt as a table can hold it, in stroops. `trouble` says why it cannot be judged.

    `named` is the transaction that the rail told it for; it counts where the payer wrote no
    reference.
    """

    receipt_id: str
    amount: int | None
    currency: str
    booked_at: datetime | None
    reference: str | None = None
    payer: str | None = None
    value_date: date | None = None
    is_reversed: bool = False
    trouble: str | None = None
    named: str | None = None


def read(receipt: object, named: str | None = None) -> Entry:
    """Read one receipt; one that cannot be read keeps its id, or gets one of its content."""
    if not isinstance(receipt, Receipt):
        return _nameless(receipt, f"the rail told {type(receipt).__name__}, which is no receipt")
    if not is_id(receipt.receipt_id):
        return _nameless(receipt, "its id is not one")
    entry = Entry(
        receipt_id=receipt.receipt_id,
        amount=None,
        currency=printable(receipt.currency) or "?",
        booked_at=None,
        reference=printable(receipt.reference),
        payer=printable(receipt.payer),
        value_date=_day(receipt.value_date),
        is_reversed=bool(receipt.is_reversed),
        named=named,
    )
    booked_at = receipt.booked_at
    if not isinstance(booked_at, datetime) or booked_at.tzinfo is None:
        return replace(entry, trouble="booked_at is no instant with its time zone")
    try:
        amount = to_stroops(receipt.amount)
    except (Rejected, AttributeError, TypeError):
        amount = 0
    if amount == 0 or not isinstance(receipt.currency, str):
        told = printable(f"{receipt.amount!r} {receipt.currency!r}")
        return replace(entry, booked_at=booked_at, trouble=f"the amount cannot be read: {told}")
    return replace(entry, booked_at=booked_at, amount=amount)


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """Return each booking once, by the bank's time: what was reversed on the way is reversed."""
    found: dict[str, Entry] = {}
    for entry in entries:
        known = found.get(entry.receipt_id)
        found[entry.receipt_id] = _both(known, entry) if known else entry
    return sorted(found.values(), key=_order)


def _both(first: Entry, other: Entry) -> Entry:
    kept = other if first.trouble and not other.trouble else first
    if not first.trouble and not other.trouble and _money(first) != _money(other):
        kept = replace(first, amount=None, trouble="it was told with two amounts at once")
    return replace(kept, is_reversed=first.is_reversed or other.is_reversed)


def _money(entry: Entry) -> tuple[int | None, str]:
    return entry.amount, entry.currency


def is_id(text: object) -> bool:
    """Tell whether a rail's id of something can be kept as it is."""
    return isinstance(text, str) and 0 < len(text) <= _ID_MAX and text.isprintable()


def printable(text: object) -> str | None:
    """Return a text without what no table can hold, or None where nothing is left."""
    if text is None:
        return None
    kept = "".join(letter for letter in str(text) if letter.isprintable())[:_TEXT_MAX].strip()
    return kept or None


def _nameless(receipt: object, trouble: str) -> Entry:
    told = repr(receipt)
    mark = hashlib.sha256(told.encode(errors="replace")).hexdigest()[:32]
    return Entry(f"?{mark}", None, "?", None, trouble=printable(f"{trouble}: {told}"))


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None


def _order(entry: Entry) -> tuple[bool, datetime, str]:
    when = entry.booked_at
    return when is None, when or datetime.max.replace(tzinfo=UTC), entry.receipt_id
