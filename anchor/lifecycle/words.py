"""The words of a life: kinds of transaction, where they stand, what can happen to them."""

from enum import StrEnum

from anchor.errors import Rejected


class Kind(StrEnum):
    """What a transaction does; exchange kinds convert on the way and live alike."""

    DEPOSIT = "deposit"
    DEPOSIT_EXCHANGE = "deposit-exchange"
    WITHDRAWAL = "withdrawal"
    WITHDRAWAL_EXCHANGE = "withdrawal-exchange"
    SEND = "send"
    REMITTANCE = "remittance"


#: The ways of money with a wallet at their one end, each with its form on a quote.
DEPOSITS = (Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE)
WITHDRAWALS = (Kind.WITHDRAWAL, Kind.WITHDRAWAL_EXCHANGE)


class Status(StrEnum):
    """Where a transaction stands, in the words of the SEPs."""

    INCOMPLETE = "incomplete"
    PENDING_ANCHOR = "pending_anchor"
    PENDING_CUSTOMER_INFO_UPDATE = "pending_customer_info_update"
    PENDING_TRANSACTION_INFO_UPDATE = "pending_transaction_info_update"
    PENDING_USER = "pending_user"
    PENDING_USER_TRANSFER_START = "pending_user_transfer_start"
    PENDING_USER_TRANSFER_COMPLETE = "pending_user_transfer_complete"
    PENDING_SENDER = "pending_sender"
    PENDING_RECEIVER = "pending_receiver"
    PENDING_EXTERNAL = "pending_external"
    PENDING_STELLAR = "pending_stellar"
    PENDING_TRUST = "pending_trust"
    ON_HOLD = "on_hold"
    NO_MARKET = "no_market"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    ERROR = "error"
    EXPIRED = "expired"
    COMPLETED = "completed"
    REFUNDED = "refunded"


class Event(StrEnum):
    """What can happen to a transaction, in the past tense."""

    DETAILS_GIVEN = "details_given"
    CHECKS_BEGUN = "checks_begun"
    DETAILS_NEEDED = "details_needed"
    CUSTOMER_INFO_NEEDED = "customer_info_needed"
    CUSTOMER_INFO_GIVEN = "customer_info_given"
    CUSTOMER_ACCEPTED = "customer_accepted"
    CUSTOMER_REJECTED = "customer_rejected"
    TRANSACTION_INFO_NEEDED = "transaction_info_needed"
    TRANSACTION_INFO_GIVEN = "transaction_info_given"
    USER_ACTION_NEEDED = "user_action_needed"
    USER_ACTED = "user_acted"
    USER_SAID_SENT = "user_said_sent"
    TRUST_MISSING = "trust_missing"
    TRUST_FOUND = "trust_found"
    TOO_SMALL_FOUND = "too_small_found"
    TOO_LARGE_FOUND = "too_large_found"
    NO_MARKET_FOUND = "no_market_found"
    FUNDS_RECEIVED = "funds_received"
    HELD = "held"
    RELEASED = "released"
    PAYOUT_SENT = "payout_sent"
    PAYOUT_READY_FOR_PICKUP = "payout_ready_for_pickup"
    PAYOUT_COMPLETED = "payout_completed"
    PAYOUT_NEEDS_INFO = "payout_needs_info"
    PAYOUT_REFUSED = "payout_refused"
    PAYOUT_RETURNED = "payout_returned"
    LEDGER_PAYMENT_SUBMITTED = "ledger_payment_submitted"
    LEDGER_PAYMENT_CONFIRMED = "ledger_payment_confirmed"
    LEDGER_PAYMENT_FAILED = "ledger_payment_failed"
    REFUND_SENT = "refund_sent"
    REFUND_COMPLETED = "refund_completed"
    PARTLY_REFUNDED = "partly_refunded"
    REFUND_FAILED = "refund_failed"
    EXPIRED = "expired"
    FAILED = "failed"
    RECOVERED = "recovered"


class NoSuchMove(Rejected):
    """The table has no row for this: it does not happen, and a person looks at it."""
