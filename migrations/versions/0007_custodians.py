"""Custodians: who was given an order, and which transaction is said to have paid it.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.alter_column('outflows', 'begun_at', server_default=sa.text('clock_timestamp()'))
    op.add_column('outflows', sa.Column('custody', sa.Text(), nullable=True))
    op.add_column('outflows', sa.Column('told_hash', sa.Text(), nullable=True))
    op.add_column('outflows', sa.Column('ledger', sa.BigInteger(), nullable=True))
    op.add_column('outflows', sa.Column('fee_charged', sa.BigInteger(), nullable=True))
    op.create_check_constraint(op.f('ck_outflows_custody_on_the_ledger'), 'outflows', 'custody IS NULL OR form IS NOT NULL')
    op.create_index('uq_outflows_arrived', 'outflows', ['reference', 'operation_index'], unique=True, postgresql_where=sa.text("state = 'done' AND form IS NOT NULL"))
    op.create_index('ix_outflows_custody', 'outflows', ['custody', 'id'], postgresql_where=sa.text("custody IS NOT NULL AND state IN ('sent', 'unknown')"))


def downgrade():
    """Go down. Only where no custodian has an order that is not finally known."""
    for name in ('ix_outflows_custody', 'uq_outflows_arrived'):
        op.drop_index(name, table_name='outflows')
    op.drop_constraint(op.f('ck_outflows_custody_on_the_ledger'), 'outflows', type_='check')
    for name in ('fee_charged', 'ledger', 'told_hash', 'custody'):
        op.drop_column('outflows', name)
