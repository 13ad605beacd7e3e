"""Comparing what the database says with itself: each sum has one answer, wherever it stands.

What came, what was credited, what went out and what the books hold have to agree to the last
stroop (promise 9). Nothing here mends anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from anchor.extensions import atomic, db
from anchor.money import signed

#: So many are named; the sentence counts the others.
_NAMED = 10


@dataclass(frozen=True)
class Difference:
    """Two things that ought to be equal and are not: `about` what, and how far apart."""

    kind: str
    about: str
    sentence: str


# ``establish``, ``trustline_lumens`` and ``claim`` move what is ours, and pay nobody.

#: What credited each transaction. A booking that was taken back after it funded one still counts.
_RECEIVED = """
WITH came AS (
    SELECT transaction_id, amount, FALSE AS gone FROM payments
    WHERE verdict = 'credited' AND direction = 'in'
    UNION ALL
    SELECT transaction_id, amount, reversed_at IS NOT NULL FROM receipts
    WHERE verdict = 'credited'
), sums AS (
    SELECT transaction_id, sum(amount) AS whole,
        coalesce(sum(amount) FILTER (WHERE NOT gone), 0) AS lasting
    FROM came GROUP BY transaction_id
)
SELECT t.id, t.amount_received AS said, coalesce(s.lasting, 0) AS found
FROM transactions t LEFT JOIN sums s ON s.transaction_id = t.id
WHERE t.amount_received NOT IN (coalesce(s.lasting, 0), coalesce(s.whole, 0))
ORDER BY t.id
"""

#: What came back of a remittance on the ledger was paid once, and is owed again.
_LEFT = """
WITH back AS (
    SELECT transaction_id, sum(amount) AS amount FROM payments
    WHERE verdict = 'returned' AND direction = 'in' GROUP BY transaction_id
), sums AS (
    SELECT transaction_id,
        coalesce(sum(amount_fee
            + CASE WHEN returned_at IS NULL THEN coalesce(sold - amount_fee, amount) ELSE 0 END)
            FILTER (WHERE kind <> 'refund'), 0) AS paid,
        coalesce(sum(amount + amount_fee) FILTER (WHERE kind = 'refund'), 0)
            - coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND returned_at IS NOT NULL), 0)
            AS refunded
    FROM outflows
    WHERE state = 'done' AND transaction_id IS NOT NULL
        AND coalesce(form, '') NOT IN ('establish', 'trustline_lumens', 'claim')
    GROUP BY transaction_id
)
SELECT t.id, t.{column} AS said, coalesce(s.{sum}, 0) - {back} AS found
FROM transactions t LEFT JOIN sums s ON s.transaction_id = t.id
LEFT JOIN back b ON b.transaction_id = t.id
WHERE t.{column} <> coalesce(s.{sum}, 0) - {back}
ORDER BY t.id
"""
#: What we owe to customers: what was credited and lasts, less what left and stayed away, or is
#: under way.
_CUSTOMERS = """
WITH owed AS (
    SELECT asset, amount FROM payments
    WHERE verdict IN ('credited', 'returned') AND direction = 'in'
    UNION ALL
    SELECT CASE WHEN t.amount_in_asset IS NULL THEN t.asset
        WHEN t.amount_in_asset LIKE 'stellar:%' THEN substr(t.amount_in_asset, 9)
        ELSE 'rail:' || split_part(t.amount_in_asset, ':', 2) END, r.amount
    FROM receipts r JOIN transactions t ON t.id = r.transaction_id
    WHERE r.verdict = 'credited' AND r.reversed_at IS NULL
    UNION ALL
    SELECT coalesce(sold_asset, asset), -(amount_fee
        + CASE WHEN returned_at IS NULL THEN coalesce(sold - amount_fee, amount) ELSE 0 END)
    FROM outflows
    WHERE state <> 'refused' AND transaction_id IS NOT NULL
        AND coalesce(form, '') NOT IN ('establish', 'trustline_lumens', 'claim')
), books AS (
    SELECT asset, sum(amount) AS amount FROM postings WHERE account = 'customer' GROUP BY asset
)
SELECT coalesce(o.asset, b.asset) AS id, coalesce(b.amount, 0) AS said,
    -coalesce(o.amount, 0) AS found
FROM (SELECT asset, sum(amount) AS amount FROM owed GROUP BY asset) o
FULL JOIN books b ON b.asset = o.asset
WHERE coalesce(b.amount, 0) <> -coalesce(o.amount, 0)
ORDER BY 1
"""

_IN_TRANSIT = """
WITH going AS (
    SELECT asset, sum(amount) AS amount FROM outflows
    WHERE state IN ('prepared', 'sent', 'unknown')
        AND coalesce(form, '') NOT IN ('establish', 'trustline_lumens', 'claim')
    GROUP BY asset
), books AS (
    SELECT asset, sum(amount) AS amount FROM postings WHERE account = 'in_transit' GROUP BY asset
)
SELECT coalesce(g.asset, b.asset) AS id, coalesce(b.amount, 0) AS said,
    -coalesce(g.amount, 0) AS found
FROM going g FULL JOIN books b ON b.asset = g.asset
WHERE coalesce(b.amount, 0) <> -coalesce(g.amount, 0)
ORDER BY 1
"""

_BOOKS = """
SELECT cause || ' in ' || asset AS id, sum(amount) AS said, 0 AS found
FROM postings GROUP BY cause, asset HAVING sum(amount) <> 0 ORDER BY 1
"""

#: More was sent back of something than it was.
_SENT_BACK = """
WITH back AS (
    SELECT payment_id, receipt_id, sum(amount + amount_fee)
        - coalesce(sum(amount) FILTER (WHERE returned_at IS NOT NULL), 0) AS gross
    FROM outflows WHERE kind = 'refund' AND state <> 'refused' GROUP BY payment_id, receipt_id
)
SELECT coalesce('payment ' || p.id, 'receipt ' || r.id) AS id, b.gross AS said,
    coalesce(p.amount, r.amount) AS found
FROM back b LEFT JOIN payments p ON p.id = b.payment_id LEFT JOIN receipts r ON r.id = b.receipt_id
WHERE b.gross > coalesce(p.amount, r.amount)
ORDER BY 1
"""

#: Done on the ledger, and the account, which was read beyond that, shows no such payment.
_UNSEEN = """
SELECT o.key AS id, o.amount AS said, 0 AS found
FROM outflows o LEFT JOIN submissions s ON s.id = o.submission_id
LEFT JOIN channels c ON c.id = s.channel_id
JOIN accounts a ON a.account_id = o.source
JOIN networks n ON n.id = a.network_id AND n.is_current
WHERE (c.network_id = n.id OR o.custody IS NOT NULL AND o.settled_at >= n.stamped_at)
    AND o.state = 'done' AND o.form NOT IN ('claimable_balance', 'claim')
    AND coalesce(s.ledger, o.ledger) < greatest(a.cursor >> 32, a.known_ledger)
    AND NOT EXISTS (
        SELECT FROM payments p
        WHERE p.transaction_hash = o.reference AND p.direction = 'out'
            AND p.network_id = a.network_id AND p.account_id = o.source
    )
ORDER BY 1
"""

_CHECKS = {
    "received": (_RECEIVED, "says that it received {said}, and {found} were credited to it"),
    "paid": (
        _LEFT.format(column="amount_paid", sum="paid", back="coalesce(b.amount, 0)"),
        "says that {said} were paid out, and its payouts come to {found}",
    ),
    "refunded": (
        _LEFT.format(column="amount_refunded", sum="refunded", back="0"),
        "says that {said} were sent back, and its refunds come to {found}",
    ),
    "customers": (_CUSTOMERS, "stands at {said} with customers in the books, and ought at {found}"),
    "in_transit": (_IN_TRANSIT, "stands at {said} in transit in the books, and ought at {found}"),
    "books": (_BOOKS, "is out of balance by {said} in the books"),
    "unseen": (_UNSEEN, "is done, and the account that was read beyond it shows no such payment"),
    "sent_back": (_SENT_BACK, "was sent back to the amount of {said}, and {found} had come"),
}


@atomic
def look() -> list[Difference]:
    """Return each thing of the database that contradicts another, none where all agree.

    Reads whole tables in one transaction, as the database stands at one instant.
    """
    db.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    return [difference for kind in _CHECKS for difference in _check(kind)]


def _check(kind: str) -> Iterator[Difference]:
    query, sentence = _CHECKS[kind]
    rows = db.session.execute(text(query)).all()
    for row in rows[:_NAMED]:
        words = sentence.format(said=signed(int(row.said)), found=signed(int(row.found)))
        yield Difference(kind, row.id, words)
    if len(rows) > _NAMED:
        yield Difference(kind, f"{len(rows) - _NAMED} more", "differ in the same way")
