"""Envelopes that wait for signatures, and claimable balances that are followed.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.add_column('envelopes', sa.Column('asks', sa.Integer(), server_default=sa.text('0'), nullable=False))
    op.add_column('envelopes', sa.Column('ask_at', sa.DateTime(timezone=True), nullable=True))


def downgrade():
    """Go down."""
    op.drop_column('envelopes', 'ask_at')
    op.drop_column('envelopes', 'asks')
