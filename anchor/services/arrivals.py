"""Money that came, on the ledger or at a bank, as something that can be sent back.

Its name is the cause under which it stands in the books:
``payment <network>/<operation>/<index>`` or ``receipt <rail>/<id>``.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, case, func, select

from anchor.assets import is_contracts
from anchor.errors import NotFound
from anchor.extensions import atomic, db
from anchor.ledger.destinations import address_of
from anchor.matching import Verdict
from anchor.models import Outflow, Payment, Posting, Receipt, Transaction

Row = TypeVar("Row", Payment, Receipt)

_PAYMENT = re.compile(r"payment (\d{1,5})/(\d{1,19})/(\d{1,5})")
_RECEIPT = re.compile(r"receipt ([^/]+)/(.+)")
#: No part of such a name has a hyphen: two names never become the same key.
_PLAIN = re.compile(r"[A-Za-z0-9]+(?:/[A-Za-z0-9]+)+")
_LONGEST_KEY = 40
#: The largest numbers that a table holds for a network, an operation and an index.
_MOST = (2**15 - 1, 2**63 - 1, 2**15 - 1)
_OWED = ("customer", "suspense")


@dataclass(frozen=True)
class Arrival:
    """Money that came: `amount` stroops of `asset`, of which `left` were not sent back.

    `rail` is None for a payment on the ledger, whose `account` is ours. `payer` is who paid,
    as an address (``G…``, ``M…`` or ``C…``) or in the bank's words. `transaction_id` is that of the
    transaction which it credited, and None where it credited none. `reference` is the hash of its
    transaction on the ledger, or the bank's id of the booking.
    """

    cause: str
    row_id: int
    asset: str
    amount: int
    left: int
    rail: str | None
    account: str | None
    payer: str | None
    transaction_id: str | None
    verdict: str
    came_at: datetime | None
    is_gone: bool = False
    network_id: int | None = None
    reference: str | None = None

    @property
    def is_from_contract(self) -> bool:
        """Whether a contract account paid it."""
        return self.rail is None and is_contracts(self.payer)


def key_of(cause: str) -> str:
    """Return what the keys begin with under which an arrival is sent back that credited nobody.

    It comes of the arrival's own name alone, so that it is the same after a restore and never
    that of another arrival. What is long or odd for a bank is hashed.
    """
    kind, _, name = cause.partition(" ")
    plain = name.replace("/", "-")
    if _PLAIN.fullmatch(name) and len(plain) <= _LONGEST_KEY:
        return f"{kind}-{plain}"
    return f"{kind}-{sha256(name.encode()).hexdigest()[:32]}"


@atomic
def find(cause: str) -> Arrival:
    """Return the arrival of that name, or of the key under which it was to go back.

    Cases of such a refund are named by that; one of a transaction is found by the transaction.
    `NotFound` where there is none.
    """
    return _find(cause)


def lock(cause: str) -> Arrival:
    """Return it while nobody else can send any of it back. Needs an open transaction."""
    return _find(cause, lock=True)


@atomic
def of_transaction(transaction_id: str) -> list[Arrival]:
    """Return the arrivals that credited a transaction, as they came."""
    credited = Verdict.CREDITED
    payments = db.session.scalars(
        select(Payment)
        .where(Payment.transaction_id == transaction_id, Payment.verdict == credited)
        .order_by(Payment.operation_id, Payment.index)
    )
    receipts = db.session.scalars(
        select(Receipt)
        .where(Receipt.transaction_id == transaction_id, Receipt.verdict == credited)
        .order_by(Receipt.booked_at, Receipt.id)
    )
    return [*(_payment(row) for row in payments), *(_receipt(row) for row in receipts)]


def gone(transaction_id: str) -> int:
    """Return the stroops that a bank took back of what was credited to a transaction.

    Needs an open transaction.
    """
    query = select(func.coalesce(func.sum(Receipt.amount), 0)).where(
        Receipt.transaction_id == transaction_id,
        Receipt.verdict == Verdict.CREDITED,
        Receipt.reversed_at.is_not(None),
    )
    return int(db.session.scalar(query) or 0)


def lasting(transaction_id: str) -> int:
    """Return the stroops that were credited to a transaction and not taken back since.

    Needs an open transaction.
    """
    found = 0
    for table in (Payment, Receipt):
        query = select(func.coalesce(func.sum(table.amount), 0)).where(
            table.transaction_id == transaction_id, table.verdict == Verdict.CREDITED
        )
        if table is Receipt:
            query = query.where(Receipt.reversed_at.is_(None))
        found += int(db.session.scalar(query) or 0)
    return found


def cause_of(refund: Outflow) -> str:
    """Return the name of what a refund sends back. Needs an open transaction."""
    if refund.payment_id is not None:
        return _payment_cause(db.session.get_one(Payment, refund.payment_id))
    return _receipt_cause(db.session.get_one(Receipt, refund.receipt_id))


def _find(cause: str, *, lock: bool = False) -> Arrival:
    numbers = _numbers(cause)
    if numbers is not None:
        network, operation, index = numbers
        payments = select(Payment).where(
            Payment.network_id == network,
            Payment.operation_id == operation,
            Payment.index == index,
            Payment.direction == "in",
        )
        payment = db.session.scalar(_fresh(payments, lock=lock))
        if payment is not None:
            return _payment(payment)
    elif match := _RECEIPT.fullmatch(cause):
        receipts = select(Receipt).where(Receipt.rail == match[1], Receipt.receipt_id == match[2])
        receipt = db.session.scalar(_fresh(receipts, lock=lock))
        if receipt is not None:
            return _receipt(receipt)
    elif (refund := _refund_of_nobody(cause.partition("/")[0])) is not None:
        return _find(cause_of(refund), lock=lock)
    raise NotFound(f"there is no {cause or 'payment without a name'}")


def _numbers(cause: str) -> tuple[int, ...] | None:
    """Return network, operation and index of a payment's name; None where no payment has it."""
    match = _PAYMENT.fullmatch(cause)
    numbers = tuple(int(number) for number in match.groups()) if match else ()
    fits = all(number <= most for number, most in zip(numbers, _MOST, strict=False))
    return numbers if numbers and fits else None


def _refund_of_nobody(key: str) -> Outflow | None:
    """Return what was to send back money that credited nobody, by its key."""
    mine = Outflow.key == key, Outflow.kind == "refund", Outflow.transaction_id.is_(None)
    return db.session.scalar(select(Outflow).where(*mine))


def _fresh(query: Select[Row], *, lock: bool) -> Select[Row]:
    """Read the row as it is now: what this session saw before the lock may be old."""
    locked = query.with_for_update() if lock else query
    return locked.execution_options(populate_existing=True)


def _payment(row: Payment) -> Arrival:
    payer = row.counterparty
    if payer is not None:
        payer = address_of(payer, row.counterparty_muxed_id)
    return Arrival(
        cause=_payment_cause(row),
        row_id=row.id,
        asset=row.asset or "?",
        amount=row.amount or 0,
        left=(row.amount or 0) - _sent_back(Outflow.payment_id == row.id),
        rail=None,
        account=row.account_id,
        payer=payer,
        transaction_id=row.transaction_id if row.verdict == Verdict.CREDITED else None,
        verdict=row.verdict,
        came_at=row.closed_at,
        network_id=row.network_id,
        reference=row.transaction_hash,
    )


def _receipt(row: Receipt) -> Arrival:
    cause = _receipt_cause(row)
    is_credited = row.verdict == Verdict.CREDITED
    if is_credited:
        asset = db.session.get_one(Transaction, row.transaction_id).received_as
    else:
        booked = select(Posting.asset).where(Posting.cause == cause, Posting.account.in_(_OWED))
        asset = db.session.scalar(booked.limit(1)) or f"rail:{row.currency}"
    return Arrival(
        cause=cause,
        row_id=row.id,
        asset=asset,
        amount=row.amount or 0,
        left=(row.amount or 0) - _sent_back(Outflow.receipt_id == row.id),
        rail=row.rail,
        account=None,
        payer=row.payer,
        transaction_id=row.transaction_id if is_credited else None,
        verdict=row.verdict,
        came_at=row.booked_at,
        is_gone=row.reversed_at is not None,
        reference=row.receipt_id,
    )


def _payment_cause(row: Payment) -> str:
    return f"payment {row.network_id}/{row.operation_id}/{row.index}"


def _receipt_cause(row: Receipt) -> str:
    return f"receipt {row.rail}/{row.receipt_id}"


def _sent_back(term: ColumnElement[bool]) -> int:
    """Return what was sent back or is on its way, in stroops, with the fees that were kept.

    Of what came back again only the fee is gone.
    """
    amount = case((Outflow.returned_at.is_(None), Outflow.amount), else_=0)
    gross = func.coalesce(func.sum(amount + Outflow.amount_fee), 0)
    return int(db.session.scalar(select(gross).where(term, Outflow.state != "refused")) or 0)
