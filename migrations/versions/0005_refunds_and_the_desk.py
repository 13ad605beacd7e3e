"""Refunds, and the operator's desk: acts and pauses.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

EVENTS = (
    'details_given', 'checks_begun', 'details_needed', 'customer_info_needed', 'customer_info_given',
    'customer_accepted', 'customer_rejected', 'transaction_info_needed', 'transaction_info_given',
    'user_action_needed', 'user_acted', 'user_said_sent', 'trust_missing', 'trust_found',
    'too_small_found', 'too_large_found', 'no_market_found', 'funds_received', 'held', 'released',
    'payout_sent', 'payout_ready_for_pickup', 'payout_completed', 'payout_needs_info',
    'payout_refused', 'payout_returned', 'ledger_payment_submitted', 'ledger_payment_confirmed',
    'ledger_payment_failed', 'refund_sent', 'refund_completed', 'partly_refunded',
    'refund_failed', 'expired', 'failed', 'recovered', 'opened', 'credited', 'balance_ended',
)
UNPAID = "funded_at IS NULL AND status NOT IN ('completed', 'refunded', 'expired', 'error')"
MEMO_TYPES = "refund_memo_type IN ('id', 'hash', 'text', 'return')"


def _one_of(column, names):
    return f"{column} IN ({', '.join(repr(name) for name in names)})"


def _check(table, name, condition):
    op.drop_constraint(op.f(f'ck_{table}_{name}'), table, type_='check')
    op.create_check_constraint(op.f(f'ck_{table}_{name}'), table, condition)


def upgrade():
    """Go up."""
    op.add_column('transactions', sa.Column('amount_refunded', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
    op.add_column('transactions', sa.Column('refund_memo_type', sa.Text(), nullable=True))
    op.add_column('transactions', sa.Column('refund_memo', sa.Text(), nullable=True))
    op.create_check_constraint(op.f('ck_transactions_refund_memo_type'), 'transactions', MEMO_TYPES)
    _check('transactions', 'amounts', 'amount_received >= 0 AND amount_paid >= 0 AND amount_refunded >= 0')
    _check('transactions', 'never_more_out_than_in', 'amount_paid + amount_refunded <= amount_received')
    _check('history', 'event', _one_of('event', EVENTS))
    op.create_index('ix_transactions_unpaid', 'transactions', ['deadline_at'], postgresql_where=sa.text(UNPAID))
    op.alter_column('outflows', 'transaction_id', nullable=True)
    for column, table in (('payment_id', 'payments'), ('receipt_id', 'receipts')):
        op.add_column('outflows', sa.Column(column, sa.BigInteger(), nullable=True))
        op.create_foreign_key(op.f(f'fk_outflows_{column}'), 'outflows', table, [column], ['id'])
        op.create_index(f'ix_outflows_{column}', 'outflows', [column], postgresql_where=sa.text(f'{column} IS NOT NULL'))
    op.drop_constraint(op.f('ck_outflows_form_on_the_ledger'), 'outflows', type_='check')
    op.create_check_constraint(op.f('ck_outflows_rail_or_ledger'), 'outflows', '(rail IS NULL) = (form IS NOT NULL)')
    op.create_check_constraint(op.f('ck_outflows_what_a_refund_is'), 'outflows', "(kind = 'refund') = (num_nonnulls(payment_id, receipt_id) = 1)")
    op.create_check_constraint(op.f('ck_outflows_whose_it_is'), 'outflows', "kind = 'refund' OR transaction_id IS NOT NULL")
    op.drop_index('ix_outflows_queue', table_name='outflows')
    op.create_index('ix_outflows_queue', 'outflows', ['source', 'id'], postgresql_where=sa.text("state = 'prepared' AND form IS NOT NULL"))
    op.create_index('ix_outflows_called_at', 'outflows', ['asset', 'called_at'], postgresql_where=sa.text('called_at IS NOT NULL'))
    op.add_column('outflows', sa.Column('returned_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('submissions', sa.Column('hash', sa.Text(), nullable=True))
    op.add_column('cases', sa.Column('looked_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table('acts',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('what', sa.Text(), nullable=False),
    sa.Column('who', sa.Text(), nullable=False),
    sa.Column('case_id', sa.BigInteger(), nullable=True),
    sa.Column('transaction_id', sa.Text(), nullable=True),
    sa.Column('outflow_id', sa.BigInteger(), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('done_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_acts_case_id')),
    sa.ForeignKeyConstraint(['outflow_id'], ['outflows.id'], name=op.f('fk_acts_outflow_id')),
    sa.ForeignKeyConstraint(['transaction_id'], ['transactions.id'], name=op.f('fk_acts_transaction_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_acts'))
    )
    for column in ('case_id', 'transaction_id', 'outflow_id'):
        op.create_index(f'ix_acts_{column}', 'acts', [column], postgresql_where=sa.text(f'{column} IS NOT NULL'))
    op.add_column('accounts', sa.Column('first_cursor', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
    op.create_table('openings',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('ledger', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_openings_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'asset', name=op.f('pk_openings'))
    )
    op.create_table('pauses',
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('who', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('since', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("scope IN ('all', 'asset', 'rail', 'kind')", name=op.f('ck_pauses_scope')),
    sa.PrimaryKeyConstraint('scope', 'subject', name=op.f('pk_pauses'))
    )


def downgrade():
    """Go down. Refunds that were made are forgotten: only for a database without any."""
    op.drop_table('pauses')
    op.drop_table('openings')
    op.drop_column('accounts', 'first_cursor')
    op.drop_table('acts')
    op.drop_column('cases', 'looked_at')
    op.drop_column('submissions', 'hash')
    op.drop_column('outflows', 'returned_at')
    op.drop_index('ix_outflows_called_at', table_name='outflows')
    op.drop_index('ix_outflows_queue', table_name='outflows')
    op.create_index('ix_outflows_queue', 'outflows', ['source', 'id'], postgresql_where=sa.text("state = 'prepared' AND kind <> 'payout'"))
    for name in ('rail_or_ledger', 'what_a_refund_is', 'whose_it_is'):
        op.drop_constraint(op.f(f'ck_outflows_{name}'), 'outflows', type_='check')
    op.create_check_constraint(op.f('ck_outflows_form_on_the_ledger'), 'outflows', "(kind = 'payout') = (form IS NULL)")
    for column in ('payment_id', 'receipt_id'):
        op.drop_index(f'ix_outflows_{column}', table_name='outflows')
        op.drop_column('outflows', column)
    op.alter_column('outflows', 'transaction_id', nullable=False)
    _check('history', 'event', _one_of('event', [name for name in EVENTS if name != 'refund_failed']))
    _check('transactions', 'never_more_out_than_in', 'amount_paid <= amount_received')
    _check('transactions', 'amounts', 'amount_received >= 0 AND amount_paid >= 0')
    op.drop_index('ix_transactions_unpaid', table_name='transactions')
    op.drop_constraint(op.f('ck_transactions_refund_memo_type'), 'transactions', type_='check')
    for column in ('amount_refunded', 'refund_memo_type', 'refund_memo'):
        op.drop_column('transactions', column)
