"""Why a case is opened: each reason with what it means and what a person may do.

The names are stored and shown, and never change. The page `docs/how-to/work-at-the-desk.md` is
made from this table.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A reason of cases; `means` is what happened, `answer` what a person may do about it."""

    means: str
    answer: str

    def __new__(cls, name: str, means: str, answer: str) -> "Reason":
        """Make one of its name, what it means, and the answer."""
        made = str.__new__(cls, name)
        made._value_ = name
        made.means, made.answer = means, answer
        return made

    @classmethod
    def named(cls, name: str) -> "Reason | None":
        """Return the reason of a name; None for one that another version stored."""
        return next((each for each in cls if each == name), None)

    # -- money came, on the ledger (payment) or by rail (receipt) ---------------------------
    PAYMENT_UNMATCHED = (
        "payment_unmatched",
        "A payment came without a memo that was given out.",
        "`credit` where you know whose it is, else `refund`",
    )
    RECEIPT_UNMATCHED = (
        "receipt_unmatched",
        "The bank booked money without a reference that was given out.",
        "`credit` where you know whose it is, else `refund`",
    )
    PAYMENT_LATE = (
        "payment_late",
        "A payment came after its transaction had expired or ended.",
        "`credit` lets an expired one go on; `refund` sends it back",
    )
    RECEIPT_LATE = (
        "receipt_late",
        "The bank booked money after its transaction had expired or ended.",
        "`credit` lets an expired one go on; `refund` sends it back",
    )
    PAYMENT_WRONG_ASSET = (
        "payment_wrong_asset",
        "A payment came in another asset than was asked for.",
        "`refund`",
    )
    RECEIPT_WRONG_ASSET = (
        "receipt_wrong_asset",
        "The bank booked another currency than was asked for.",
        "`refund`",
    )
    PAYMENT_TOO_SMALL = (
        "payment_too_small",
        "Less was paid than was asked for.",
        "`refund`, or `credit` to go on with what came",
    )
    RECEIPT_TOO_SMALL = (
        "receipt_too_small",
        "The bank booked less than was asked for.",
        "`refund`, or `credit` to go on with what came",
    )
    PAYMENT_TOO_LARGE = (
        "payment_too_large",
        "More was paid than was asked for.",
        "`refund`, or `credit` to go on with what came",
    )
    RECEIPT_TOO_LARGE = (
        "receipt_too_large",
        "The bank booked more than was asked for.",
        "`refund`, or `credit` to go on with what came",
    )
    PAYMENT_SECOND = (
        "payment_second",
        "A payment came once more for a transaction that has its money.",
        "`refund`, or `credit` to add it",
    )
    RECEIPT_SECOND = (
        "receipt_second",
        "The bank booked money once more for a transaction that has its money.",
        "`refund`, or `credit` to add it",
    )
    PAYMENT_UNREADABLE = (
        "payment_unreadable",
        "The ledger shows a payment that could not be read.",
        "look at it on the ledger; settle it by hand and `close`",
    )
    PAYMENT_TOLD_OTHERWISE = (
        "payment_told_otherwise",
        "Two sources tell of different payments in one operation; what was kept first stays.",
        "look at it on the ledger; `reconcile` shows what the books lack; settle it by hand and "
        "`close`",
    )
    RECEIPT_UNREADABLE = (
        "receipt_unreadable",
        "The rail told of a booking that could not be read; it is kept once it can be.",
        "mend the rail; or ask the bank, settle it by hand and `close`",
    )
    RECEIPT_CHANGED = (
        "receipt_changed",
        "The rail tells another amount or currency for a booking that is kept already.",
        "ask the bank which is true; what is kept stays, settle the difference by hand",
    )
    RECEIPT_REVERSED = (
        "receipt_reversed",
        "The bank took a booking back.",
        "nothing moves by itself; what was paid out is a loss. `refund` what is left, then `fail`",
    )
    REVERSAL_HALF_DONE = (
        "reversal_half_done",
        "The bank took a booking back, and undoing what it had caused failed.",
        "`hold` its transaction, see the log, and correct it with who develops",
    )
    MONEY_WAS_MISSED = (
        "money_was_missed",
        "The daily comparison found payments or bookings that nobody had told; they are kept now.",
        "nothing for the money; find out why the stream or the rail missed it",
    )
    EVENT_OF_NOBODY = (
        "event_of_nobody",
        "The bank told of an order that is not ours.",
        "ask the bank; a restored database may have forgotten it",
    )
    EVENT_UNREADABLE = (
        "event_unreadable",
        "The rail could not read what the bank told it; it is kept.",
        "mend the rail, then `retry` as the note says",
    )

    # -- deposits and their deadlines ------------------------------------------------------
    DEADLINE_WITH_A_PART_IN = (
        "deadline_with_a_part_in",
        "A part of the money came, and the deadline has passed.",
        "`refund` it, or wait on",
    )
    DEPOSIT_HELD = (
        "deposit_held",
        "The rail holds a deposit, and says why.",
        "see the note; `release` once that is cleared, or `refund`",
    )
    DEPOSIT_FAILED = (
        "deposit_failed",
        "The rail says that a deposit failed.",
        "see the note; `refund` what came",
    )
    DEPOSIT_UNANSWERED = (
        "deposit_unanswered",
        "The rail cannot answer about a deposit; until it can, the deposit does not expire.",
        "mend the rail",
    )
    DEPOSIT_CANNOT_BE_PAID = (
        "deposit_cannot_be_paid",
        "A deposit's money is in, and no payment can be made of it.",
        "see the note; `release` once that is mended, or `refund`",
    )
    TRUSTLINE_CLOSED = (
        "trustline_closed",
        "A deposit's trust line is closed, and was open once or is refused: we do not open it.",
        "have its issuer authorize it, or `allow-trustline`, or `refund`",
    )
    TRUST_IS_MISSING = (
        "trust_is_missing",
        "A deposit has waited for its trust line for long.",
        "`refund`, or wait on; with `after_trust_days` it goes back by itself",
    )
    CUSTOMER_INFO_NEEDED = (
        "customer_info_needed",
        "A transaction's money is in, and more has to be known of its customer before it goes on.",
        "it goes on by itself once they gave it; or `refund`",
    )
    CUSTOMER_REJECTED = (
        "customer_rejected",
        "A transaction's money is in, and its customer was rejected.",
        "`refund`; or accept the customer, then `release`",
    )

    # -- payouts and refunds by rail -------------------------------------------------------
    PAYOUT_REFUSED = (
        "payout_refused",
        "The bank said finally no to a payout; the transaction rests.",
        "`release` pays again, `refund` sends the money back",
    )
    PAYOUT_NEEDS_INFO = (
        "payout_needs_info",
        "The bank wants to know more before it pays; the transaction waits.",
        "wait for the customer, or `refund`; `release` pays again",
    )
    HELD = (
        "held",
        "The bank did not pay and holds the transaction, and says why.",
        "see the note; `release` pays again, `refund` sends the money back",
    )
    PAYOUT_RETURNED = (
        "payout_returned",
        "A payout came back, perhaps days later; what was sent is owed again.",
        "`pay-again`, or `release` where it rests; or `refund`",
    )
    PAYOUT_IMPOSSIBLE = (
        "payout_impossible",
        "A payout could not be begun: its rail or its currency does not go together with it.",
        "mend what the note says and `retry`, or `refund`",
    )
    DELIVERED_DIFFERS = (
        "delivered_differs",
        "The bank delivered another amount than was ordered.",
        "ask the bank; make good what is missing, then `close`",
    )
    DELIVERED_UNREADABLE = (
        "delivered_unreadable",
        "The bank paid, and what it says was delivered is no amount.",
        "ask the bank how much it was, and mend the rail",
    )
    RECEIVED_MORE_THAN_PAID = (
        "received_more_than_paid",
        "A transaction is completed, and more was received than was paid out.",
        "`refund` the rest",
    )
    REFUND_REFUSED = (
        "refund_refused",
        "A refund could not be made.",
        "`refund` again once the reason is gone; `--by-hand` where you sent it yourself",
    )
    REFUND_RETURNED = (
        "refund_returned",
        "A refund came back; it is owed again.",
        "`refund` again, once you know to where",
    )
    OUTCOME_UNKNOWN = (
        "outcome_unknown",
        "An order to pay was given, and who was to pay can neither be asked nor asked again.",
        "ask them whether its key moved money, then `settle` (a custodian's: `settle-order`)",
    )
    OUTCOME_NOT_RECORDED = (
        "outcome_not_recorded",
        "Who pays said how an order ended, and writing that down failed; it is looked up again.",
        "wait; if it stays `unknown`, ask them, then `settle` or `settle-order`",
    )
    CONTRADICTS_FINAL_OUTCOME = (
        "contradicts_final_outcome",
        "Who pays now says otherwise about an order that had ended.",
        "nothing moves by itself: ask which is true, and settle the difference by hand",
    )

    # -- payments on the ledger ------------------------------------------------------------
    LEDGER_REFUSED = (
        "ledger_refused",
        "The ledger finally refused a payment; the note has its code.",
        "`release` pays again once the cause is gone, or `refund`",
    )
    CANNOT_BE_BUILT = (
        "cannot_be_built",
        "No envelope can be built of a payment, such as one to an address that nobody can read.",
        "`refund`, or mend what the note says and `release`",
    )
    CALL_WOULD_FAIL = (
        "call_would_fail",
        "A contract account cannot be paid: the ledger's host says so, and nothing was sent.",
        "see the note (`#11`: the issuer closed the contract's balance; `MissingValue`: the "
        "asset's contract was never deployed); `release` tries anew, or `refund`",
    )
    CALL_WAITS = (
        "call_waits",
        "A payment to a contract account waits: it costs more than `resource_fee_max`, or for an "
        "hour the RPC has not told what it takes.",
        "see the note; it goes on by itself once the cause is gone, or `refund`",
    )
    WAITS_FOR_LIQUIDITY = (
        "waits_for_liquidity",
        "An account of ours lacks the asset, its trust line or lumens; what is queued waits.",
        "fund the account; it goes on by itself",
    )
    WAITS_FOR_SIGNATURES = (
        "waits_for_signatures",
        "An envelope waits for signatures by people, or custody fails to sign it.",
        "`signatures list`, then export, sign and import",
    )
    SUBMISSION_REFUSED = (
        "submission_refused",
        "A channel account cannot carry an envelope; it is tried again.",
        "see the code: `channels` tops the channel accounts up",
    )
    SUBMISSION_FAILED = (
        "submission_failed",
        "The ledger refused a whole envelope; what it carried is queued again or with a person.",
        "see the code; close it once what it carried went on",
    )
    SUBMISSION_FAILING = (
        "submission_failing",
        "A submission ends in an error each time, and is tried again.",
        "see the note and the log",
    )
    SEQUENCE_USED_BY_OTHERS = (
        "sequence_used_by_others",
        "The sequence number of a submission is used up, by no envelope that we know.",
        "find that transaction on the ledger; if it did not pay, `give-up-submission`",
    )
    BALANCE_RECLAIMED = (
        "balance_reclaimed",
        "Nobody claimed a deposit's balance, and it was taken back; it is owed again.",
        "`refund`",
    )
    BALANCE_CLAWED_BACK = (
        "balance_clawed_back",
        "The issuer clawed back a balance before it was claimed.",
        "talk to the issuer; nothing is owed by itself",
    )
    BALANCE_CANNOT_BE_RECLAIMED = (
        "balance_cannot_be_reclaimed",
        "A balance that nobody claimed cannot be taken back yet; it is tried again.",
        "see the note; with a custodian, claim it by hand",
    )
    BALANCE_LOST = (
        "balance_lost",
        "A claimable balance is not on the ledger, and nobody tells how it ended.",
        "look for its end on the ledger; if it came back to us, `refund`",
    )
    OUTGOING_UNKNOWN = (
        "outgoing_unknown",
        "Money left an account of ours by no envelope or order of ours.",
        "your own hand, a restored database, a stolen key: `pause` if in doubt",
    )

    # -- custodians ------------------------------------------------------------------------
    CUSTODY_DECLINED = (
        "custody_declined",
        "Who signs or pays for the account finally said no.",
        "`release` asks again, `refund` sends the money back",
    )
    CUSTODY_CANNOT = (
        "custody_cannot",
        "The custodian does no payment of this form.",
        "pay it otherwise and `close`, or `refund`",
    )
    CUSTODY_PAID_OTHERWISE = (
        "custody_paid_otherwise",
        "The custodian says that it paid, and the ledger shows something else.",
        "ask the custodian; then `settle-order`",
    )
    CUSTODY_PAID_UNSEEN = (
        "custody_paid_unseen",
        "The custodian says that it paid, and no ledger has shown it for ten minutes.",
        "wait, or ask the custodian for the right hash; then `settle-order`",
    )

    # -- remittances -----------------------------------------------------------------------
    REMITTANCE_REFUSED = (
        "remittance_refused",
        "The other anchor refused it, or said what does not fit; nothing was paid.",
        "mend it and `release`, or `refund`",
    )
    REMITTANCE_CANNOT_BE_PAID = (
        "remittance_cannot_be_paid",
        "It is agreed on, and no payment can be made of it; nothing was paid.",
        "mend what the note says and `release`, or `refund`",
    )
    REMITTANCE_NEEDS_INFORMATION = (
        "remittance_needs_information",
        "The other anchor wants to know more.",
        "`amend-send`; one that is paid: talk to them",
    )
    REMITTANCE_WAITS = (
        "remittance_waits",
        "The other anchor was not reached for a day.",
        "wait on, or `hold` and `refund`",
    )
    REMITTANCE_FAILED = (
        "remittance_failed",
        "It was paid, and the other anchor says `error`, `expired` or `refunded`.",
        "ask them; money that comes back is known by its memo",
    )
    REMITTANCE_UNDELIVERED = (
        "remittance_undelivered",
        "It was paid days ago, and the other anchor tells no end.",
        "ask them",
    )
    REMITTANCE_RETURNED = (
        "remittance_returned",
        "Money of it came back; that much is owed again.",
        "`refund`, or `release` where all is back",
    )

    # -- the house -------------------------------------------------------------------------
    BOOKS_DIFFER = (
        "books_differ",
        "The daily comparison found two sums that ought to be one.",
        "`reconcile` says which; `books` shows the accounts",
    )
    OUTFLOW_CAP_REACHED = (
        "outflow_cap_reached",
        "The hour's cap of an asset is used up; the rest waits, the oldest first.",
        "wait, or raise `outflow_cap_per_hour`",
    )
    RESTORED_UNCLEAR = (
        "restored_unclear",
        "After a backup was restored nobody can tell whether money of a transaction has left.",
        "ask the bank, look at the ledger; then `release` it, or `refund --by-hand`",
    )
    NO_SUCH_MOVE = (
        "no_such_move",
        "Something happened to a transaction that its status does not allow; nothing was changed.",
        "see the note, and whether money moved; correct it by the other commands",
    )
    JOB_PARKED = (
        "job_parked",
        "A piece of work ended as nobody foresaw, and waits.",
        "`retry`, as the note says; `retry KIND --parked` after a bad night",
    )
    JOB_FAILING = (
        "job_failing",
        "A piece of work ends as nobody foresaw each time, and is tried again.",
        "see the note and the log",
    )
    CALLBACK_UNDELIVERED = (
        "callback_undelivered",
        "A wallet's address was not reached for days; it was not told of a change.",
        "`callbacks list` says why; `callbacks replay` once it answers",
    )
