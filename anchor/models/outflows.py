"""Money on its way out: each attempt, and the submissions that carry those on the ledger."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    and_,
    func,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from anchor.assets import is_contracts
from anchor.extensions import Base
from anchor.models.columns import Instant, Stroops, one_of

OUTFLOW_OPEN = ("prepared", "sent", "unknown")
OUTFLOW_STATES = (*OUTFLOW_OPEN, "done", "refused")
OUTFLOW_KINDS = ("payout", "submission", "refund")
#: ``establish`` only creates the account, with lumens of ours, so that it can trust the asset,
#: and ``trustline_lumens`` only gives it what it lacks for that; ``claim`` takes back the claimable
#: balance `balance_id`: what it moves comes in.
OUTFLOW_FORMS = (
    *("payment", "create_account", "claimable_balance"),
    *("establish", "trustline_lumens", "claim"),
)
#: Forms that pay nobody: they prepare an account for its deposit with lumens of ours, …
PREPARING_FORMS = ("establish", "trustline_lumens")
#: … or take back what is ours.
UNPAYING_FORMS = (*PREPARING_FORMS, "claim")
_SENDS_BACK = [text(f"{column} IS NOT NULL") for column in ("payment_id", "receipt_id")]
SUBMISSION_OPEN = ("prepared", "pending_signatures", "submitted")
SUBMISSION_STATES = (*SUBMISSION_OPEN, "confirmed", "dead")


class Outflow(Base):
    """One attempt to move money out: a payout, a submission or a refund.

    Its key was stored before anybody outside heard of it: `first_called_at` says when that
    was, `called_at` when it was told again; `returned_at` is when money that had arrived came
    back. One transaction has one
    outflow at most that is not finally known (partial unique index). One on the ledger has a
    `form`: what kind of operation pays `destination` from `source`. It waits in state
    ``prepared`` until a submission carries it, or a custodian (`custody`) is given the order;
    `is_alone` keeps it out of batches, and `not_before` makes it wait for liquidity. Where it
    `authorizes`, the issuer authorizes the trust line in the operation before the payment, of
    which `operation_index` is the place.
    `told_hash` is the ledger transaction that the custodian says paid it, `ledger` the one that
    holds it, `fee_charged` what it cost the source in lumens. A refund sends one
    payment or receipt back, whether or not that credited a transaction; none is more than came,
    all together. On a quote `amount` of `asset` uses up `sold` of `sold_asset`, in which the fee
    is.
    """

    __tablename__ = "outflows"
    __table_args__ = (
        CheckConstraint(one_of("kind", OUTFLOW_KINDS), name="kind"),
        CheckConstraint(one_of("state", OUTFLOW_STATES), name="state"),
        CheckConstraint("amount > 0 AND amount_fee >= 0", name="amount"),
        CheckConstraint(
            "sold > amount_fee AND sold_asset IS NOT NULL OR sold IS NULL AND sold_asset IS NULL",
            name="sold",
        ),
        CheckConstraint(one_of("form", OUTFLOW_FORMS), name="form"),
        CheckConstraint("(rail IS NULL) = (form IS NOT NULL)", name="rail_or_ledger"),
        CheckConstraint(
            "(kind = 'refund') = (num_nonnulls(payment_id, receipt_id) = 1)",
            name="what_a_refund_is",
        ),
        CheckConstraint("(balance_id IS NOT NULL) = (form = 'claim')", name="balance_to_claim"),
        CheckConstraint("custody IS NULL OR form IS NOT NULL", name="custody_on_the_ledger"),
        CheckConstraint("NOT authorizes OR form = 'payment'", name="what_authorizes"),
        CheckConstraint("kind = 'refund' OR transaction_id IS NOT NULL", name="whose_it_is"),
        UniqueConstraint("key"),
        UniqueConstraint("transaction_id", "attempt"),
        Index(
            "uq_outflows_open",
            "transaction_id",
            unique=True,
            postgresql_where=text(one_of("state", OUTFLOW_OPEN)),
        ),
        Index("ix_outflows_payment_id", "payment_id", postgresql_where=_SENDS_BACK[0]),
        Index("ix_outflows_receipt_id", "receipt_id", postgresql_where=_SENDS_BACK[1]),
        Index(
            "ix_outflows_called_at",
            "asset",
            "called_at",
            postgresql_where=text("called_at IS NOT NULL"),
        ),
        Index(
            "ix_outflows_sold_asset",
            "sold_asset",
            "called_at",
            postgresql_where=text("sold_asset IS NOT NULL AND called_at IS NOT NULL"),
        ),
        Index(
            "ix_outflows_balance_id",
            "balance_id",
            postgresql_where=text("balance_id IS NOT NULL"),
        ),
        Index("ix_outflows_reference", "reference", postgresql_where=text("rail IS NOT NULL")),
        Index("ix_outflows_open_rail", "rail", postgresql_where=text("state = 'sent'")),
        Index(
            "ix_outflows_queue",
            "source",
            "id",
            postgresql_where=text("state = 'prepared' AND form IS NOT NULL"),
        ),
        Index(
            "uq_outflows_arrived",
            "reference",
            "operation_index",
            unique=True,
            postgresql_where=text("state = 'done' AND form IS NOT NULL"),
        ),
        Index(
            "ix_outflows_custody",
            "custody",
            "id",
            postgresql_where=text("custody IS NOT NULL AND state IN ('sent', 'unknown')"),
        ),
        Index(
            "ix_outflows_submission_id",
            "submission_id",
            postgresql_where=text("submission_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"))
    receipt_id: Mapped[int | None] = mapped_column(ForeignKey("receipts.id"))
    kind: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(Integer)
    key: Mapped[str] = mapped_column(Text)
    rail: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(Stroops)
    amount_fee: Mapped[int] = mapped_column(Stroops, default=0)
    form: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    destination: Mapped[str | None] = mapped_column(Text)
    balance_id: Mapped[str | None] = mapped_column(Text)
    memo_type: Mapped[str | None] = mapped_column(Text)
    memo: Mapped[str | None] = mapped_column(Text)
    is_alone: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    authorizes: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    not_before: Mapped[datetime | None] = mapped_column(Instant)
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    operation_index: Mapped[int | None] = mapped_column(SmallInteger)
    custody: Mapped[str | None] = mapped_column(Text)
    told_hash: Mapped[str | None] = mapped_column(Text)
    ledger: Mapped[int | None] = mapped_column(BigInteger)
    fee_charged: Mapped[int | None] = mapped_column(Stroops)
    reference: Mapped[str | None] = mapped_column(Text)
    delivered_amount: Mapped[int | None] = mapped_column(Stroops)
    note: Mapped[str | None] = mapped_column(Text)
    calls: Mapped[int] = mapped_column(Integer, default=0)
    begun_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
    first_called_at: Mapped[datetime | None] = mapped_column(Instant)
    called_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    returned_at: Mapped[datetime | None] = mapped_column(Instant)
    sold: Mapped[int | None] = mapped_column(Stroops)
    sold_asset: Mapped[str | None] = mapped_column(Text)

    @property
    def pays_for(self) -> str:
        """The transaction that it pays for; a refund may have none."""
        assert self.transaction_id is not None
        return self.transaction_id

    @property
    def only_prepares(self) -> bool:
        """Whether it only makes the account able to take what its deposit comes to."""
        return self.form in PREPARING_FORMS

    @property
    def pays_nobody(self) -> bool:
        """Whether it moves lumens, or a balance, of ours and none of the customer's money."""
        return self.form in UNPAYING_FORMS

    @hybrid_property
    def calls_contract(self) -> bool:
        """Whether it pays a contract account, by a call of the asset's contract."""
        return self.form == "payment" and is_contracts(self.destination)

    @calls_contract.inplace.expression
    @classmethod
    def _calls_contract(cls) -> ColumnElement[bool]:
        return and_(cls.form == "payment", cls.destination.like("C%"))

    @property
    def operations(self) -> int:
        """How many operations carry it out on the ledger."""
        return 2 if self.authorizes else 1

    @property
    def gross(self) -> int:
        """What the customer's money is less by: the amount and its fee, or what was sold for it."""
        return self.amount + self.amount_fee if self.sold is None else self.sold

    @property
    def net(self) -> int:
        """What of the customer's money was paid with, without the fee."""
        return self.gross - self.amount_fee

    @property
    def gross_asset(self) -> str:
        """The asset of `gross` and of the fee, as the books name it."""
        return self.sold_asset or self.asset


class KnownLine(Base):
    """A trust line that we authorize no more: it was authorized once, or a person refused it."""

    __tablename__ = "known_lines"

    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id"), primary_key=True)
    asset: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    since: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class Channel(Base):
    """An account whose sequence numbers carry our submissions, one at a time.

    `number` says which key it is derived from; None is the paying account itself, whose key
    custody holds. `sequence` is the last number of it that is known to be used up.
    """

    __tablename__ = "channels"
    __table_args__ = (UniqueConstraint("network_id", "account_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id"))
    account_id: Mapped[str] = mapped_column(Text)
    number: Mapped[int | None] = mapped_column(Integer)
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    retired_at: Mapped[datetime | None] = mapped_column(Instant)


class Submission(Base):
    """One sequence number of a channel, and the operations that it is to carry.

    Its envelopes all have this channel and this sequence number, so the ledger takes one of
    them at most. A channel has one open submission (partial unique index): it is free again
    when the number is used up, or is shown to be unused after every time bound. `ledger` and
    `hash` are those of the envelope that a ledger took.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        CheckConstraint(one_of("state", SUBMISSION_STATES), name="state"),
        Index(
            "uq_submissions_open",
            "channel_id",
            unique=True,
            postgresql_where=text(one_of("state", SUBMISSION_OPEN)),
        ),
        Index(
            "uq_submissions_used",
            "channel_id",
            "sequence",
            unique=True,
            postgresql_where=text("is_used_up"),
        ),
        Index(
            "ix_submissions_open",
            "source",
            "id",
            postgresql_where=text(one_of("state", SUBMISSION_OPEN)),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id"))
    source: Mapped[str] = mapped_column(Text)
    sequence: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text)
    is_used_up: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    codes: Mapped[str | None] = mapped_column(Text)
    fee_charged: Mapped[int | None] = mapped_column(Stroops)
    ledger: Mapped[int | None] = mapped_column(BigInteger)
    hash: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    settled_at: Mapped[datetime | None] = mapped_column(Instant)


class Envelope(Base):
    """An envelope of a submission, stored before anybody outside saw it (promise 6).

    `max_time` is in seconds since 1970. `fee` is what it bids in all. `hash` is the one the
    network knows it by, `inner_hash` that of the transaction inside a fee bump. While its
    submission waits for signatures, `ask_at` is when custody is asked again; None says that
    it has said its last word, and people sign. `asks` counts how often it was asked.
    """

    __tablename__ = "envelopes"
    __table_args__ = (
        UniqueConstraint("hash"),
        Index("ix_envelopes_submission_id", "submission_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    hash: Mapped[str] = mapped_column(Text)
    inner_hash: Mapped[str | None] = mapped_column(Text)
    envelope_xdr: Mapped[str] = mapped_column(Text)
    max_time: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(Stroops)
    submitted_at: Mapped[datetime | None] = mapped_column(Instant)
    answer: Mapped[str | None] = mapped_column(Text)
    asks: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    ask_at: Mapped[datetime | None] = mapped_column(Instant)
    stored_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
