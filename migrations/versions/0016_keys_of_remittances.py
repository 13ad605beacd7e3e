"""Remittances: the key of whoever asked for one.

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.add_column("remittances", sa.Column("key", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_remittances_key"), "remittances", ["key"])


def downgrade():
    """Go down."""
    op.drop_constraint(op.f("uq_remittances_key"), "remittances")
    op.drop_column("remittances", "key")
