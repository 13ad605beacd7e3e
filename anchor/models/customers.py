"""Customers: who they are to us, what they gave (encrypted), and how they stand."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from anchor.customers.standing import Stand, State
from anchor.extensions import Base
from anchor.models.columns import MEMO_TYPES, Instant, UInt64, new_id, one_of


class Customer(Base):
    """A customer of one base account, or of one memo below it.

    ``G…:5`` and its ``M…`` address are the memo 5 of type id. `memo` is empty where there is
    none, so that the key holds. `version` counts what was given. Once erased, only that there was
    somebody is left.
    """

    __tablename__ = "customers"
    __table_args__ = (
        CheckConstraint(one_of("memo_type", ("none", *MEMO_TYPES)), name="memo_type"),
        CheckConstraint("(memo_type = 'none') = (memo = '')", name="memo"),
        CheckConstraint("(erased_at IS NULL) = (owner_account IS NOT NULL)", name="erased"),
        UniqueConstraint("owner_account", "memo_type", "memo"),
        Index("ix_customers_seen", "seen_at", postgresql_where=text("erased_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_id)
    owner_account: Mapped[str | None] = mapped_column(Text)
    memo_type: Mapped[str] = mapped_column(Text, default="none")
    memo: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    erased_at: Mapped[datetime | None] = mapped_column(Instant)


class CustomerFile(Base):
    """A file that a customer gave, encrypted, apart from whatever refers to it.

    Until something does it is discarded at `expires_at`.
    """

    __tablename__ = "customer_files"
    __table_args__ = (
        CheckConstraint("size > 0", name="size"),
        Index("ix_customer_files_owner", "owner_account", "created_at"),
        Index(
            "ix_customer_files_customer_id",
            "customer_id",
            postgresql_where=text("customer_id IS NOT NULL"),
        ),
        Index(
            "ix_customer_files_expires_at",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_id)
    owner_account: Mapped[str] = mapped_column(Text)
    owner_subaccount: Mapped[int | None] = mapped_column(UInt64)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    content_type: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(Integer)
    key_id: Mapped[str] = mapped_column(Text)
    sealed: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    expires_at: Mapped[datetime | None] = mapped_column(Instant)


class CustomerField(Base):
    """One datum of a customer, under its canonical name: an encrypted text, or a file.

    One that a person asked for and nobody gave yet has neither.
    """

    __tablename__ = "customer_fields"
    __table_args__ = (
        CheckConstraint(one_of("state", State), name="state"),
        CheckConstraint("(sealed IS NULL) = (key_id IS NULL)", name="key"),
        CheckConstraint(
            "(state = 'requested') = (sealed IS NULL AND file_id IS NULL)", name="held"
        ),
        CheckConstraint("sealed IS NULL OR file_id IS NULL", name="one_of_two"),
        Index(
            "ix_customer_fields_file_id", "file_id", postgresql_where=text("file_id IS NOT NULL")
        ),
    )

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    key_id: Mapped[str | None] = mapped_column(Text)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    file_id: Mapped[str | None] = mapped_column(ForeignKey("customer_files.id"))
    given_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    verified_at: Mapped[datetime | None] = mapped_column(Instant)


class CustomerStanding(Base):
    """How a customer stands for one type, as was last found out and told.

    `verdict` is what was decided, ACCEPTED or REJECTED. `transaction_id` is the transaction
    that the customer last gave something for. `is_by_hand`: people decide from now on.
    """

    __tablename__ = "customer_standings"
    __table_args__ = (
        CheckConstraint(one_of("stand", Stand), name="stand"),
        CheckConstraint("verdict IN ('ACCEPTED', 'REJECTED')", name="verdict"),
        CheckConstraint(
            "(verdict IS NOT DISTINCT FROM 'REJECTED') = (stand = 'REJECTED')", name="final"
        ),
        Index(
            "ix_customer_standings_processing",
            "changed_at",
            postgresql_where=text("stand = 'PROCESSING'"),
        ),
    )

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    type: Mapped[str] = mapped_column(Text, primary_key=True)
    stand: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    is_by_hand: Mapped[bool] = mapped_column(Boolean, default=False)
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))
    changed_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class CustomerHistory(Base):
    """One thing that happened to a customer, and who did it; no value stands in it."""

    __tablename__ = "customer_history"
    __table_args__ = (Index("ix_customer_history_customer_id", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    event: Mapped[str] = mapped_column(Text)
    about: Mapped[str | None] = mapped_column(Text)
    who: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    happened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class CustomerCode(Base):
    """The code that proves a field to be its customer's, as a keyed hash.

    `sent` counts the codes since `counted_since`, so that nobody tries for ever.
    """

    __tablename__ = "customer_codes"
    __table_args__ = (CheckConstraint("tries_left >= 0", name="tries_left"),)

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    key_id: Mapped[str] = mapped_column(Text)
    mark: Mapped[bytes] = mapped_column(LargeBinary)
    tries_left: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    sent: Mapped[int] = mapped_column(Integer, default=1)
    counted_since: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class CustomerCallback(Base):
    """Where a customer's changes are told, until the first that is ACCEPTED or REJECTED."""

    __tablename__ = "customer_callbacks"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    registered_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
