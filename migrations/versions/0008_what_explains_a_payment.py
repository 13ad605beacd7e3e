"""After a restore: which outflow a payment was found to be, and where the ledger stood.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.add_column('payments', sa.Column('explained_by', sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f('fk_payments_explained_by'), 'payments', 'outflows', ['explained_by'], ['id'])
    op.create_index('ix_payments_explained_by', 'payments', ['explained_by'], unique=True, postgresql_where=sa.text('explained_by IS NOT NULL'))
    op.add_column('pauses', sa.Column('ledger_closed_at', sa.DateTime(timezone=True), nullable=True))


def downgrade():
    """Go down."""
    op.drop_column('pauses', 'ledger_closed_at')
    op.drop_index('ix_payments_explained_by', table_name='payments')
    op.drop_constraint(op.f('fk_payments_explained_by'), 'payments', type_='foreignkey')
    op.drop_column('payments', 'explained_by')
