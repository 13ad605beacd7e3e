"""Acts: the key of whoever asked for one, and what was meant under it.

Revision: 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.add_column("acts", sa.Column("key", sa.Text(), nullable=True))
    op.add_column("acts", sa.Column("meaning", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_acts_key"), "acts", ["key"])
    op.create_check_constraint(
        op.f("ck_acts_key_has_meaning"), "acts", "(key IS NULL) = (meaning IS NULL)"
    )


def downgrade():
    """Go down."""
    op.drop_constraint(op.f("ck_acts_key_has_meaning"), "acts", type_="check")
    op.drop_constraint(op.f("uq_acts_key"), "acts")
    op.drop_column("acts", "meaning")
    op.drop_column("acts", "key")
