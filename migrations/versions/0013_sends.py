"""Sends: the customers that they are from and to.

Revision: 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.add_column("transactions", sa.Column("sender_id", sa.Text(), nullable=True))
    op.add_column("transactions", sa.Column("receiver_id", sa.Text(), nullable=True))
    for name in ("sender_id", "receiver_id"):
        op.create_index(
            f"ix_transactions_{name}",
            "transactions",
            [name],
            unique=False,
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )
        op.create_foreign_key(
            op.f(f"fk_transactions_{name}"), "transactions", "customers", [name], ["id"]
        )


def downgrade():
    """Go down."""
    for name in ("receiver_id", "sender_id"):
        op.drop_constraint(op.f(f"fk_transactions_{name}"), "transactions", type_="foreignkey")
        op.drop_index(
            f"ix_transactions_{name}",
            table_name="transactions",
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )
    op.drop_column("transactions", "receiver_id")
    op.drop_column("transactions", "sender_id")
