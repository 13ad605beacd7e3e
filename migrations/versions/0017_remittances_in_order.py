"""Remittances are listed in the order in which they were opened.

Revision: 0017, after 0016.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.create_index("ix_remittances_opened_at", "remittances", ["opened_at", "transaction_id"])


def downgrade():
    """Go down."""
    op.drop_index("ix_remittances_opened_at", "remittances")
