"""Claimable balances that deposits were paid by, and how each ended."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.models.columns import Instant, Stroops, one_of

BALANCE_STATES = ("waiting", "claimed", "reclaimed", "clawed_back")


class ClaimableBalance(Base):
    """A balance on the ledger that a deposit was paid by: the user's until `reclaim_at`.

    After that its `source`, the account that made it, may claim it back. `reclaim_at` is in
    seconds since 1970, by the ledger's clock. It ended in the transaction `transaction_hash`,
    by the account `ended_by`.
    """

    __tablename__ = "claimable_balances"
    __table_args__ = (
        CheckConstraint(one_of("state", BALANCE_STATES), name="state"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="ended"),
        UniqueConstraint("outflow_id"),
        Index(
            "ix_claimable_balances_waiting",
            "network_id",
            "id",
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id"))
    outflow_id: Mapped[int] = mapped_column(ForeignKey("outflows.id"))
    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id"))
    source: Mapped[str] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(Stroops)
    reclaim_at: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text, default="waiting")
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_by: Mapped[str | None] = mapped_column(Text)
    transaction_hash: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
