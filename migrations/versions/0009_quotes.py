"""Firm quotes, and transactions and outflows that exchange one asset for another.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

BOOKS = "'treasury', 'bank', 'customer', 'suspense', 'in_transit', 'fees', 'network_fees', 'starting_balances', 'reserves'"


def upgrade():
    """Go up."""
    op.create_table('quotes',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('owner_account', sa.Text(), nullable=False),
    sa.Column('owner_subaccount', sa.Numeric(precision=20, scale=0), nullable=True),
    sa.Column('flow', sa.Text(), nullable=False),
    sa.Column('sell_asset', sa.Text(), nullable=False),
    sa.Column('buy_asset', sa.Text(), nullable=False),
    sa.Column('sell_amount', sa.BigInteger(), nullable=False),
    sa.Column('buy_amount', sa.BigInteger(), nullable=False),
    sa.Column('fee', sa.BigInteger(), nullable=False),
    sa.Column('fee_details', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('price', sa.Numeric(), nullable=False),
    sa.Column('total_price', sa.Numeric(), nullable=False),
    sa.Column('sell_delivery_method', sa.Text(), nullable=True),
    sa.Column('buy_delivery_method', sa.Text(), nullable=True),
    sa.Column('country_code', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("flow IN ('interactive', 'programmatic', 'send')", name=op.f('ck_quotes_flow')),
    sa.CheckConstraint('sell_amount > 0 AND buy_amount > 0', name=op.f('ck_quotes_amounts')),
    sa.CheckConstraint('fee >= 0 AND fee < sell_amount', name=op.f('ck_quotes_fee')),
    sa.CheckConstraint('price > 0 AND total_price >= price', name=op.f('ck_quotes_prices')),
    sa.CheckConstraint('sell_delivery_method IS NULL OR buy_delivery_method IS NULL', name=op.f('ck_quotes_one_method')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quotes'))
    )
    op.create_index('ix_quotes_reserved', 'quotes', ['buy_asset', 'expires_at'])
    op.create_index('ix_quotes_unused', 'quotes', ['expires_at'], postgresql_where=sa.text('used_at IS NULL'))
    op.add_column('transactions', sa.Column('quote_id', sa.Text(), nullable=True))
    op.add_column('transactions', sa.Column('amount_in_asset', sa.Text(), nullable=True))
    op.add_column('transactions', sa.Column('amount_out_asset', sa.Text(), nullable=True))
    op.create_foreign_key(op.f('fk_transactions_quote_id'), 'transactions', 'quotes', ['quote_id'], ['id'])
    op.create_unique_constraint(op.f('uq_transactions_quote_id'), 'transactions', ['quote_id'])
    op.drop_constraint(op.f('ck_transactions_in_is_out_and_fee'), 'transactions')
    op.create_check_constraint(op.f('ck_transactions_in_is_out_and_fee'), 'transactions', 'quote_id IS NOT NULL OR amount_in = amount_out + amount_fee')
    op.create_check_constraint(op.f('ck_transactions_exchange'), 'transactions', '(quote_id IS NULL) = (amount_in_asset IS NULL) AND (quote_id IS NULL) = (amount_out_asset IS NULL)')
    op.add_column('outflows', sa.Column('sold', sa.BigInteger(), nullable=True))
    op.add_column('outflows', sa.Column('sold_asset', sa.Text(), nullable=True))
    op.create_check_constraint(op.f('ck_outflows_sold'), 'outflows', 'sold > amount_fee AND sold_asset IS NOT NULL OR sold IS NULL AND sold_asset IS NULL')
    op.create_index('ix_outflows_sold_asset', 'outflows', ['sold_asset', 'called_at'], postgresql_where=sa.text('sold_asset IS NOT NULL AND called_at IS NOT NULL'))
    op.drop_constraint(op.f('ck_postings_account'), 'postings')
    op.create_check_constraint(op.f('ck_postings_account'), 'postings', f"account IN ({BOOKS}, 'exchange')")


def downgrade():
    """Go down."""
    op.drop_constraint(op.f('ck_postings_account'), 'postings')
    op.create_check_constraint(op.f('ck_postings_account'), 'postings', f"account IN ({BOOKS})")
    op.drop_index('ix_outflows_sold_asset', table_name='outflows')
    op.drop_constraint(op.f('ck_outflows_sold'), 'outflows')
    op.drop_column('outflows', 'sold_asset')
    op.drop_column('outflows', 'sold')
    op.drop_constraint(op.f('ck_transactions_exchange'), 'transactions')
    op.drop_constraint(op.f('ck_transactions_in_is_out_and_fee'), 'transactions')
    op.create_check_constraint(op.f('ck_transactions_in_is_out_and_fee'), 'transactions', 'amount_in = amount_out + amount_fee')
    op.drop_constraint(op.f('uq_transactions_quote_id'), 'transactions')
    op.drop_constraint(op.f('fk_transactions_quote_id'), 'transactions', type_='foreignkey')
    op.drop_column('transactions', 'amount_out_asset')
    op.drop_column('transactions', 'amount_in_asset')
    op.drop_column('transactions', 'quote_id')
    op.drop_index('ix_quotes_unused', table_name='quotes')
    op.drop_index('ix_quotes_reserved', table_name='quotes')
    op.drop_table('quotes')
