"""Envelopes that wait for signatures, and claimable balances that are followed.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


EVENTS = (
    'details_given', 'checks_begun', 'details_needed', 'customer_info_needed', 'customer_info_given',
    'customer_accepted', 'customer_rejected', 'transaction_info_needed', 'transaction_info_given',
    'user_action_needed', 'user_acted', 'user_said_sent', 'trust_missing', 'trust_found',
    'too_small_found', 'too_large_found', 'no_market_found', 'funds_received', 'held', 'released',
    'payout_sent', 'payout_ready_for_pickup', 'payout_completed', 'payout_needs_info',
    'payout_refused', 'payout_returned', 'ledger_payment_submitted', 'ledger_payment_confirmed',
    'ledger_payment_failed', 'refund_sent', 'refund_completed', 'partly_refunded', 'expired',
    'failed', 'recovered', 'opened', 'credited',
)
FORMS = ('payment', 'create_account', 'claimable_balance', 'establish')
ACCOUNTS = ('treasury', 'bank', 'customer', 'suspense', 'in_transit', 'fees', 'network_fees', 'starting_balances')


def _one_of(table, column, names):
    listed = ', '.join(repr(name) for name in names)
    op.drop_constraint(op.f(f'ck_{table}_{column}'), table, type_='check')
    op.create_check_constraint(op.f(f'ck_{table}_{column}'), table, f"{column} IN ({listed})")


def upgrade():
    """Go up."""
    _one_of('history', 'event', (*EVENTS, 'balance_ended'))
    _one_of('outflows', 'form', (*FORMS, 'claim'))
    _one_of('postings', 'account', (*ACCOUNTS, 'reserves'))
    op.add_column('outflows', sa.Column('balance_id', sa.Text(), nullable=True))
    op.create_check_constraint(op.f('ck_outflows_balance_to_claim'), 'outflows', "(balance_id IS NOT NULL) = (form = 'claim')")
    op.create_index('ix_outflows_balance_id', 'outflows', ['balance_id'], postgresql_where=sa.text('balance_id IS NOT NULL'))
    op.create_table('claimable_balances',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('network_id', sa.SmallInteger(), nullable=False),
    sa.Column('outflow_id', sa.BigInteger(), nullable=False),
    sa.Column('transaction_id', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('reclaim_at', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_by', sa.Text(), nullable=True),
    sa.Column('transaction_hash', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("state IN ('waiting', 'claimed', 'reclaimed', 'clawed_back')", name=op.f('ck_claimable_balances_state')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_claimable_balances_amount')),
    sa.CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name=op.f('ck_claimable_balances_ended')),
    sa.ForeignKeyConstraint(['network_id'], ['networks.id'], name=op.f('fk_claimable_balances_network_id')),
    sa.ForeignKeyConstraint(['outflow_id'], ['outflows.id'], name=op.f('fk_claimable_balances_outflow_id')),
    sa.ForeignKeyConstraint(['transaction_id'], ['transactions.id'], name=op.f('fk_claimable_balances_transaction_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_claimable_balances')),
    sa.UniqueConstraint('outflow_id', name=op.f('uq_claimable_balances_outflow_id'))
    )
    op.create_index('ix_claimable_balances_waiting', 'claimable_balances', ['network_id', 'id'], postgresql_where=sa.text("state = 'waiting'"))
    op.add_column('envelopes', sa.Column('asks', sa.Integer(), server_default=sa.text('0'), nullable=False))
    op.add_column('envelopes', sa.Column('ask_at', sa.DateTime(timezone=True), nullable=True))


def downgrade():
    """Go down. Claims that were made are forgotten: only for a database without any."""
    op.drop_table('claimable_balances')
    op.drop_index('ix_outflows_balance_id', table_name='outflows')
    op.drop_constraint(op.f('ck_outflows_balance_to_claim'), 'outflows', type_='check')
    op.drop_column('outflows', 'balance_id')
    _one_of('postings', 'account', ACCOUNTS)
    _one_of('outflows', 'form', FORMS)
    _one_of('history', 'event', EVENTS)
    op.drop_column('envelopes', 'ask_at')
    op.drop_column('envelopes', 'asks')
