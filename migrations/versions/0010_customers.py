"""Customers: what they gave (encrypted), their files, how they stand, and callbacks to wallets.

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade():
    """Go up."""
    op.create_table('callbacks',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=True),
    sa.Column('owed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('delivered_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_callbacks'))
    )
    op.create_index('ix_callbacks_waiting', 'callbacks', ['subject', 'host', 'id'], unique=False, postgresql_where=sa.text('delivered_at IS NULL'))
    op.create_table('customers',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('owner_account', sa.Text(), nullable=True),
    sa.Column('memo_type', sa.Text(), nullable=False),
    sa.Column('memo', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(memo_type = 'none') = (memo = '')", name=op.f('ck_customers_memo')),
    sa.CheckConstraint("memo_type IN ('none', 'id', 'hash', 'text')", name=op.f('ck_customers_memo_type')),
    sa.CheckConstraint('(erased_at IS NULL) = (owner_account IS NOT NULL)', name=op.f('ck_customers_erased')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customers')),
    sa.UniqueConstraint('owner_account', 'memo_type', 'memo', name=op.f('uq_customers_owner_account_memo_type_memo'))
    )
    op.create_index('ix_customers_seen', 'customers', ['seen_at'], unique=False, postgresql_where=sa.text('erased_at IS NULL'))
    op.create_table('customer_callbacks',
    sa.Column('customer_id', sa.Text(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('registered_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_callbacks_customer_id')),
    sa.PrimaryKeyConstraint('customer_id', name=op.f('pk_customer_callbacks'))
    )
    op.create_table('customer_codes',
    sa.Column('customer_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('key_id', sa.Text(), nullable=False),
    sa.Column('mark', sa.LargeBinary(), nullable=False),
    sa.Column('tries_left', sa.Integer(), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent', sa.Integer(), nullable=False),
    sa.Column('counted_since', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('tries_left >= 0', name=op.f('ck_customer_codes_tries_left')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_codes_customer_id')),
    sa.PrimaryKeyConstraint('customer_id', 'name', name=op.f('pk_customer_codes'))
    )
    op.create_table('customer_files',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('owner_account', sa.Text(), nullable=False),
    sa.Column('owner_subaccount', sa.Numeric(precision=20, scale=0), nullable=True),
    sa.Column('customer_id', sa.Text(), nullable=True),
    sa.Column('content_type', sa.Text(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('key_id', sa.Text(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('size > 0', name=op.f('ck_customer_files_size')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_files_customer_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer_files'))
    )
    op.create_index('ix_customer_files_customer_id', 'customer_files', ['customer_id'], unique=False, postgresql_where=sa.text('customer_id IS NOT NULL'))
    op.create_index('ix_customer_files_expires_at', 'customer_files', ['expires_at'], unique=False, postgresql_where=sa.text('expires_at IS NOT NULL'))
    op.create_index('ix_customer_files_owner', 'customer_files', ['owner_account', 'created_at'], unique=False)
    op.create_table('customer_history',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('customer_id', sa.Text(), nullable=False),
    sa.Column('event', sa.Text(), nullable=False),
    sa.Column('about', sa.Text(), nullable=True),
    sa.Column('who', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('happened_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_history_customer_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer_history'))
    )
    op.create_index('ix_customer_history_customer_id', 'customer_history', ['customer_id', 'id'], unique=False)
    op.create_table('customer_standings',
    sa.Column('customer_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('stand', sa.Text(), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=True),
    sa.Column('message', sa.Text(), nullable=True),
    sa.Column('is_by_hand', sa.Boolean(), nullable=False),
    sa.Column('transaction_id', sa.Text(), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(verdict IS NOT DISTINCT FROM 'REJECTED') = (stand = 'REJECTED')", name=op.f('ck_customer_standings_final')),
    sa.CheckConstraint("stand IN ('ACCEPTED', 'PROCESSING', 'NEEDS_INFO', 'REJECTED')", name=op.f('ck_customer_standings_stand')),
    sa.CheckConstraint("verdict IN ('ACCEPTED', 'REJECTED')", name=op.f('ck_customer_standings_verdict')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_standings_customer_id')),
    sa.ForeignKeyConstraint(['transaction_id'], ['transactions.id'], name=op.f('fk_customer_standings_transaction_id')),
    sa.PrimaryKeyConstraint('customer_id', 'type', name=op.f('pk_customer_standings'))
    )
    op.create_index('ix_customer_standings_processing', 'customer_standings', ['changed_at'], unique=False, postgresql_where=sa.text("stand = 'PROCESSING'"))
    op.create_table('customer_fields',
    sa.Column('customer_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('key_id', sa.Text(), nullable=True),
    sa.Column('sealed', sa.LargeBinary(), nullable=True),
    sa.Column('file_id', sa.Text(), nullable=True),
    sa.Column('given_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('verified_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'requested') = (sealed IS NULL AND file_id IS NULL)", name=op.f('ck_customer_fields_held')),
    sa.CheckConstraint("state IN ('requested', 'given', 'accepted', 'rejected')", name=op.f('ck_customer_fields_state')),
    sa.CheckConstraint('(sealed IS NULL) = (key_id IS NULL)', name=op.f('ck_customer_fields_key')),
    sa.CheckConstraint('sealed IS NULL OR file_id IS NULL', name=op.f('ck_customer_fields_one_of_two')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_customer_fields_customer_id')),
    sa.ForeignKeyConstraint(['file_id'], ['customer_files.id'], name=op.f('fk_customer_fields_file_id')),
    sa.PrimaryKeyConstraint('customer_id', 'name', name=op.f('pk_customer_fields'))
    )
    op.create_index('ix_customer_fields_file_id', 'customer_fields', ['file_id'], unique=False, postgresql_where=sa.text('file_id IS NOT NULL'))


def downgrade():
    """Go down."""
    op.drop_index('ix_customer_fields_file_id', table_name='customer_fields', postgresql_where=sa.text('file_id IS NOT NULL'))
    op.drop_table('customer_fields')
    op.drop_index('ix_customer_standings_processing', table_name='customer_standings', postgresql_where=sa.text("stand = 'PROCESSING'"))
    op.drop_table('customer_standings')
    op.drop_index('ix_customer_history_customer_id', table_name='customer_history')
    op.drop_table('customer_history')
    op.drop_index('ix_customer_files_owner', table_name='customer_files')
    op.drop_index('ix_customer_files_expires_at', table_name='customer_files', postgresql_where=sa.text('expires_at IS NOT NULL'))
    op.drop_index('ix_customer_files_customer_id', table_name='customer_files', postgresql_where=sa.text('customer_id IS NOT NULL'))
    op.drop_table('customer_files')
    op.drop_table('customer_codes')
    op.drop_table('customer_callbacks')
    op.drop_index('ix_customers_seen', table_name='customers', postgresql_where=sa.text('erased_at IS NULL'))
    op.drop_table('customers')
    op.drop_index('ix_callbacks_waiting', table_name='callbacks', postgresql_where=sa.text('delivered_at IS NULL'))
    op.drop_table('callbacks')
