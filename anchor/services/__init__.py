"""What happens in this house: one function is one fact, and one database transaction.

Whoever looks for something begins at a line here. No module imports one that imports it.

Work that waits
    jobs, claims, choosing, batches, sweeps, passes, retries, asking, budgets

Transactions
    transactions, beginnings, opening, views, details, allowances, expiry, corrections,
    references, memos, trails, transaction_search, transaction_stories

Doors open them
    deposits, withdrawals, programmatic, sends, send_customers, rail_needs, federation, quotes,
    exchanges, conversions, drafts, draft_customers, draft_sums, completions

Who asks, and who is told
    logins, contract_logins, client_domains, links, operators, announcements, callbacks,
    callback_replays

Customers
    customers, known_customers, customer_uploads, customer_files, customer_codes,
    customer_standings, customer_judging, customer_waits, customer_callbacks, customer_erasure,
    customer_desk

The ledger is read
    networks, own_accounts, accounts, payments, known_operations, departures, reconciliation,
    stellar_tomls, toml_checks

Money goes to the ledger
    delivering, deposit_payments, known_lines, trustlines, claimable_balances, queues, slots,
    submissions, signing, bids, preparing, signers, signatures, signature_requests, collecting,
    channels, channel_pool, own_submissions, own_lines, settling, unseen, order_ends

A custodian pays on the ledger
    custodians, custody_orders, custody_outcomes, custodian_payments, evidence

Rails
    rails, entries, receipts, receipt_owners, pending_deposits, rail_events, outflows, outcomes,
    payouts, recovery, statements, reversals

Money goes back
    arrivals, refunds, refund_ends, refund_orders, policy_refunds, returns

By another anchor
    other_anchors, remittances, remittance_orders, remittance_views, remittance_waits, remitting,
    following

The books, and the desk
    books, bookings, audits, cases, acts, desk, crediting, attesting, act_views, arrival_views,
    outflow_views, brakes, standing, overview, measures, checkup

After a backup was restored
    restore, restored, restored_arrivals, restored_orders, restored_payments, restored_payouts,
    restored_remittances
"""
