"""Money that comes by rail, and the short words in which tests speak of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from anchor.extensions import db, transaction
from anchor.integrations.protocols import (
    DepositAnswer,
    PendingDeposit,
    RailTraits,
    Receipt,
    ReceiptPage,
)
from anchor.lifecycle import Kind, Status
from anchor.models import Case, Posting, RailEvent, RailReading
from anchor.models import Receipt as Row
from anchor.services import passes, sweeps
from tests.puppets import Puppet
from tests.world import World

POLLS = "poll_pending_deposits"
CODE = "REF123"


@dataclass
class Teller(Puppet):
    """A rail that answers about deposits by `answers`, and lists what is in `book`."""

    answers: dict[str, Any] = field(default_factory=dict)
    book: list[Any] = field(default_factory=list)
    page_size: int = 2
    asked: list[list[PendingDeposit]] = field(default_factory=list)

    def poll_pending_deposits(
        self, deposits: Sequence[PendingDeposit]
    ) -> Mapping[str, DepositAnswer]:
        self.asked.append(list(deposits))
        found = {}
        for each in deposits:
            answer = self.answers.get(each.transaction_id)
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                found[each.transaction_id] = answer
        return found

    def receipts_since(self, cursor: str | None) -> ReceiptPage:
        begin = int(cursor or 0)
        page = self.book[begin : begin + self.page_size]
        end = begin + len(page)
        return ReceiptPage(page, str(end), end == len(self.book))

    @property
    def asked_ids(self) -> list[str]:
        return [each.transaction_id for batch in self.asked for each in batch]


def teller(world: World, *, lists: bool = False, name: str = "bank", **more: Any) -> Teller:
    made = Teller(name, traits=RailTraits(lists_receipts=lists), **more)
    world.app.extensions["anchor"].rails[name] = made
    return made


def deposit(world: World, amount: str | None = "100", **more: Any) -> str:
    """Make a deposit that waits for money under `CODE`; return its id."""
    usual = {"status": Status.PENDING_USER_TRANSFER_START, "reference": CODE}
    given = usual | more
    status = given.pop("status")
    return world.of_kind(given.pop("kind", Kind.DEPOSIT), status, amount=amount, **given)


def booked(receipt_id: str = "B1", amount: str = "100", **changed: Any) -> Receipt:
    """A booking of 100 US dollars under `CODE`, with what is changed."""
    usual: dict[str, Any] = {
        "currency": "USD",
        "booked_at": datetime.now(UTC),
        "reference": CODE,
        "payer": "DE55",
    }
    return Receipt(receipt_id, Decimal(amount), **(usual | changed))


def poll(world: World, name: str = "bank") -> sweeps.Tally:
    passes.owe(POLLS)
    return passes.work_off(POLLS, name)


def kept() -> list[Row]:
    with transaction():
        query = select(Row).order_by(Row.id).execution_options(populate_existing=True)
        return list(db.session.scalars(query))


def verdicts() -> list[str]:
    return [row.verdict for row in kept()]


def balances() -> dict[str, int]:
    """What each account of the books holds, in stroops of whatever asset."""
    with transaction():
        query = select(Posting.account, func.sum(Posting.amount)).group_by(Posting.account)
        return {account: int(total) for account, total in db.session.execute(query) if total}


def cases() -> list[tuple[str, int | None]]:
    """The reason of each case, and the amount owed."""
    with transaction():
        query = select(Case.reason, Case.amount_owed).order_by(Case.id)
        return [(reason, owed) for reason, owed in db.session.execute(query)]


def reading(name: str = "bank") -> RailReading | None:
    with transaction():
        return db.session.get(RailReading, name, populate_existing=True)


def events() -> list[RailEvent]:
    with transaction():
        query = select(RailEvent).order_by(RailEvent.id).execution_options(populate_existing=True)
        return list(db.session.scalars(query))


def judge_events(world: World) -> sweeps.Tally:
    passes.owe("work")
    return passes.work_off("work", "webhook bank")
