"""Firm quotes: what was promised, to whom, and until when."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Index, Numeric, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.models.columns import Instant, Stroops, UInt64, new_id, one_of

FLOWS = ("interactive", "programmatic", "send")


class Quote(Base):
    """One promise to exchange `sell_amount` for `buy_amount`, until `expires_at`.

    Assets are named as SEP-38 does; `fee` is in the sold one. `flow` says through which door
    it may be used. It has one owner and is used once: `transactions.quote_id` is unique, and
    `used_at` is written with it. Prices are exact, as they were told.
    """

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint(one_of("flow", FLOWS), name="flow"),
        CheckConstraint("sell_amount > 0 AND buy_amount > 0", name="amounts"),
        CheckConstraint("fee >= 0 AND fee < sell_amount", name="fee"),
        CheckConstraint("price > 0 AND total_price >= price", name="prices"),
        CheckConstraint(
            "sell_delivery_method IS NULL OR buy_delivery_method IS NULL", name="one_method"
        ),
        Index("ix_quotes_reserved", "buy_asset", "expires_at"),
        Index("ix_quotes_unused", "expires_at", postgresql_where=text("used_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_id)
    owner_account: Mapped[str] = mapped_column(Text)
    owner_subaccount: Mapped[int | None] = mapped_column(UInt64)
    flow: Mapped[str] = mapped_column(Text)
    sell_asset: Mapped[str] = mapped_column(Text)
    buy_asset: Mapped[str] = mapped_column(Text)
    sell_amount: Mapped[int] = mapped_column(Stroops)
    buy_amount: Mapped[int] = mapped_column(Stroops)
    fee: Mapped[int] = mapped_column(Stroops)
    fee_details: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    price: Mapped[Decimal] = mapped_column(Numeric)
    total_price: Mapped[Decimal] = mapped_column(Numeric)
    sell_delivery_method: Mapped[str | None] = mapped_column(Text)
    buy_delivery_method: Mapped[str | None] = mapped_column(Text)
    country_code: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
