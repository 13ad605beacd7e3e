"""What rails report: bookings, events as they came, and how far each rail was read."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.matching import Verdict
from anchor.models.columns import Instant, Stroops, one_of


class Receipt(Base):
    """One booking that a rail reports; kept for ever, with its verdict (promise 1).

    `amount` or `booked_at` is None where nobody can read what the rail said; `note` quotes it.
    """

    __tablename__ = "receipts"
    __table_args__ = (
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint("amount > 0", name="amount"),
        UniqueConstraint("rail", "receipt_id"),
        Index(
            "ix_receipts_transaction_id",
            "transaction_id",
            postgresql_where=text("transaction_id IS NOT NULL"),
        ),
        Index("ix_receipts_odd", "verdict", "id", postgresql_where=text("verdict <> 'credited'")),
        Index("ix_receipts_unjudged", "rail", postgresql_where=text("verdict = 'unjudged'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    rail: Mapped[str] = mapped_column(Text)
    receipt_id: Mapped[str] = mapped_column(Text)
    amount: Mapped[int | None] = mapped_column(Stroops)
    currency: Mapped[str] = mapped_column(Text)
    payer: Mapped[str | None] = mapped_column(Text)
    reference: Mapped[str | None] = mapped_column(Text)
    value_date: Mapped[date | None] = mapped_column(Date)
    booked_at: Mapped[datetime | None] = mapped_column(Instant)
    reversed_at: Mapped[datetime | None] = mapped_column(Instant)
    observed_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    verdict: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))


class RailEvent(Base):
    """What a rail's webhook was sent, stored as it came before anybody judged it."""

    __tablename__ = "rail_events"
    __table_args__ = (UniqueConstraint("rail", "event_id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    rail: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    judged_at: Mapped[datetime | None] = mapped_column(Instant)


class RailReading(Base):
    """How far a rail was read: `cursor` is the rail's own word, `polled_at` when its last good
    poll began, by the database's clock (promise 11). What was booked before `in_charge_since`
    and names nobody is history."""

    __tablename__ = "rail_readings"

    rail: Mapped[str] = mapped_column(Text, primary_key=True)
    cursor: Mapped[str | None] = mapped_column(Text)
    polled_at: Mapped[datetime | None] = mapped_column(Instant)
    in_charge_since: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
