"""How often somebody outside was asked; looks at trust lines have a lane of their own.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.create_table(
        "budgets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_budgets")),
    )
    op.execute("UPDATE jobs SET lane = 'trust lines' WHERE kind = 'check_trustline'")


def downgrade():
    """Go back down."""
    op.execute("UPDATE jobs SET lane = 'ledger' WHERE kind = 'check_trustline'")
    op.drop_table("budgets")
