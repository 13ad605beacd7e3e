"""What a fee is besides a fixed part and a share: its bounds and its tiers.

Revision: 0015, after 0013.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0015'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    rules = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    op.add_column('transactions', sa.Column('fee_rules', rules, nullable=True))


def downgrade():
    """Go down."""
    op.drop_column('transactions', 'fee_rules')
