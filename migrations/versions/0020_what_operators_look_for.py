"""What operators look for is found: the newest transactions, what rests, hashes, odd verdicts.

Revision: 0020, after 0019.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

AT_REST = "is_resting AND status NOT IN ('completed', 'refunded', 'expired', 'error')"
INDEXES = (
    ("ix_transactions_started_at", "transactions", ["started_at", "id"], None),
    ("ix_transactions_at_rest", "transactions", ["started_at", "id"], AT_REST),
    ("ix_payments_transaction_hash", "payments", ["transaction_hash"], None),
    ("ix_payments_odd", "payments", ["verdict", "id"], "verdict NOT IN ('credited', 'outgoing')"),
    ("ix_receipts_odd", "receipts", ["verdict", "id"], "verdict <> 'credited'"),
    ("ix_outflows_reference", "outflows", ["reference"], "rail IS NOT NULL"),
    ("ix_cases_transaction_id", "cases", ["transaction_id"], "transaction_id IS NOT NULL"),
)


def upgrade():
    """Go up."""
    for name, table, columns, where in INDEXES:
        chosen = None if where is None else sa.text(where)
        op.create_index(name, table, columns, postgresql_where=chosen)


def downgrade():
    """Go down."""
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table)
