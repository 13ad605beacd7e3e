"""Deposits: receipts and events of rails, submissions and their channels, the books.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


BALANCE = (
    """
CREATE FUNCTION postings_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount) FROM postings WHERE cause = NEW.cause AND asset = NEW.asset) <> 0 THEN
        RAISE EXCEPTION 'the postings of % in % do not sum to zero', NEW.cause, NEW.asset;
    END IF;
    RETURN NULL;
END $$
""",
    """
CREATE CONSTRAINT TRIGGER postings_balance AFTER INSERT ON postings
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION postings_balance()
""",
)


def upgrade():
    """Go up."""
    op.create_table('rail_events',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('rail', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('headers', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('judged_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rail_events')),
    sa.UniqueConstraint('rail', 'event_id', name=op.f('uq_rail_events_rail_event_id'))
    )
    op.create_table('rail_readings',
    sa.Column('rail', sa.Text(), nullable=False),
    sa.Column('cursor', sa.Text(), nullable=True),
    sa.Column('polled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('in_charge_since', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('rail', name=op.f('pk_rail_readings'))
    )
    op.create_table('channels',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('network_id', sa.SmallInteger(), nullable=False),
    sa.Column('account_id', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=True),
    sa.Column('sequence', sa.BigInteger(), nullable=True),
    sa.Column('retired_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['network_id'], ['networks.id'], name=op.f('fk_channels_network_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_channels')),
    sa.UniqueConstraint('network_id', 'account_id', name=op.f('uq_channels_network_id_account_id'))
    )
    op.create_table('postings',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('cause', sa.Text(), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('transaction_id', sa.Text(), nullable=True),
    sa.Column('booked_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("account IN ('treasury', 'bank', 'customer', 'suspense', 'in_transit', 'fees', 'network_fees', 'starting_balances')", name=op.f('ck_postings_account')),
    sa.CheckConstraint('amount <> 0', name=op.f('ck_postings_amount')),
    sa.ForeignKeyConstraint(['transaction_id'], ['transactions.id'], name=op.f('fk_postings_transaction_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_postings')),
    sa.UniqueConstraint('cause', 'asset', 'account', name=op.f('uq_postings_cause_asset_account'))
    )
    op.create_index('ix_postings_account', 'postings', ['asset', 'account', 'booked_at'], unique=False)
    op.create_table('receipts',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('rail', sa.Text(), nullable=False),
    sa.Column('receipt_id', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('payer', sa.Text(), nullable=True),
    sa.Column('reference', sa.Text(), nullable=True),
    sa.Column('value_date', sa.Date(), nullable=True),
    sa.Column('booked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reversed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('observed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('transaction_id', sa.Text(), nullable=True),
    sa.CheckConstraint("verdict IN ('credited', 'unmatched', 'late', 'wrong_asset', 'too_small', 'too_large', 'second', 'history', 'unreadable', 'unjudged', 'outgoing')", name=op.f('ck_receipts_verdict')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_receipts_amount')),
    sa.ForeignKeyConstraint(['transaction_id'], ['transactions.id'], name=op.f('fk_receipts_transaction_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_receipts')),
    sa.UniqueConstraint('rail', 'receipt_id', name=op.f('uq_receipts_rail_receipt_id'))
    )
    op.create_index('ix_receipts_unjudged', 'receipts', ['rail'], unique=False, postgresql_where=sa.text("verdict = 'unjudged'"))
    op.create_index('ix_receipts_transaction_id', 'receipts', ['transaction_id'], unique=False, postgresql_where=sa.text('transaction_id IS NOT NULL'))
    op.create_table('submissions',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('channel_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('sequence', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('is_used_up', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('codes', sa.Text(), nullable=True),
    sa.Column('fee_charged', sa.BigInteger(), nullable=True),
    sa.Column('ledger', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('prepared', 'pending_signatures', 'submitted', 'confirmed', 'dead')", name=op.f('ck_submissions_state')),
    sa.ForeignKeyConstraint(['channel_id'], ['channels.id'], name=op.f('fk_submissions_channel_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_submissions'))
    )
    op.create_index('ix_submissions_open', 'submissions', ['source', 'id'], unique=False, postgresql_where=sa.text("state IN ('prepared', 'pending_signatures', 'submitted')"))
    op.create_index('uq_submissions_open', 'submissions', ['channel_id'], unique=True, postgresql_where=sa.text("state IN ('prepared', 'pending_signatures', 'submitted')"))
    op.create_index('uq_submissions_used', 'submissions', ['channel_id', 'sequence'], unique=True, postgresql_where=sa.text('is_used_up'))
    op.create_table('envelopes',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('submission_id', sa.BigInteger(), nullable=False),
    sa.Column('hash', sa.Text(), nullable=False),
    sa.Column('inner_hash', sa.Text(), nullable=True),
    sa.Column('envelope_xdr', sa.Text(), nullable=False),
    sa.Column('max_time', sa.BigInteger(), nullable=False),
    sa.Column('fee', sa.BigInteger(), nullable=False),
    sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('answer', sa.Text(), nullable=True),
    sa.Column('stored_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['submission_id'], ['submissions.id'], name=op.f('fk_envelopes_submission_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_envelopes')),
    sa.UniqueConstraint('hash', name=op.f('uq_envelopes_hash'))
    )
    op.create_index('ix_envelopes_submission_id', 'envelopes', ['submission_id'], unique=False)
    op.add_column('outflows', sa.Column('form', sa.Text(), nullable=True))
    op.add_column('outflows', sa.Column('source', sa.Text(), nullable=True))
    op.add_column('outflows', sa.Column('destination', sa.Text(), nullable=True))
    op.add_column('outflows', sa.Column('memo_type', sa.Text(), nullable=True))
    op.add_column('outflows', sa.Column('memo', sa.Text(), nullable=True))
    op.add_column('outflows', sa.Column('is_alone', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('outflows', sa.Column('not_before', sa.DateTime(timezone=True), nullable=True))
    op.add_column('outflows', sa.Column('submission_id', sa.BigInteger(), nullable=True))
    op.add_column('outflows', sa.Column('operation_index', sa.SmallInteger(), nullable=True))
    op.create_index('ix_outflows_queue', 'outflows', ['source', 'id'], unique=False, postgresql_where=sa.text("state = 'prepared' AND kind <> 'payout'"))
    op.create_index('ix_outflows_submission_id', 'outflows', ['submission_id'], unique=False, postgresql_where=sa.text('submission_id IS NOT NULL'))
    op.create_foreign_key(op.f('fk_outflows_submission_id'), 'outflows', 'submissions', ['submission_id'], ['id'])
    op.add_column('transactions', sa.Column('destination', sa.Text(), nullable=True))
    op.add_column('transactions', sa.Column('destination_memo_type', sa.Text(), nullable=True))
    op.add_column('transactions', sa.Column('destination_memo', sa.Text(), nullable=True))
    op.add_column('transactions', sa.Column('reference', sa.Text(), nullable=True))
    op.add_column('transactions', sa.Column('takes_claimable_balance', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('transactions', sa.Column('claimable_balance_id', sa.Text(), nullable=True))
    op.create_index('ix_transactions_awaited', 'transactions', ['rail', 'id'], unique=False, postgresql_where=sa.text("kind IN ('deposit', 'deposit-exchange') AND status IN ('pending_user_transfer_start', 'pending_external') OR settlement = 'rail' AND status = 'pending_sender'"))
    op.create_index('ix_transactions_expired', 'transactions', ['rail', 'updated_at', 'id'], unique=False, postgresql_where=sa.text("status = 'expired' AND (kind IN ('deposit', 'deposit-exchange') OR settlement = 'rail')"))
    op.create_index('ix_transactions_pending_trust', 'transactions', ['id'], unique=False, postgresql_where=sa.text("status = 'pending_trust'"))
    op.create_unique_constraint(op.f('uq_transactions_reference'), 'transactions', ['reference'])
    op.create_check_constraint(op.f('ck_transactions_destination_memo_type'), 'transactions', "destination_memo_type IN ('id', 'hash', 'text', 'return')")
    op.create_check_constraint(op.f('ck_outflows_form'), 'outflows', "form IN ('payment', 'create_account', 'claimable_balance', 'establish')")
    op.create_check_constraint(op.f('ck_outflows_form_on_the_ledger'), 'outflows', "(kind = 'payout') = (form IS NULL)")
    for statement in BALANCE:
        op.execute(statement)


def downgrade():
    """Go down."""
    op.drop_constraint(op.f('ck_outflows_form_on_the_ledger'), 'outflows', type_='check')
    op.drop_constraint(op.f('ck_outflows_form'), 'outflows', type_='check')
    op.drop_constraint(op.f('ck_transactions_destination_memo_type'), 'transactions', type_='check')
    op.drop_constraint(op.f('uq_transactions_reference'), 'transactions', type_='unique')
    op.drop_index('ix_transactions_pending_trust', table_name='transactions', postgresql_where=sa.text("status = 'pending_trust'"))
    op.drop_index('ix_transactions_expired', table_name='transactions')
    op.drop_index('ix_transactions_awaited', table_name='transactions', postgresql_where=sa.text("kind IN ('deposit', 'deposit-exchange') AND status IN ('pending_user_transfer_start', 'pending_external') OR settlement = 'rail' AND status = 'pending_sender'"))
    op.drop_column('transactions', 'claimable_balance_id')
    op.drop_column('transactions', 'takes_claimable_balance')
    op.drop_column('transactions', 'reference')
    op.drop_column('transactions', 'destination_memo')
    op.drop_column('transactions', 'destination_memo_type')
    op.drop_column('transactions', 'destination')
    op.drop_constraint(op.f('fk_outflows_submission_id'), 'outflows', type_='foreignkey')
    op.drop_index('ix_outflows_submission_id', table_name='outflows', postgresql_where=sa.text('submission_id IS NOT NULL'))
    op.drop_index('ix_outflows_queue', table_name='outflows', postgresql_where=sa.text("state = 'prepared' AND kind <> 'payout'"))
    op.drop_column('outflows', 'operation_index')
    op.drop_column('outflows', 'submission_id')
    op.drop_column('outflows', 'not_before')
    op.drop_column('outflows', 'is_alone')
    op.drop_column('outflows', 'memo')
    op.drop_column('outflows', 'memo_type')
    op.drop_column('outflows', 'destination')
    op.drop_column('outflows', 'source')
    op.drop_column('outflows', 'form')
    op.drop_index('ix_envelopes_submission_id', table_name='envelopes')
    op.drop_table('envelopes')
    op.drop_index('uq_submissions_used', table_name='submissions', postgresql_where=sa.text('is_used_up'))
    op.drop_index('uq_submissions_open', table_name='submissions', postgresql_where=sa.text("state IN ('prepared', 'pending_signatures', 'submitted')"))
    op.drop_index('ix_submissions_open', table_name='submissions', postgresql_where=sa.text("state IN ('prepared', 'pending_signatures', 'submitted')"))
    op.drop_table('submissions')
    op.drop_index('ix_receipts_transaction_id', table_name='receipts', postgresql_where=sa.text('transaction_id IS NOT NULL'))
    op.drop_table('receipts')
    op.drop_index('ix_postings_account', table_name='postings')
    op.drop_table('postings')
    op.execute('DROP FUNCTION postings_balance()')
    op.drop_table('channels')
    op.drop_table('rail_readings')
    op.drop_table('rail_events')
