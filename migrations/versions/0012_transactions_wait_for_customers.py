"""Transactions that wait for a customer, and details that a rail wants corrected.

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    info = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    op.add_column('transactions', sa.Column('customer_id', sa.Text(), nullable=True))
    op.add_column('transactions', sa.Column('required_info', info, nullable=True))
    op.create_foreign_key(op.f('fk_transactions_customer_id'), 'transactions', 'customers', ['customer_id'], ['id'])
    op.create_index('ix_transactions_awaiting_customer', 'transactions', ['owner_account', 'id'], unique=False, postgresql_where=sa.text("status = 'pending_customer_info_update'"))


def downgrade():
    """Go down."""
    op.drop_index('ix_transactions_awaiting_customer', table_name='transactions', postgresql_where=sa.text("status = 'pending_customer_info_update'"))
    op.drop_constraint(op.f('fk_transactions_customer_id'), 'transactions', type_='foreignkey')
    op.drop_column('transactions', 'required_info')
    op.drop_column('transactions', 'customer_id')
