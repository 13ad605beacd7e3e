"""Remittances: what our customers, or the house, send by another anchor (SEP-31, its sender)."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.models.columns import Instant, Stroops


class Remittance(Base):
    """What a transaction of kind ``remittance`` is beside its row: with whom, and what was agreed.

    `domain` is the other anchor's. `sealed` are the fields of both parties and of the transaction,
    encrypted until its end, and nothing afterwards. `buys` is what the receiver is to get, named
    as SEP-38 does, on a quote that brings no less than `least_out` stroops of it. What is named
    ``remote_…`` are ids and words of the other anchor, of the agreement that stands; `agreed`
    is the amount that it is about. Account and memo to pay are the transaction's. `key` is that of
    whoever asked for it: the same again is the same remittance.
    """

    __tablename__ = "remittances"
    __table_args__ = (
        CheckConstraint("(buys IS NULL) = (least_out IS NULL)", name="limit_of_a_quote"),
        CheckConstraint("(sealed IS NULL) = (key_id IS NULL)", name="sealed"),
        CheckConstraint("agreed > 0 AND least_out > 0", name="amounts"),
        UniqueConstraint("key"),
        Index("ix_remittances_domain", "domain"),
        Index("ix_remittances_opened_at", "opened_at", "transaction_id"),
        Index("ix_remittances_key_id", "key_id", postgresql_where=text("key_id IS NOT NULL")),
    )

    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id"), primary_key=True)
    domain: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    key_id: Mapped[str | None] = mapped_column(Text)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    funding_method: Mapped[str | None] = mapped_column(Text)
    sender_type: Mapped[str | None] = mapped_column(Text)
    receiver_type: Mapped[str | None] = mapped_column(Text)
    buys: Mapped[str | None] = mapped_column(Text)
    least_out: Mapped[int | None] = mapped_column(Stroops)
    agreed: Mapped[int | None] = mapped_column(Stroops)
    remote_id: Mapped[str | None] = mapped_column(Text)
    remote_status: Mapped[str | None] = mapped_column(Text)
    remote_quote_id: Mapped[str | None] = mapped_column(Text)
    quote_expires_at: Mapped[datetime | None] = mapped_column(Instant)
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
