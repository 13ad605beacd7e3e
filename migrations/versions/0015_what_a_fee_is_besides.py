"""Bounds and tiers of a fee, when a transaction's sums were agreed on, and callbacks by subject.

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    rules = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    op.add_column('transactions', sa.Column('fee_rules', rules, nullable=True))
    op.add_column('transactions', sa.Column('agreed_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_transactions_agreed', 'transactions', ['owner_account', 'asset', 'agreed_at'], unique=False, postgresql_where=sa.text('agreed_at IS NOT NULL'))
    op.create_index('ix_callbacks_subject', 'callbacks', ['subject', 'id'], unique=False)


def downgrade():
    """Go down."""
    op.drop_index('ix_callbacks_subject', table_name='callbacks')
    op.drop_index('ix_transactions_agreed', table_name='transactions', postgresql_where=sa.text('agreed_at IS NOT NULL'))
    op.drop_column('transactions', 'agreed_at')
    op.drop_column('transactions', 'fee_rules')
