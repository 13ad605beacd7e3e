"""The actors that do one job: the message names it, the claim decides."""

from anchor.actors.setup import AppActor, actor
from anchor.services import (
    callbacks,
    claimable_balances,
    completions,
    custody_orders,
    custody_outcomes,
    customer_codes,
    customer_erasure,
    customer_judging,
    departures,
    deposit_payments,
    expiry,
    jobs,
    payments,
    payouts,
    pending_deposits,
    policy_refunds,
    programmatic,
    rail_events,
    receipts,
    reconciliation,
)
from anchor.services.transactions import (
    CHECK_TRUST,
    FOLLOW_REMITTANCE,
    PAY_ON_LEDGER,
    PAY_OUT,
    REMIT,
)


@actor()
def execute_outgoing_transaction(transaction_id: str) -> None:
    """Bring the payout of one transaction a step further."""
    jobs.run(jobs.Address(PAY_OUT, transaction_id))


@actor()
def poll_outgoing_transactions_of(rail: str) -> None:
    """Ask one rail about the orders that it has yet to confirm."""
    jobs.run(jobs.Address(payouts.POLL, rail))


@actor()
def judge_payments(watch_id: str) -> None:
    """Judge the payments of an account that were kept without a verdict."""
    jobs.run(jobs.Address(payments.REPAIR, watch_id))


@actor()
def pay_on_ledger(transaction_id: str) -> None:
    """Bring a deposit that has its funds on its way to the ledger."""
    jobs.run(jobs.Address(PAY_ON_LEDGER, transaction_id))


@actor()
def check_trustline(transaction_id: str) -> None:
    """See whether the account of one deposit can take it now."""
    jobs.run(jobs.Address(CHECK_TRUST, transaction_id))


@actor()
def drive_submissions(source: str) -> None:
    """Work off what is queued for one source account."""
    jobs.run(jobs.Address(deposit_payments.DRIVE, source))


@actor()
def poll_pending_deposits_of(rail: str) -> None:
    """Ask one rail whose money has come."""
    jobs.run(jobs.Address(pending_deposits.POLL, rail))


@actor()
def judge_receipts(rail: str) -> None:
    """Judge the receipts of a rail that were kept without a verdict."""
    jobs.run(jobs.Address(receipts.REPAIR, rail))


@actor()
def judge_rail_event(event_id: str) -> None:
    """Read one event that a rail told by webhook, and act on it."""
    jobs.run(jobs.Address(rail_events.JUDGE, event_id))


@actor()
def pay_by_custodian(outflow_id: str) -> None:
    """Bring one order to the custodian, or find out what became of it."""
    jobs.run(jobs.Address(custody_orders.CARRY, outflow_id))


@actor()
def poll_custodian(name: str) -> None:
    """Ask a custodian about the orders that it has yet to confirm."""
    jobs.run(jobs.Address(custody_outcomes.POLL, name))


@actor()
def explain_departure(cause: str) -> None:
    """Find out whether an order of ours made one payment."""
    jobs.run(jobs.Address(departures.EXPLAIN, cause))


@actor()
def refund_by_rail(outflow_id: str) -> None:
    """Bring one refund by rail a step further."""
    jobs.run(jobs.Address(payouts.REFUND, outflow_id))


@actor()
def refund_by_policy(case_id: str) -> None:
    """Send the money of one case back, where the policy of its asset says so."""
    jobs.run(jobs.Address(policy_refunds.POLICY_REFUND, case_id))


@actor()
def expire_transactions(subject: str) -> None:
    """Let those expire that nobody paid in time."""
    jobs.run(jobs.Address(expiry.EXPIRE, subject))


@actor()
def reconcile_all(subject: str) -> None:
    """Compare the ledger, the payments and the transactions."""
    jobs.run(jobs.Address(reconciliation.RECONCILE, subject))


@actor()
def follow_claimable_balance(balance_id: str) -> None:
    """Look whether a balance was claimed, and take it back where its time has come."""
    jobs.run(jobs.Address(claimable_balances.FOLLOW, balance_id))


@actor()
def deliver_callbacks(subject_and_host: str) -> None:
    """Post what a wallet is to be told about one subject."""
    jobs.run(jobs.Address(callbacks.CALLBACK, subject_and_host))


@actor()
def judge_customer(customer_and_type: str) -> None:
    """Have one customer judged."""
    jobs.run(jobs.Address(customer_judging.JUDGE, customer_and_type))


@actor()
def send_customer_code(customer_and_field: str) -> None:
    """Send the code that proves a field."""
    jobs.run(jobs.Address(customer_codes.SEND, customer_and_field))


@actor()
def bring_on_transaction(transaction_id: str) -> None:
    """Let a transaction go on whose customer was accepted."""
    jobs.run(jobs.Address(programmatic.BRING_ON, transaction_id))


@actor()
def complete_transaction(transaction_id: str) -> None:
    """Go on with what waited for its customer to be judged."""
    jobs.run(jobs.Address(completions.COMPLETE, transaction_id))


@actor()
def purge_customers(subject: str) -> None:
    """Erase personal data whose time is over."""
    jobs.run(jobs.Address(customer_erasure.PURGE, subject))


@actor()
def bring_on_remittance(transaction_id: str) -> None:
    """Agree on a remittance with the other anchor, or pay it."""
    jobs.run(jobs.Address(REMIT, transaction_id))


@actor()
def follow_remittance(transaction_id: str) -> None:
    """Ask the other anchor how a remittance goes."""
    jobs.run(jobs.Address(FOLLOW_REMITTANCE, transaction_id))


#: Which actor does which kind of job.
ACTORS: dict[str, AppActor] = {
    claimable_balances.FOLLOW: follow_claimable_balance,
    PAY_OUT: execute_outgoing_transaction,
    payouts.POLL: poll_outgoing_transactions_of,
    payments.REPAIR: judge_payments,
    PAY_ON_LEDGER: pay_on_ledger,
    CHECK_TRUST: check_trustline,
    deposit_payments.DRIVE: drive_submissions,
    pending_deposits.POLL: poll_pending_deposits_of,
    receipts.REPAIR: judge_receipts,
    rail_events.JUDGE: judge_rail_event,
    custody_orders.CARRY: pay_by_custodian,
    custody_outcomes.POLL: poll_custodian,
    departures.EXPLAIN: explain_departure,
    payouts.REFUND: refund_by_rail,
    policy_refunds.POLICY_REFUND: refund_by_policy,
    expiry.EXPIRE: expire_transactions,
    reconciliation.RECONCILE: reconcile_all,
    callbacks.CALLBACK: deliver_callbacks,
    customer_judging.JUDGE: judge_customer,
    customer_codes.SEND: send_customer_code,
    programmatic.BRING_ON: bring_on_transaction,
    completions.COMPLETE: complete_transaction,
    customer_erasure.PURGE: purge_customers,
    REMIT: bring_on_remittance,
    FOLLOW_REMITTANCE: follow_remittance,
}
