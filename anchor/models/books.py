"""The books: entries that sum to zero."""

from datetime import datetime

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    event,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.models.columns import Instant, Stroops, one_of

#: Held by us: ``treasury`` on the ledger, ``bank`` outside it. Owed: ``customer``, and what nobody
#: can name yet, ``suspense``. Under way: ``in_transit``. Ours: ``fees``, less ``network_fees`` and
#: ``starting_balances``. ``reserves`` are lumens of ours that claimable balances lock: with the
#: ``treasury`` they are what the ledger shows. ``exchange`` is what quotes turned from one asset
#: into another: given in the one, taken in the other. ``house`` is what the house spent of its own
#: on remittances.
BOOK_ACCOUNTS = (
    "treasury",
    "bank",
    "customer",
    "suspense",
    "in_transit",
    "fees",
    "network_fees",
    "starting_balances",
    "reserves",
    "exchange",
    "house",
)

_BALANCE = (
    """
CREATE FUNCTION postings_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount) FROM postings WHERE cause = NEW.cause AND asset = NEW.asset) <> 0 THEN
        RAISE EXCEPTION 'the postings of %% in %% do not sum to zero', NEW.cause, NEW.asset;
    END IF;
    RETURN NULL;
END $$
""",
    """
CREATE CONSTRAINT TRIGGER postings_balance AFTER INSERT ON postings
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION postings_balance()
""",
)


class Posting(Base):
    """One entry in the books: `amount` of `asset` into an account, out of it where negative.

    The entries of one cause sum to zero in each asset; a deferred constraint holds that
    (promise 9).
    """

    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint(one_of("account", BOOK_ACCOUNTS), name="account"),
        CheckConstraint("amount <> 0", name="amount"),
        UniqueConstraint("cause", "asset", "account"),
        Index("ix_postings_account", "asset", "account", "booked_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    cause: Mapped[str] = mapped_column(Text)
    account: Mapped[str] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(Stroops)
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))
    booked_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


for _statement in _BALANCE:
    _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
    event.listen(Posting.__table__, "after_create", _ddl)
