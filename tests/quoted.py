"""Transactions on quotes in tests: promised, opened, paid, in short words."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text, update

from anchor.extensions import db, transaction
from anchor.integrations.rates import Way
from anchor.models import Posting, Quote, Transaction
from anchor.money import format_amount, parse_amount
from anchor.services import audits, deposits, quotes, withdrawals
from anchor.services.exchanges import Wish
from anchor.services.quotes import Use
from anchor.services.transactions import Owner
from tests.world import ACCOUNT, World

BRL = "iso4217:BRL"


@dataclass
class Trade:
    """Somebody who exchanges money with the anchor of a world."""

    world: World
    owner: Owner = field(init=False)

    def __post_init__(self) -> None:
        self.owner = Owner(self.world.payer.public_key)

    @property
    def usdc(self) -> str:
        return f"stellar:{self.world.policy.id}"

    def quote(self, way: Way, flow: str = "interactive", **wish: Any) -> Quote:
        """Have 100 USDC (490 BRL) promised for sale, or 542 BRL for 100 USDC."""
        if way is Way.WITHDRAWAL:
            asked = Wish(self.usdc, BRL, sell_amount=parse_amount("100"), **wish)
        else:
            asked = Wish(BRL, self.usdc, sell_amount=parse_amount("542"), **wish)
        return quotes.promise(self.owner, asked, flow)

    def use(self, quote: Quote, way: Way, **more: Any) -> Use:
        return Use(quote.id, self.owner, "interactive", way, self.usdc, **more)

    def withdrawal(self, **wish: Any) -> str:
        """Open a withdrawal on a quote and complete it; return its id."""
        quote = self.quote(Way.WITHDRAWAL, **wish)
        row_id = withdrawals.open_interactive(self.owner, self.world.policy, quote_id=quote.id)
        self.complete(row_id)
        return row_id

    def complete(self, row_id: str, amount: str = "100", rail: str = "bank") -> None:
        details = {"bank_account_number": ACCOUNT}
        withdrawals.give_details(row_id, parse_amount(amount), rail, details, "form 1")

    def deposit(self, **options: Any) -> str:
        """Open a deposit on a quote and complete it; return its id."""
        self.world.fund()
        quote = self.quote(Way.DEPOSIT)
        policy = self.world.app.extensions["anchor"].settings.assets["USDC"]
        row_id = deposits.open_interactive(self.owner, policy, quote_id=quote.id, **options)
        deposits.give_details(row_id, parse_amount("542"), "bank", {}, "form 1")
        return row_id

    def due(self, row_id: str, **ago: int) -> None:
        """Let a transaction's quote run out so long ago, some minutes after it was made."""
        moved = func.now() - timedelta(**ago)
        begun = func.least(Transaction.started_at, moved - timedelta(minutes=5))
        with transaction():
            db.session.execute(
                update(Transaction)
                .where(Transaction.id == row_id)
                .values(deadline_at=moved, started_at=begun)
            )
            quote_id = select(Transaction.quote_id).where(Transaction.id == row_id)
            db.session.execute(
                update(Quote).where(Quote.id == quote_id.scalar_subquery()).values(expires_at=moved)
            )

    def pay(self, row_id: str, amount: str = "100") -> None:
        """Pay on the ledger, and let the anchor read it."""
        self.world.pay(amount, self.world.memo(row_id))
        self.world.read()


def books() -> dict[str, str]:
    """What each account of the books holds, by asset and account: ``BRL bank``."""
    query = select(Posting.asset, Posting.account, func.sum(Posting.amount))
    with transaction():
        found = db.session.execute(query.group_by(Posting.asset, Posting.account)).all()
    return {
        f"{_short(asset)} {account}": ("-" if total < 0 else "") + format_amount(abs(int(total)))
        for asset, account, total in found
        if total
    }


def _short(asset: str) -> str:
    return asset.removeprefix("rail:").partition(":")[0]


def agree() -> None:
    """Make sure that the database contradicts itself nowhere."""
    assert audits.look() == []


def owed() -> list[tuple[str, str | None, str]]:
    """The reason of each open case, with the asset and the amount that is owed."""
    statement = text(
        "SELECT reason, asset, amount_owed FROM cases WHERE closed_at IS NULL ORDER BY id"
    )
    with transaction():
        return [
            (reason, asset and _short(asset), format_amount(amount or 0))
            for reason, asset, amount in db.session.execute(statement)
        ]
