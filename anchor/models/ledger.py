"""The network, the accounts that are watched, and every payment of theirs."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.matching import Verdict
from anchor.models.columns import Instant, Stroops, UInt64, one_of


class Network(Base):
    """A network this database has lived on; `is_current` marks the only one in use.

    A ledger's hash is the identity: after a reset under the same name it differs.
    """

    __tablename__ = "networks"
    __table_args__ = (
        Index(
            "uq_networks_current", "is_current", unique=True, postgresql_where=text("is_current")
        ),
    )

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=True)
    passphrase: Mapped[str] = mapped_column(Text)
    ledger: Mapped[int] = mapped_column(BigInteger)
    ledger_hash: Mapped[str] = mapped_column(Text)
    is_current: Mapped[bool] = mapped_column(Boolean, default=True)
    stamped_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class Account(Base):
    """An account that is watched, how far it was read, and who reads it now.

    What lies before `first_cursor` came before the account was offered to anyone.

    `known_ledger` with its hash is the newest ledger up to which the source was seen to
    hold nothing that we do not: it says later whether this is the same history still.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint(one_of("role", ("distribution", "allocated", "retired")), name="role"),
        UniqueConstraint("network_id", "account_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id"))
    account_id: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    cursor: Mapped[int] = mapped_column(BigInteger)
    first_cursor: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    known_ledger: Mapped[int] = mapped_column(BigInteger)
    known_hash: Mapped[str] = mapped_column(Text)
    read_until: Mapped[datetime] = mapped_column(Instant)
    in_charge_since: Mapped[datetime] = mapped_column(Instant)
    lease_token: Mapped[int] = mapped_column(BigInteger, default=0)
    leased_until: Mapped[datetime | None] = mapped_column(Instant)
    stopped_reason: Mapped[str | None] = mapped_column(Text)


class Opening(Base):
    """What an account held of an asset when it was first compared, in one answer of the ledger."""

    __tablename__ = "openings"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    asset: Mapped[str] = mapped_column(Text, primary_key=True)
    amount: Mapped[int] = mapped_column(Stroops)
    ledger: Mapped[int] = mapped_column(BigInteger)


class Payment(Base):
    """One balance change of a watched account; kept for ever, with its verdict.

    `index` tells the changes of one operation apart, and those of two accounts of ours
    (`anchor.ledger.records`).

    `explained_by` is the outflow that one going out was found to be after a restore, whose
    envelope was forgotten.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint(one_of("direction", ("in", "out")), name="direction"),
        CheckConstraint("amount >= 0", name="amount"),
        UniqueConstraint("network_id", "operation_id", "index"),
        Index(
            "ix_payments_explained_by",
            "explained_by",
            unique=True,
            postgresql_where=text("explained_by IS NOT NULL"),
        ),
        Index(
            "ix_payments_unjudged",
            "id",
            postgresql_where=text("verdict = 'unjudged'"),
        ),
        Index("ix_payments_transaction_hash", "transaction_hash"),
        Index(
            "ix_payments_odd",
            "verdict",
            "id",
            postgresql_where=text("verdict NOT IN ('credited', 'outgoing')"),
        ),
        Index(
            "ix_payments_transaction_id",
            "transaction_id",
            postgresql_where=text("transaction_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id"))
    operation_id: Mapped[int] = mapped_column(BigInteger)
    index: Mapped[int] = mapped_column(SmallInteger)
    direction: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str] = mapped_column(Text)
    counterparty: Mapped[str | None] = mapped_column(Text)
    counterparty_muxed_id: Mapped[int | None] = mapped_column(UInt64)
    asset: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[int | None] = mapped_column(Stroops)
    memo_type: Mapped[str] = mapped_column(Text)
    memo: Mapped[str | None] = mapped_column(Text)
    muxed_id: Mapped[int | None] = mapped_column(UInt64)
    transaction_hash: Mapped[str] = mapped_column(Text)
    ledger: Mapped[int] = mapped_column(BigInteger)
    closed_at: Mapped[datetime] = mapped_column(Instant)
    observed_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    verdict: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))
    explained_by: Mapped[int | None] = mapped_column(ForeignKey("outflows.id", use_alter=True))
    raw: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
