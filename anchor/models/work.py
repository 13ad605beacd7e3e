"""Work that waits, ticks taken, requests counted, and what only a person can answer."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
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

#: What a pause can be about: everything, an asset, a rail, or a kind of transaction.
PAUSE_SCOPES = ("all", "asset", "rail", "kind")


class Job(Base):
    """Work that waits. Its address is (kind, subject); it is deleted when it is done.

    `due_at`, `leased_until`, `attempts` and `parked_at` are separate facts. `token` names
    the present holder. `lane` is the rail or host whose ceiling counts.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_due", "kind", "due_at", postgresql_where=text("parked_at IS NULL")),
        Index("ix_jobs_lane", "lane", "due_at", postgresql_where=text("parked_at IS NULL")),
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


class Tick(Base):
    """A tick of the schedule that was taken: any number of schedulers may ring."""

    __tablename__ = "ticks"

    service: Mapped[str] = mapped_column(Text, primary_key=True)
    minute: Mapped[datetime] = mapped_column(Instant, primary_key=True)


class Budget(Base):
    """How often somebody outside was asked in the last minute in which that was counted."""

    __tablename__ = "budgets"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    minute: Mapped[datetime] = mapped_column(Instant)
    used: Mapped[int] = mapped_column(Integer, default=0)


class Case(Base):
    """Something that no table of rules answers: an operator does.

    `looked_at` is when the policy of automatic refunds decided about it.
    """

    __tablename__ = "cases"
    __table_args__ = (
        UniqueConstraint("reason", "cause"),
        Index("ix_cases_open", "opened_at", postgresql_where=text("closed_at IS NULL")),
        Index(
            "ix_cases_transaction_id",
            "transaction_id",
            postgresql_where=text("transaction_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    reason: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))
    asset: Mapped[str | None] = mapped_column(Text)
    amount_owed: Mapped[int | None] = mapped_column(Stroops)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    looked_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)


class Act(Base):
    """What somebody did: `what`, `who` it was, about which case or transaction, and why.

    `outflow_id` is what it sent, or was about. `key` is that of whoever asked, under which it is
    done once, and `meaning` what it is held to.
    """

    __tablename__ = "acts"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint("(key IS NULL) = (meaning IS NULL)", name="key_has_meaning"),
        Index("ix_acts_case_id", "case_id", postgresql_where=text("case_id IS NOT NULL")),
        Index(
            "ix_acts_transaction_id",
            "transaction_id",
            postgresql_where=text("transaction_id IS NOT NULL"),
        ),
        Index("ix_acts_outflow_id", "outflow_id", postgresql_where=text("outflow_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    what: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(Text)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"))
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))
    outflow_id: Mapped[int | None] = mapped_column(ForeignKey("outflows.id"))
    note: Mapped[str | None] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    meaning: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class Pause(Base):
    """Money of some kind that must not leave: `scope` is ``all`` or which, and `subject` that.

    Checked in the claim of every outflow; one that is on its way goes on. That of a restore is
    ``all`` with the subject ``restore``; `ledger_closed_at` is when the newest ledger had closed
    as it began.
    """

    __tablename__ = "pauses"
    __table_args__ = (CheckConstraint(one_of("scope", PAUSE_SCOPES), name="scope"),)

    scope: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    who: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    ledger_closed_at: Mapped[datetime | None] = mapped_column(Instant)
