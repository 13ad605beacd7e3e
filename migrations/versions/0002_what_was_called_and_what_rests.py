"""When a rail first heard of an attempt, when funds were enough, and what rests.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    """Go up; what is known of older rows is filled in."""
    instant = sa.DateTime(timezone=True)
    op.add_column("outflows", sa.Column("first_called_at", instant))
    op.execute("UPDATE outflows SET first_called_at = begun_at WHERE called_at IS NOT NULL")
    op.add_column("transactions", sa.Column("funded_at", instant))
    op.execute(
        "UPDATE transactions SET funded_at = h.happened_at FROM history h"
        " WHERE h.transaction_id = transactions.id AND h.event = 'funds_received'"
    )
    op.add_column(
        "transactions",
        sa.Column("is_resting", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.execute(
        "UPDATE transactions SET is_resting = true FROM history h"
        " WHERE h.transaction_id = transactions.id AND h.version = transactions.version"
        " AND h.event IN ('payout_refused', 'payout_returned', 'payout_needs_info', 'held')"
    )
    op.create_index(
        "ix_jobs_lane",
        "jobs",
        ["lane", "due_at"],
        postgresql_where=sa.text("parked_at IS NULL"),
    )


def downgrade():
    """Go down."""
    op.drop_index("ix_jobs_lane", "jobs")
    op.drop_column("transactions", "is_resting")
    op.drop_column("transactions", "funded_at")
    op.drop_column("outflows", "first_called_at")
