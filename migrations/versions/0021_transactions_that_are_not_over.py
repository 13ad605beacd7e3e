"""Transactions that are not over are counted by an index of them.

Revision: 0021, after 0020.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

NOT_OVER = "status NOT IN ('completed', 'refunded', 'expired', 'error')"


def upgrade():
    """Go up."""
    op.create_index(
        "ix_transactions_not_over",
        "transactions",
        ["kind", "status", "updated_at"],
        postgresql_where=sa.text(NOT_OVER),
    )


def downgrade():
    """Go down."""
    op.drop_index("ix_transactions_not_over", table_name="transactions")
