"""The tables. Amounts are integers of 10⁻⁷; instants are aware and in UTC.

Unique keys and CHECKs here are what the promises lean on; services may race.
"""

import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.lifecycle import Event, Kind, Status
from anchor.matching import Verdict

Instant = DateTime(timezone=True)
Stroops = BigInteger

OUTFLOW_OPEN = ("prepared", "sent", "unknown")
OUTFLOW_STATES = (*OUTFLOW_OPEN, "done", "refused")
OUTFLOW_KINDS = ("payout", "submission", "refund")
MEMO_TYPES = ("id", "hash", "text")


def new_id() -> str:
    """Return an id nobody can guess: 128 random bits, URL-safe."""
    return secrets.token_hex(16)


def _one_of(column: str, values: Any) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


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

    `known_ledger` with its hash is the newest ledger up to which the source was seen to
    hold nothing that we do not: it says later whether this is the same history still.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint(_one_of("role", ("distribution", "allocated", "retired")), name="role"),
        UniqueConstraint("network_id", "account_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id"))
    account_id: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    cursor: Mapped[int] = mapped_column(BigInteger)
    known_ledger: Mapped[int] = mapped_column(BigInteger)
    known_hash: Mapped[str] = mapped_column(Text)
    read_until: Mapped[datetime] = mapped_column(Instant)
    in_charge_since: Mapped[datetime] = mapped_column(Instant)
    lease_token: Mapped[int] = mapped_column(BigInteger, default=0)
    leased_until: Mapped[datetime | None] = mapped_column(Instant)
    stopped_reason: Mapped[str | None] = mapped_column(Text)


class Transaction(Base):
    """A deposit, withdrawal or send, from its first step to its end.

    `status` and `version` are written by `services.transactions` alone.
    `amount_received` is the sum of credited receipts: *funds in* is that it is above 0.
    """

    __tablename__ = "transactions"
    __table_args__ = (
        CheckConstraint(_one_of("kind", Kind), name="kind"),
        CheckConstraint(_one_of("status", Status), name="status"),
        CheckConstraint(_one_of("flow", ("interactive", "programmatic", "send")), name="flow"),
        CheckConstraint(_one_of("settlement", ("stellar", "rail")), name="settlement"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("amount_received >= 0 AND amount_paid >= 0", name="amounts"),
        CheckConstraint("amount_paid <= amount_received", name="never_more_out_than_in"),
        CheckConstraint("amount_expected > 0", name="amount_expected"),
        CheckConstraint("amount_in = amount_out + amount_fee", name="in_is_out_and_fee"),
        CheckConstraint("amount_out > 0 AND amount_fee >= 0", name="amount_out"),
        Index("ix_transactions_owner", "owner_account", "started_at", "id"),
        Index(
            "ix_transactions_ready",
            "status",
            "id",
            postgresql_where=text("status IN ('pending_anchor', 'pending_receiver')"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(Text)
    flow: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1)
    owner_account: Mapped[str] = mapped_column(Text)
    owner_subaccount: Mapped[Decimal | None] = mapped_column(Numeric(20, 0))
    client_domain: Mapped[str | None] = mapped_column(Text)
    home_domain: Mapped[str | None] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    asset_code: Mapped[str] = mapped_column(Text)
    rail: Mapped[str] = mapped_column(Text)
    settlement: Mapped[str] = mapped_column(Text, default="stellar")
    amount_expected: Mapped[int | None] = mapped_column(Stroops)
    amount_received: Mapped[int] = mapped_column(Stroops, default=0)
    amount_paid: Mapped[int] = mapped_column(Stroops, default=0)
    amount_in: Mapped[int | None] = mapped_column(Stroops)
    amount_out: Mapped[int | None] = mapped_column(Stroops)
    amount_fee: Mapped[int | None] = mapped_column(Stroops)
    fee_fixed: Mapped[int] = mapped_column(Stroops, default=0)
    fee_percent: Mapped[Decimal] = mapped_column(Numeric(9, 6), default=Decimal(0))
    decimals: Mapped[int] = mapped_column(SmallInteger, default=2)
    details: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    lang: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    from_account: Mapped[str | None] = mapped_column(Text)
    stellar_transaction_id: Mapped[str | None] = mapped_column(Text)
    external_transaction_id: Mapped[str | None] = mapped_column(Text)
    deadline_at: Mapped[datetime | None] = mapped_column(Instant)
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    completed_at: Mapped[datetime | None] = mapped_column(Instant)


class Memo(Base):
    """A memo that the anchor issued. It is never issued again, whatever becomes of its owner."""

    __tablename__ = "memos"
    __table_args__ = (
        CheckConstraint(_one_of("memo_type", MEMO_TYPES), name="memo_type"),
        CheckConstraint(
            "memo_type <> 'id' OR (memo ~ '^(0|[1-9][0-9]{0,19})$'"
            " AND memo::numeric <= 18446744073709551615)",
            name="id_is_uint64",
        ),
        UniqueConstraint("network_id", "account_id", "memo_type", "memo"),
        UniqueConstraint("transaction_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id"))
    account_id: Mapped[str] = mapped_column(Text)
    memo_type: Mapped[str] = mapped_column(Text)
    memo: Mapped[str] = mapped_column(Text)
    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id"))


class History(Base):
    """One thing that happened to a transaction, by the id of its cause."""

    __tablename__ = "history"
    __table_args__ = (
        CheckConstraint(_one_of("event", (*Event, "opened", "credited")), name="event"),
        UniqueConstraint("transaction_id", "event", "cause"),
        UniqueConstraint("transaction_id", "version"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id"))
    version: Mapped[int] = mapped_column(Integer)
    event: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    happened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class Payment(Base):
    """One balance change of a watched account; kept for ever, with its verdict."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint(_one_of("verdict", Verdict), name="verdict"),
        CheckConstraint(_one_of("direction", ("in", "out")), name="direction"),
        CheckConstraint("amount >= 0", name="amount"),
        UniqueConstraint("network_id", "operation_id", "index"),
        Index(
            "ix_payments_unjudged",
            "id",
            postgresql_where=text("verdict = 'unjudged'"),
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
    counterparty_muxed_id: Mapped[Decimal | None] = mapped_column(Numeric(20, 0))
    asset: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[int | None] = mapped_column(Stroops)
    memo_type: Mapped[str] = mapped_column(Text)
    memo: Mapped[str | None] = mapped_column(Text)
    muxed_id: Mapped[Decimal | None] = mapped_column(Numeric(20, 0))
    transaction_hash: Mapped[str] = mapped_column(Text)
    ledger: Mapped[int] = mapped_column(BigInteger)
    closed_at: Mapped[datetime] = mapped_column(Instant)
    observed_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    verdict: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))
    raw: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class Job(Base):
    """Work that waits. Its address is (kind, subject); it is deleted when it is done.

    `due_at`, `leased_until`, `attempts` and `parked_at` are separate facts. `token` names
    the present holder. `lane` is the rail or host whose ceiling counts.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_due", "kind", "due_at", postgresql_where=text("parked_at IS NULL")),
        Index(
            "ix_jobs_leased",
            "lane",
            "leased_until",
            postgresql_where=text("leased_until IS NOT NULL"),
        ),
    )

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    subject_id: Mapped[str] = mapped_column(Text, primary_key=True)
    lane: Mapped[str] = mapped_column(Text, default="")
    due_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    rung_at: Mapped[datetime | None] = mapped_column(Instant)
    leased_until: Mapped[datetime | None] = mapped_column(Instant)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    again: Mapped[bool] = mapped_column(Boolean, default=False)
    parked_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str | None] = mapped_column(Text)


class Outflow(Base):
    """One attempt to move money out: a payout, a submission or a refund.

    Its key was stored before anybody outside heard of it, and one transaction has one
    outflow at most that is not finally known (partial unique index).
    """

    __tablename__ = "outflows"
    __table_args__ = (
        CheckConstraint(_one_of("kind", OUTFLOW_KINDS), name="kind"),
        CheckConstraint(_one_of("state", OUTFLOW_STATES), name="state"),
        CheckConstraint("amount > 0 AND amount_fee >= 0", name="amount"),
        UniqueConstraint("key"),
        UniqueConstraint("transaction_id", "attempt"),
        Index(
            "uq_outflows_open",
            "transaction_id",
            unique=True,
            postgresql_where=text(_one_of("state", OUTFLOW_OPEN)),
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
    called_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)


class Case(Base):
    """Something that no table of rules answers: an operator does."""

    __tablename__ = "cases"
    __table_args__ = (
        UniqueConstraint("reason", "cause"),
        Index("ix_cases_open", "opened_at", postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    reason: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))
    asset: Mapped[str | None] = mapped_column(Text)
    amount_owed: Mapped[int | None] = mapped_column(Stroops)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    closed_at: Mapped[datetime | None] = mapped_column(Instant)


class UsedChallenge(Base):
    """A log-in challenge that was exchanged for a token: it never is again."""

    __tablename__ = "used_challenges"

    hash: Mapped[str] = mapped_column(Text, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Tick(Base):
    """A tick of the schedule that was taken: any number of schedulers may ring."""

    __tablename__ = "ticks"

    service: Mapped[str] = mapped_column(Text, primary_key=True)
    minute: Mapped[datetime] = mapped_column(Instant, primary_key=True)
