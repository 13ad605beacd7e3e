"""Remittances: what is sent by other anchors, the house's money, and what comes back.

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KINDS = "'deposit', 'deposit-exchange', 'withdrawal', 'withdrawal-exchange', 'send'"
FLOWS = "'interactive', 'programmatic', 'send'"
VERDICTS = (
    "'credited', 'unmatched', 'late', 'wrong_asset', 'too_small', 'too_large', 'second',"
    " 'history', 'unreadable', 'unjudged', 'outgoing'"
)
BOOKS = (
    "'treasury', 'bank', 'customer', 'suspense', 'in_transit', 'fees', 'network_fees',"
    " 'starting_balances', 'reserves', 'exchange'"
)
CHECKS = (
    ("transactions", "kind", KINDS, "'remittance'"),
    ("transactions", "flow", FLOWS, "'remittance'"),
    ("payments", "verdict", VERDICTS, "'returned'"),
    ("receipts", "verdict", VERDICTS, "'returned'"),
    ("postings", "account", BOOKS, "'house'"),
)
DEPOSITS = "'deposit', 'deposit-exchange'"


def check(table, column, words):
    """Let a column hold these words and no others."""
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table)
    op.create_check_constraint(name, table, f"{column} IN ({words})")


def awaited(kinds, more):
    """Make the indexes of whose money is asked about: expired ones of these kinds, and more."""
    wanted = {
        "ix_transactions_awaited": (
            ["rail", "id"],
            f"kind IN ({DEPOSITS}) AND"
            " status IN ('pending_user_transfer_start', 'pending_external')"
            f"{more} OR settlement = 'rail' AND status = 'pending_sender'",
        ),
        "ix_transactions_expired": (
            ["rail", "updated_at", "id"],
            f"status = 'expired' AND (kind IN ({kinds}) OR settlement = 'rail')",
        ),
    }
    for name, (columns, where) in wanted.items():
        op.drop_index(name, table_name="transactions")
        op.create_index(name, "transactions", columns, postgresql_where=sa.text(where))


def upgrade():
    """Go up."""
    for table, column, words, more in CHECKS:
        check(table, column, f"{words}, {more}")
    started = " OR kind = 'remittance' AND status = 'pending_user_transfer_start'"
    awaited(f"{DEPOSITS}, 'remittance'", started)
    op.create_table(
        "remittances",
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("funding_method", sa.Text(), nullable=True),
        sa.Column("sender_type", sa.Text(), nullable=True),
        sa.Column("receiver_type", sa.Text(), nullable=True),
        sa.Column("buys", sa.Text(), nullable=True),
        sa.Column("least_out", sa.BigInteger(), nullable=True),
        sa.Column("agreed", sa.BigInteger(), nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("remote_status", sa.Text(), nullable=True),
        sa.Column("remote_quote_id", sa.Text(), nullable=True),
        sa.Column("quote_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(buys IS NULL) = (least_out IS NULL)", name=op.f("ck_remittances_limit_of_a_quote")
        ),
        sa.CheckConstraint(
            "(sealed IS NULL) = (key_id IS NULL)", name=op.f("ck_remittances_sealed")
        ),
        sa.CheckConstraint("agreed > 0 AND least_out > 0", name=op.f("ck_remittances_amounts")),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["transactions.id"],
            name=op.f("fk_remittances_transaction_id"),
        ),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_remittances")),
    )
    op.create_index("ix_remittances_domain", "remittances", ["domain"])
    op.create_index(
        "ix_remittances_key_id",
        "remittances",
        ["key_id"],
        postgresql_where=sa.text("key_id IS NOT NULL"),
    )


def downgrade():
    """Go down; not possible once there was a remittance."""
    op.drop_table("remittances")
    awaited(DEPOSITS, "")
    for table, column, words, _more in reversed(CHECKS):
        check(table, column, words)
