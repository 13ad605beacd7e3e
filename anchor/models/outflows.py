"""Money on its way out: each attempt, and the submissions that carry those on the ledger."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.models.columns import Instant, Stroops, one_of

OUTFLOW_OPEN = ("prepared", "sent", "unknown")
OUTFLOW_STATES = (*OUTFLOW_OPEN, "done", "refused")
OUTFLOW_KINDS = ("payout", "submission", "refund")


class Outflow(Base):
    """One attempt to move money out: a payout, a submission or a refund.

    Its key was stored before anybody outside heard of it: `first_called_at` says when that
    was, `called_at` when it was told again. One transaction has one
    outflow at most that is not finally known (partial unique index).
    """

    __tablename__ = "outflows"
    __table_args__ = (
        CheckConstraint(one_of("kind", OUTFLOW_KINDS), name="kind"),
        CheckConstraint(one_of("state", OUTFLOW_STATES), name="state"),
        CheckConstraint("amount > 0 AND amount_fee >= 0", name="amount"),
        UniqueConstraint("key"),
        UniqueConstraint("transaction_id", "attempt"),
        Index(
            "uq_outflows_open",
            "transaction_id",
            unique=True,
            postgresql_where=text(one_of("state", OUTFLOW_OPEN)),
        ),
        Index("ix_outflows_open_rail", "rail", postgresql_where=text("state = 'sent'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id"))
    kind: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(Integer)
    key: Mapped[str] = mapped_column(Text)
    rail: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(Stroops)
    amount_fee: Mapped[int] = mapped_column(Stroops, default=0)
    reference: Mapped[str | None] = mapped_column(Text)
    delivered_amount: Mapped[int | None] = mapped_column(Stroops)
    note: Mapped[str | None] = mapped_column(Text)
    calls: Mapped[int] = mapped_column(Integer, default=0)
    begun_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    first_called_at: Mapped[datetime | None] = mapped_column(Instant)
    called_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
