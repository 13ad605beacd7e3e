"""Trust lines that a payment authorizes, those that are known, and lumens for a trust line.

Revision: 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

FORMS = ("payment", "create_account", "claimable_balance", "establish", "claim")
#: Whoever was paid before had a line that was authorized.
KNOWN = """
INSERT INTO known_lines (network_id, asset, account_id)
SELECT DISTINCT network_id, asset, counterparty FROM payments
WHERE direction = 'out' AND asset <> 'native' AND counterparty IS NOT NULL
"""


def _forms(*forms):
    op.drop_constraint(op.f("ck_outflows_form"), "outflows", type_="check")
    listed = ", ".join(f"'{form}'" for form in forms)
    op.create_check_constraint(op.f("ck_outflows_form"), "outflows", f"form IN ({listed})")


def upgrade():
    """Go up."""
    false = sa.text("false")
    authorizes = sa.Column("authorizes", sa.Boolean(), server_default=false, nullable=False)
    op.add_column("outflows", authorizes)
    op.create_check_constraint(
        op.f("ck_outflows_what_authorizes"), "outflows", "NOT authorizes OR form = 'payment'"
    )
    _forms("payment", "create_account", "claimable_balance", "establish", "trustline_lumens", "claim")
    now = sa.text("now()")
    op.create_table(
        "known_lines",
        sa.Column("network_id", sa.SmallInteger(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["networks.id"], name=op.f("fk_known_lines_network_id")
        ),
        sa.PrimaryKeyConstraint("network_id", "asset", "account_id", name=op.f("pk_known_lines")),
    )
    op.execute(KNOWN)


def downgrade():
    """Go down."""
    op.drop_table("known_lines")
    op.drop_constraint(op.f("ck_outflows_what_authorizes"), "outflows", type_="check")
    _forms(*FORMS)
    op.drop_column("outflows", "authorizes")
