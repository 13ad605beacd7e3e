"""The end check: ledger, database and bank compared to the last stroop.

It shares no code with the anchor: PostgreSQL by plain SQL, the ledger and the bank by HTTP,
the amounts that ought to be by the rules of the configuration worked out anew.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any

from tests.chaos.customers import Ledger
from tests.chaos.plan import Order

STROOPS = 10_000_000
Row = tuple[Any, ...]
Sql = Callable[..., list[Any]]


class Evidence:
    """What the three say, read once everything is quiet."""

    def __init__(self, sql: Sql, ledger: Ledger, bank: Callable[[str], Any], treasury: str) -> None:
        self.sql = sql
        self.treasury = treasury
        account = ledger.get(f"/accounts/{treasury}")
        self.lines = account["balances"]
        self.operations = {
            int(each["id"]): each
            for each in ledger.records(f"/accounts/{treasury}/operations")
            if each["transaction_successful"]
        }
        self.transfers = {each["key"]: each for each in bank("/transfers")}
        self.bookings: dict[str, Any] = {}
        since = 0
        while True:
            page = bank(f"/deposits?since={since}&limit=1000")
            self.bookings |= {each["id"]: each for each in page["bookings"]}
            since = page["cursor"]
            if page["up_to_date"]:
                break

    def balance(self, code: str) -> int:
        """Return what the treasury holds of the asset on the ledger, in stroops."""
        return sum(stroops(x["balance"]) for x in self.lines if x.get("asset_code") == code)


def stroops(amount: str | Decimal) -> int:
    """Return an amount in units of 10⁻⁷."""
    found = Decimal(amount) * STROOPS
    assert found == found.to_integral_value(), amount
    return int(found)


def check(evidence: Evidence, orders: Iterable[Order], held_before: int, code: str) -> list[str]:
    """Return everything that does not agree, a sentence each; nothing where all is well."""
    played = list(orders)
    return [
        *_payments(evidence),
        *_receipts(evidence),
        *_payouts(evidence),
        *_left_on_ledger(evidence),
        *_sums(evidence, held_before, code),
        *_stuck(evidence),
        *_each_order(evidence, played),
    ]


# -- what came -----------------------------------------------------------------------------


def _payments(evidence: Evidence) -> Iterable[str]:
    """Compare each payment of the treasury on the ledger with its row in the database."""
    first = int(evidence.sql("SELECT first_cursor FROM accounts")[0][0])
    ours = evidence.treasury
    theirs: dict[int, Row] = {}
    for number, each in evidence.operations.items():
        if each["type"] == "payment" and number > first and ours in (each["to"], each["from"]):
            way = "in" if each["to"] == ours else "out"
            theirs[number] = (way, stroops(each["amount"]), each["transaction_hash"])
    rows = evidence.sql(
        "SELECT operation_id, direction, amount, transaction_hash, verdict FROM payments"
        " WHERE type = 'payment'"
    )
    yield from (f"payment {row[0]} is kept twice" for row in _twice(rows))
    kept = {int(row[0]): tuple(row[1:4]) for row in rows}
    for number in theirs.keys() | kept.keys():
        if theirs.get(number) != kept.get(number):
            yield f"payment {number}: ledger {theirs.get(number)}, kept {kept.get(number)}"
    yield from (f"payment {row[0]} has no verdict" for row in rows if row[4] == "unjudged")


def _receipts(evidence: Evidence) -> Iterable[str]:
    """Compare each booking at the bank with its row in the database."""
    rows = evidence.sql("SELECT receipt_id, amount, verdict FROM receipts")
    yield from (f"receipt {row[0]} is kept twice" for row in _twice(rows))
    theirs = {name: stroops(each["amount"]) for name, each in evidence.bookings.items()}
    kept = {row[0]: int(row[1]) for row in rows}
    for name in theirs.keys() | kept.keys():
        if theirs.get(name) != kept.get(name):
            yield f"booking {name}: bank {theirs.get(name)}, kept {kept.get(name)}"
    yield from (f"receipt {row[0]} has no verdict" for row in rows if row[2] == "unjudged")


# -- what left -----------------------------------------------------------------------------


def _payouts(evidence: Evidence) -> Iterable[str]:
    """Compare each transfer that the bank made with the outflow that ordered it."""
    rows = evidence.sql(
        "SELECT key, state, amount FROM outflows WHERE rail IS NOT NULL ORDER BY id"
    )
    done = {key: int(amount) for key, state, amount in rows if state == "done"}
    made = {
        key: stroops(each["amount"])
        for key, each in evidence.transfers.items()
        if each["status"] == "settled"
    }
    for key in done.keys() | made.keys():
        if done.get(key) != made.get(key):
            yield f"transfer {key}: bank {made.get(key)}, database {done.get(key)}"
    for key, each in evidence.transfers.items():
        if each["status"] != "settled":
            yield f"transfer {key} is {each['status']} at the bank still"


def _left_on_ledger(evidence: Evidence) -> Iterable[str]:
    """Compare each operation that took something from the treasury with its outflow."""
    rows = evidence.sql(
        "SELECT o.reference, o.operation_index, o.destination, o.amount, o.form FROM outflows o"
        " WHERE o.form IS NOT NULL AND o.state = 'done'"
    )
    ours: Counter[Row] = Counter(
        (hash_, index, to, int(amount)) for hash_, index, to, amount, _form in rows
    )
    channels = {row[0] for row in evidence.sql("SELECT account_id FROM channels")}
    theirs: Counter[Row] = Counter()
    for number, each in evidence.operations.items():
        if each["source_account"] != evidence.treasury:
            continue
        place = (each["transaction_hash"], (number & 0xFFF) - 1)
        if each["type"] == "payment":
            theirs[(*place, each["to"], stroops(each["amount"]))] += 1
        elif each["type"] == "create_account" and each["account"] not in channels:
            theirs[(*place, each["account"], stroops(each["starting_balance"]))] += 1
        elif each["type"] == "create_claimable_balance":
            yield f"operation {number} made a claimable balance, which nobody asked for"
    for what in (ours - theirs) + (theirs - ours):
        yield f"paid on the ledger {theirs[what]} times, in the database {ours[what]}: {what}"


# -- sums ----------------------------------------------------------------------------------


def _sums(evidence: Evidence, held_before: int, code: str) -> Iterable[str]:
    """Compare the books with what the ledger and the bank hold, and with what is owed."""
    books: dict[str, int] = {
        account: int(amount)
        for account, amount in evidence.sql(
            "SELECT account, sum(amount) FROM postings WHERE asset <> 'native' GROUP BY account"
        )
    }
    moved = evidence.balance(code) - held_before
    if books.get("treasury", 0) != moved:
        yield f"the treasury's books say {books.get('treasury', 0)}, the ledger {moved}"
    came = sum(stroops(each["amount"]) for each in evidence.bookings.values())
    went = sum(
        stroops(x["amount"]) for x in evidence.transfers.values() if x["status"] == "settled"
    )
    if books.get("bank", 0) != came - went:
        yield f"the bank's books say {books.get('bank', 0)}, the bank {came - went}"
    owed = evidence.sql(
        "SELECT coalesce(sum(amount_received - amount_paid - amount_refunded), 0)::bigint"
        " FROM transactions"
    )[0][0]
    if -books.get("customer", 0) != owed:
        yield f"the books owe customers {-books.get('customer', 0)}, the transactions {owed}"
    if books.get("in_transit", 0) != 0:
        yield f"{books['in_transit']} are in transit, and nothing moves"
    if sum(books.values()) != 0:
        yield f"the books sum to {sum(books.values())}"


# -- what is stuck -------------------------------------------------------------------------


def _stuck(evidence: Evidence) -> Iterable[str]:
    """Find what is open and has neither a job, nor a case, nor a hold."""
    for key, state in evidence.sql(
        "SELECT key, state FROM outflows o WHERE state IN ('prepared', 'sent', 'unknown')"
        " AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.closed_at IS NULL"
        " AND (c.cause = o.key OR c.transaction_id = o.transaction_id))"
    ):
        yield f"outflow {key} is {state}, and nobody is told"
    for row_id, status in evidence.sql(
        "SELECT id, status FROM transactions t WHERE amount_received > 0"
        " AND status NOT IN ('completed', 'refunded') AND NOT EXISTS (SELECT 1 FROM cases c"
        " WHERE c.closed_at IS NULL AND c.transaction_id = t.id)"
    ):
        yield f"transaction {row_id} has money, is {status}, and nobody is told"
    for kind, subject, error in evidence.sql(
        "SELECT kind, subject_id, last_error FROM jobs WHERE parked_at IS NOT NULL"
    ):
        yield f"the job {kind} of {subject} is parked: {error}"
    for reason, cause, note in evidence.sql(
        "SELECT reason, cause, note FROM cases WHERE reason = ANY(%s)", _OURS_ALONE
    ):
        yield f"a case that no customer and no bank can cause: {reason} about {cause}: {note}"


#: Cases that only a fault of the anchor's own opens.
_OURS_ALONE = [
    "books_differ",
    "contradicts_final_outcome",
    "delivered_differs",
    "delivered_unreadable",
    "deposit_cannot_be_paid",
    "event_of_nobody",
    "event_unreadable",
    "job_failing",
    "job_parked",
    "no_such_move",
    "outcome_not_recorded",
    "outcome_unknown",
    "outgoing_unknown",
    "payments_were_missing",
    "payout_impossible",
    "receipt_changed",
    "received_more_than_paid",
    "refund_refused",
    "sequence_used_by_others",
    "submission_failing",
    "submission_refused",
]


# -- each customer -------------------------------------------------------------------------


def _each_order(evidence: Evidence, orders: list[Order]) -> Iterable[str]:
    rows = {
        row[0]: row
        for row in evidence.sql(
            "SELECT id, status, amount_received, amount_paid, amount_refunded, is_resting"
            " FROM transactions"
        )
    }
    out: Counter[tuple[str, int]] = Counter(
        (each["to"], stroops(each["amount"]))
        for each in evidence.operations.values()
        if each["type"] == "payment" and each["source_account"] == evidence.treasury
    )
    for order in orders:
        if order.id not in rows:
            yield f"order {order.number}: there is no transaction {order.id!r}"
            continue
        for problem in _order(evidence, order, rows[order.id], out):
            yield f"order {order.number} ({order.story}) {order.id}: {problem} {order.notes}"


def _order(
    evidence: Evidence, order: Order, row: Row, out: Counter[tuple[str, int]]
) -> Iterable[str]:
    _, status, received, paid, refunded, _resting = row
    whole, part = stroops(order.amount), stroops(order.amount) - STROOPS // 100
    ends_unpaid = any(word in order.story for word in ("wrong", "too little"))
    is_refused = "refuses" in order.story
    expected: Row = ("completed", whole, whole, 0)
    if ends_unpaid:
        expected = ("pending_user_transfer_start", 0, 0, 0)
    elif is_refused:
        expected = ("refunded", whole, 0, whole) if order.refunded else (None, whole, 0, 0)
    found = (status if expected[0] else None, received, paid, refunded)
    if found != expected:
        yield f"it is {found}, and ought to be {expected}"
    transfers = [x for key, x in evidence.transfers.items() if key.startswith(order.id)]
    amount_out = _amount_out(order)
    if order.kind == "deposit":
        times = out[(order.destination, amount_out)]
        if times != (0 if ends_unpaid else 1):
            yield f"it was paid {times} times on the ledger"
    else:
        made = [stroops(x["amount"]) for x in transfers]
        if made != ([] if ends_unpaid or is_refused else [amount_out]):
            yield f"the bank paid {made}, and ought to have paid {amount_out}"
    back = part if "too little" in order.story else whole
    if order.kind == "deposit":
        sent = [x for x in evidence.transfers.values() if x["account"] == order.account_number]
        times = sum(1 for x in sent if stroops(x["amount"]) == back)
    else:
        times = out[(order.destination, back)]
    if times != len(order.refunded):
        yield f"{times} refunds left, and {len(order.refunded)} ought to have"


def _amount_out(order: Order) -> int:
    """Work out what is left of an exact payment by the fees of development mode."""
    cent = Decimal("0.01")
    if order.kind == "send":
        return stroops(order.amount)
    fee = Decimal("0.5") if order.kind == "deposit" else 1 + order.amount * Decimal("0.005")
    rounded = fee.quantize(cent, ROUND_UP)
    return stroops((order.amount - rounded).quantize(cent, ROUND_DOWN))


def _twice(rows: Iterable[Row]) -> Iterable[Row]:
    seen: set[Any] = set()
    for row in rows:
        if row[0] in seen:
            yield row
        seen.add(row[0])
