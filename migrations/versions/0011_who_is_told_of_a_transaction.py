"""Where a wallet is told of each change of its transaction.

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.add_column('transactions', sa.Column('callback_url', sa.Text(), nullable=True))


def downgrade():
    """Go down."""
    op.drop_column('transactions', 'callback_url')
