"""Transactions, the memos that they were given, and what happened to them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
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

from anchor.assets import held_as
from anchor.extensions import Base
from anchor.fees import FeeSchedule, from_stored
from anchor.lifecycle import Event, Kind, Status
from anchor.models.columns import MEMO_TYPES, Instant, Stroops, UInt64, new_id, one_of

#: Whose money a rail is asked about, and whose it is asked about for some days more.
AWAITED = (
    "kind IN ('deposit', 'deposit-exchange') AND"
    " status IN ('pending_user_transfer_start', 'pending_external')"
    " OR kind = 'remittance' AND status = 'pending_user_transfer_start'"
    " OR settlement = 'rail' AND status = 'pending_sender'"
)
EXPIRED_AWAITED = (
    "status = 'expired' AND"
    " (kind IN ('deposit', 'deposit-exchange', 'remittance') OR settlement = 'rail')"
)
#: What goes on, or waits for somebody.
NOT_OVER = "status NOT IN ('completed', 'refunded', 'expired', 'error')"
#: What may expire, unless a part has come: it is not paid, and not over. Read by its deadline.
UNPAID = f"funded_at IS NULL AND {NOT_OVER}"

#: What rests and is not over: nothing is paid out for it until a person or its customer acts.
AT_REST = "is_resting AND status NOT IN ('completed', 'refunded', 'expired', 'error')"


class Transaction(Base):
    """A deposit, withdrawal or send, from its first step to its end.

    `status` and `version` are written by `services.transactions` alone.
    `amount_received` is the sum of credited receipts: *funds in* is that it is above 0.
    `funded_at` is when that was enough, and `is_resting` keeps it from being paid out until a
    person or the customer acts. What left is `amount_paid` and `amount_refunded`, each with its
    fees; they never exceed what came. `destination` is where a deposit is paid to; `reference` is
    what its payer writes on the transfer, and is never given out again. `callback_url` is told of
    each change of status.

    One on a quote exchanges `amount_in_asset` for `amount_out_asset` (named as SEP-38 does) on
    the quote's numbers: what came, what was refunded, `amount_paid` and the fee are in the
    former. Else all are in `asset`.

    `customer_id` is whose it is, where its owner named another customer of theirs; a send is from
    the customer `sender_id` to `receiver_id`. `required_info` are the details that its rail wants
    again, by name, each with the reason.
    """

    __tablename__ = "transactions"
    __table_args__ = (
        CheckConstraint(one_of("kind", Kind), name="kind"),
        CheckConstraint(one_of("status", Status), name="status"),
        CheckConstraint(
            one_of("flow", ("interactive", "programmatic", "send", "remittance")), name="flow"
        ),
        CheckConstraint(one_of("settlement", ("stellar", "rail")), name="settlement"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint(
            "amount_received >= 0 AND amount_paid >= 0 AND amount_refunded >= 0", name="amounts"
        ),
        CheckConstraint(
            "amount_paid + amount_refunded <= amount_received", name="never_more_out_than_in"
        ),
        CheckConstraint(
            one_of("refund_memo_type", (*MEMO_TYPES, "return")), name="refund_memo_type"
        ),
        CheckConstraint("amount_expected > 0", name="amount_expected"),
        CheckConstraint(
            "quote_id IS NOT NULL OR amount_in = amount_out + amount_fee", name="in_is_out_and_fee"
        ),
        CheckConstraint(
            "(quote_id IS NULL) = (amount_in_asset IS NULL)"
            " AND (quote_id IS NULL) = (amount_out_asset IS NULL)",
            name="exchange",
        ),
        CheckConstraint("amount_out > 0 AND amount_fee >= 0", name="amount_out"),
        CheckConstraint(
            one_of("destination_memo_type", (*MEMO_TYPES, "return")), name="destination_memo_type"
        ),
        UniqueConstraint("reference"),
        UniqueConstraint("quote_id"),
        Index("ix_transactions_owner", "owner_account", "started_at", "id"),
        Index(
            "ix_transactions_agreed",
            "owner_account",
            "asset",
            "agreed_at",
            postgresql_where=text("agreed_at IS NOT NULL"),
        ),
        Index(
            "ix_transactions_ready",
            "status",
            "id",
            postgresql_where=text("status IN ('pending_anchor', 'pending_receiver')"),
        ),
        Index(
            "ix_transactions_awaited",
            "rail",
            "id",
            postgresql_where=text(AWAITED),
        ),
        Index(
            "ix_transactions_expired",
            "rail",
            "updated_at",
            "id",
            postgresql_where=text(EXPIRED_AWAITED),
        ),
        Index(
            "ix_transactions_awaiting_customer",
            "owner_account",
            "id",
            postgresql_where=text("status = 'pending_customer_info_update'"),
        ),
        Index(
            "ix_transactions_not_over",
            "kind",
            "status",
            "updated_at",
            postgresql_where=text(NOT_OVER),
        ),
        Index("ix_transactions_unpaid", "deadline_at", postgresql_where=text(UNPAID)),
        *(
            Index(f"ix_transactions_{name}", name, postgresql_where=text(f"{name} IS NOT NULL"))
            for name in ("sender_id", "receiver_id")
        ),
        Index("ix_transactions_started_at", "started_at", "id"),
        Index("ix_transactions_at_rest", "started_at", "id", postgresql_where=text(AT_REST)),
        Index(
            "ix_transactions_pending_trust",
            "id",
            postgresql_where=text("status = 'pending_trust'"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(Text)
    flow: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1)
    owner_account: Mapped[str] = mapped_column(Text)
    owner_subaccount: Mapped[int | None] = mapped_column(UInt64)
    client_domain: Mapped[str | None] = mapped_column(Text)
    home_domain: Mapped[str | None] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    asset_code: Mapped[str] = mapped_column(Text)
    rail: Mapped[str] = mapped_column(Text)
    settlement: Mapped[str] = mapped_column(Text, default="stellar")
    amount_expected: Mapped[int | None] = mapped_column(Stroops)
    amount_received: Mapped[int] = mapped_column(Stroops, default=0)
    amount_paid: Mapped[int] = mapped_column(Stroops, default=0)
    amount_refunded: Mapped[int] = mapped_column(Stroops, default=0, server_default=text("0"))
    amount_in: Mapped[int | None] = mapped_column(Stroops)
    amount_out: Mapped[int | None] = mapped_column(Stroops)
    amount_fee: Mapped[int | None] = mapped_column(Stroops)
    fee_fixed: Mapped[int] = mapped_column(Stroops, default=0)
    fee_percent: Mapped[Decimal] = mapped_column(Numeric(9, 6), default=Decimal(0))
    fee_rules: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    funded_at: Mapped[datetime | None] = mapped_column(Instant)
    is_resting: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    decimals: Mapped[int] = mapped_column(SmallInteger, default=2)
    details: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    lang: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    from_account: Mapped[str | None] = mapped_column(Text)
    destination: Mapped[str | None] = mapped_column(Text)
    destination_memo_type: Mapped[str | None] = mapped_column(Text)
    destination_memo: Mapped[str | None] = mapped_column(Text)
    refund_memo_type: Mapped[str | None] = mapped_column(Text)
    refund_memo: Mapped[str | None] = mapped_column(Text)
    reference: Mapped[str | None] = mapped_column(Text)
    takes_claimable_balance: Mapped[bool] = mapped_column(
        Boolean, default=False, server_default=text("false")
    )
    claimable_balance_id: Mapped[str | None] = mapped_column(Text)
    stellar_transaction_id: Mapped[str | None] = mapped_column(Text)
    external_transaction_id: Mapped[str | None] = mapped_column(Text)
    deadline_at: Mapped[datetime | None] = mapped_column(Instant)
    agreed_at: Mapped[datetime | None] = mapped_column(Instant)
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    completed_at: Mapped[datetime | None] = mapped_column(Instant)
    quote_id: Mapped[str | None] = mapped_column(ForeignKey("quotes.id"))
    amount_in_asset: Mapped[str | None] = mapped_column(Text)
    amount_out_asset: Mapped[str | None] = mapped_column(Text)
    callback_url: Mapped[str | None] = mapped_column(Text)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    sender_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    receiver_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    required_info: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))

    @property
    def fee_schedule(self) -> FeeSchedule:
        """What is kept of what comes in, as it was when the customer was told."""
        return from_stored(self.fee_fixed, self.fee_percent, self.fee_rules)

    @property
    def received_as(self) -> str:
        """The asset of what comes in, as the books name it."""
        return held_as(self.amount_in_asset) if self.amount_in_asset else self.asset

    @property
    def paid_as(self) -> str:
        """The asset of what goes out to the customer, as the books name it."""
        return held_as(self.amount_out_asset) if self.amount_out_asset else self.asset


class Memo(Base):
    """A memo that the anchor issued. It is never issued again, whatever becomes of its owner."""

    __tablename__ = "memos"
    __table_args__ = (
        CheckConstraint(one_of("memo_type", MEMO_TYPES), name="memo_type"),
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
        CheckConstraint(
            one_of("event", (*Event, "opened", "credited", "balance_ended")), name="event"
        ),
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
