"""Which tests answer which finding of the two reviews that this project began with.

`POLARIS`: what django-polaris 2.6 did wrong with money; the numbers are the review's (4.1 its
deposits command, 5.6 the memo of a deposit, 7.1 money and state, 7.3 the death of a process,
7.4 the cost of polling, 7.7 its crash windows). `PROMISES`: how a first draft of our own
promises could be broken. A finding without its tests is red here.
"""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
_CRASHES = "processes/test_deposit_crashes.py"
_KILLED = f"{_CRASHES}::test_promise_06_whatever_is_killed_on_the_way_to_the_ledger"
_FAULTS = "test_submission_faults.py"
_KILLS = "processes/test_crashes.py"
_PAYOUTS = "test_payouts.py"
_POLLS = "test_poll_pending_deposits.py"
POLARIS: dict[str, list[str]] = {
    "4.1.1 a lock that two may hold": [f"{_FAULTS}::test_two_drivers_at_once_pay_once"],
    "4.1.2 a queue in memory": [_KILLED],
    "4.1.3 a deposit answered twice": [
        f"{_POLLS}::test_promise_01_the_same_deposit_answered_twice_is_credited_once"
    ],
    "4.1.3 a status that is not looked at again": [
        f"{_POLLS}::test_a_deposit_that_a_person_ended_meanwhile_is_not_brought_back"
    ],
    "4.1.4 lines that are full or not authorized": [
        "test_submissions.py::test_promise_04_a_deposit_waits_until_its_account_can_take_it"
    ],
    "4.1.5 Horizon away before the payment": [
        f"{_FAULTS}::test_promise_12_an_hour_without_horizon_ends_with_its_return"
    ],
    "4.1.5 an account made, then its line": [
        "test_submissions.py::test_an_account_that_is_not_there_is_created_and_waits_for_its_trust_line"
    ],
    "4.1.6 codes that end in an error": [
        "test_result_codes.py::test_what_the_account_cannot_take_waits_for_trust",
        "test_result_codes.py::test_what_our_account_cannot_give_waits_in_the_queue_and_is_told",
        "test_result_codes.py::test_tx_bad_seq_of_a_number_too_high_is_corrected_after_the_proof",
    ],
    "5.6 memos of each kind": [
        "test_submissions.py::test_a_memo_of_each_kind_goes_with_its_payment_alone"
    ],
    "7.1-2 not found although paid": [
        f"{_FAULTS}::test_promise_06_a_horizon_that_lags_is_no_proof_that_a_deposit_was_not_paid"
    ],
    "7.1-5 M addresses": ["test_submissions.py::test_a_deposit_to_a_muxed_address_keeps_the_id"],
    "7.1-8 the same deposit twice in the queue": [f"{_FAULTS}::test_two_drivers_at_once_pay_once"],
    "7.1-9 a lock stolen from one that hangs": [
        f"{_FAULTS}::test_promise_06_a_driver_that_was_overtaken_gives_nothing_up"
    ],
    "7.1-10 sent again without a look": [
        _KILLED,
        f"{_FAULTS}::test_promise_06_whatever_the_network_answers_a_deposit_is_paid_once",
    ],
    "7.1-11 fees": [
        f"{_FAULTS}::test_a_fee_that_is_too_low_is_raised_up_to_the_ceiling",
        f"{_FAULTS}::test_a_fee_above_the_ceiling_is_waited_for",
    ],
    "7.1-13 stale rows": [f"{_FAULTS}::test_promise_14_what_a_person_stopped_is_not_carried"],
    "7.1-14 amounts overwritten": ["test_submissions.py::test_a_deposit_is_paid_on_the_ledger"],
    "7.1-15 what came and is not recorded": [
        "test_bookings_line_by_line.py::test_promise_01_and_03_a_booking_has_one_row_and_the_verdict"
    ],
    "7.1-18 claimable balances that nobody can take back": [
        "ledger/test_envelopes.py::test_a_claimable_balance"
    ],
    "7.3-2 one exception ends all": [
        f"{_POLLS}::test_an_exception_of_a_rail_is_that_poll_s_alone_and_never_parks_it",
        "test_submissions.py::test_promise_12_one_that_cannot_be_paid_does_not_keep_the_others",
    ],
    "7.1-3 a flag that is never taken back": [
        f"{_PAYOUTS}::test_promise_07_a_surprise_after_the_bank_took_the_money_is_looked_up",
        f"{_KILLS}::test_promise_06_a_worker_killed_between_the_transfer_and_its_record",
    ],
    "7.1-4 a payout that is made again and again": [
        f"{_PAYOUTS}::test_promise_07_a_rail_that_promises_nothing_is_never_repeated",
        f"{_PAYOUTS}::test_promise_06_a_final_no_is_not_tried_again_by_itself",
    ],
    "7.1-6 paid out without a payment": [
        "rules/test_lifecycle.py::test_promise_04_nothing_pays_out_or_refunds_without_funds_in",
        "test_known_defects.py::test_promise_04_a_withdrawal_without_its_payment_pays_nothing",
    ],
    "7.1-7 no account and memo after a hold": [
        "test_known_defects.py::test_a_withdrawal_has_its_memo_from_the_moment_it_is_asked_for"
    ],
    "7.1-12 envelopes without an end": [
        "test_known_defects.py::test_promise_06_each_envelope_has_an_end"
    ],
    "7.1-15 operations that are not counted, roundings, payments that nobody keeps": [
        "test_withdrawals.py::test_promise_03_two_operations_of_one_ledger_transaction",
        "rules/test_fees.py::test_promise_09_in_is_out_plus_fee_to_the_last_stroop",
        "test_withdrawals.py::test_promise_03_a_payment_without_our_memo_is_unmatched",
        "test_withdrawals.py::test_promise_03_two_payments_with_one_memo_credit_once",
        "rules/test_matching.py::test_promise_03_a_payment_after_the_end_is_late",
        "rules/test_matching.py::test_promise_03_another_asset_or_issuer_credits_nothing",
    ],
    "7.1-16 a memo twice, two streams of one account": [
        "test_schema.py::test_a_memo_is_never_issued_twice",
        "test_known_defects.py::test_two_assets_of_one_account_share_its_sequence_numbers",
        "test_receipts.py::test_promise_02_a_page_is_kept_with_its_cursor_or_not_at_all",
    ],
    "7.1-19 a poll that writes over what was decided": [
        f"{_PAYOUTS}::test_an_order_that_was_sent_is_completed_by_the_poll",
        "test_safeguards.py::test_promise_04_the_compare_of_versions_stops_two_who_read_the_same",
    ],
    "7.3-3 one stream that ends all": [
        "test_standing.py::test_promise_12_an_account_that_cannot_be_watched_stops_no_other"
    ],
    "7.3-4 answers of 500": [
        "doors/test_bad_input.py::test_every_parameter_of_every_get_endpoint",
        "doors/test_bad_input.py::test_every_field_of_every_post_endpoint",
        "doors/test_sep10.py::test_promise_14_no_token_while_the_ledger_cannot_be_asked",
        "doors/test_sep24_deposits.py::test_in_doubt_whether_the_account_is_there",
    ],
    "7.3-5 a slash at the end": [
        "test_known_defects.py::test_a_slash_at_the_end_loses_neither_token_nor_body"
    ],
    "7.3-6 a loop that the documents promise": [
        "test_docs.py::test_each_command_that_the_pages_name_is_there_with_its_options",
        f"{_KILLS}::test_the_journey_with_no_broker_and_no_worker",
    ],
    "7.3-7 memos of 64 bits": [
        "test_schema.py::test_a_memo_holds_a_full_uint64_and_nothing_more",
        "test_known_defects.py::test_an_owner_with_the_highest_id_has_its_transactions",
    ],
    "7.4 one deposit a ledger": [
        "test_submissions.py::test_many_deposits_go_out_in_one_envelope",
        "test_submissions.py::test_channels_let_many_envelopes_go_out_in_one_ledger",
    ],
    "7.6 #640, #361, #466": [_KILLED],
    "7.7 deposits": [_KILLED],
    "7.7 a payment seen and not saved, or saved by half": [
        "test_receipts.py::test_promise_02_a_page_is_kept_with_its_cursor_or_not_at_all",
        f"{_KILLS}::test_promise_02_a_payment_made_while_no_stream_runs_is_found_later",
        "test_withdrawals.py::test_promise_02_judging_that_fails_keeps_the_payments",
    ],
    "7.7 a payout before and after the call of the bank": [
        f"{_KILLS}::test_promise_06_a_worker_killed_between_the_transfer_and_its_record",
        "processes/test_instances.py::test_promise_05_of_two_loops_the_other_goes_on",
        f"{_PAYOUTS}::test_promise_06_eight_workers_on_one_transaction_call_once",
    ],
    "7.7 a refund": [
        "processes/test_refund_crashes.py::test_promise_06_a_worker_killed_in_a_refund_on_the_ledger",
        "processes/test_refund_crashes.py::test_promise_06_a_worker_killed_in_a_refund_by_rail",
    ],
}

PROMISES: dict[str, list[str]] = {
    "1 a refund beside a payout in flight": [
        "test_refunds.py::test_promise_05_a_refund_and_a_payout_are_never_under_way_together",
        "test_refunds.py::test_promise_05_eight_hands_send_no_more_back_than_came",
    ],
    "2 a sweep that takes a job from its holder": [
        f"{_PAYOUTS}::test_promise_10_a_sweep_run_a_hundred_times_while_a_worker_hangs_calls_once"
    ],
    "3 a repeat and a new event are told apart by their cause": [
        "test_withdrawals.py::test_promise_04_the_same_cause_twice_changes_nothing",
        "test_withdrawals.py::test_promise_04_an_event_without_a_row_is_refused_and_becomes_a_case",
    ],
    "4 the table knows whether money is in": [
        "rules/test_lifecycle.py::test_promise_04_nothing_pays_out_or_refunds_without_funds_in",
        "rules/test_lifecycle.py::test_promise_04_nothing_expires_with_funds_in",
        "rules/test_lifecycle.py::test_promise_04_money_may_arrive_in_every_status",
    ],
    "5 unknown is the default, and not found is not final at once": [
        f"{_PAYOUTS}::test_promise_07_a_rail_that_promises_nothing_is_never_repeated",
        "test_custodian_payments.py::test_promise_07_not_found_is_repeated_only_once_it_is_final",
    ],
    "6 memos for ever": ["test_schema.py::test_a_memo_is_never_issued_twice"],
    "7 money at the bank has rows": [
        "test_bookings_line_by_line.py::test_promise_01_and_03_a_booking_has_one_row_and_the_verdict",
        "test_receipt_lists.py::test_promise_01_the_list_is_read_to_its_end",
    ],
    "8 a send has one source of money": [
        "test_receipts.py::test_promise_03_a_send_is_funded_by_the_source"
    ],
    "9 history moves nothing": [
        "test_withdrawals.py::test_promise_14_what_closed_before_we_were_in_charge_is_history"
    ],
    "10 refunds by policy are off and bounded": [
        "test_policy_refunds.py::test_promise_14_nothing_is_sent_back_by_itself_unless",
        "test_policy_refunds.py::test_promise_14_the_daily_number_is_kept",
        "test_policy_refunds.py::test_promise_14_what_answers_a_refund_of_ours_stays",
        "test_policy_refunds.py::test_promise_14_what_is_below_the_least_amount_stays",
    ],
    "11 deadlines belong to their source": [
        "test_expiry.py::test_promise_11_nothing_expires_before_its_account_was_read",
        "test_expiry.py::test_promise_11_a_deposit_expires_only_after_its_rail_was_asked",
    ],
    "12 gaps and resets are not silent": [
        "test_withdrawals.py::test_promise_02_a_network_reset_under_the_same_name_stops",
        "test_withdrawals.py::test_promise_02_a_cursor_older_than_the_history_stops",
        "test_reconciliation.py::test_a_payment_that_the_stream_missed_is_kept",
    ],
    "13 when an envelope is dead": [
        f"{_FAULTS}::test_promise_06_a_horizon_that_lags_is_no_proof",
        f"{_FAULTS}::test_an_envelope_that_no_ledger_took_is_replaced_with_its_own",
    ],
    "14 a restored database pays nothing again": [
        "test_restore.py::test_promise_06_a_payout_that_the_restored_database_forgot",
        "test_restore.py::test_promise_06_a_deposit_that_the_restored_database_forgot",
    ],
    "15 what comes back after the end": [
        "test_after_the_end.py::test_a_payout_that_comes_back_is_owed_again",
        "test_reversals.py::test_a_reversal_after_the_end_leaves_the_status_and_tells",
    ],
    "16 the unit is the ledger transaction": [
        "test_withdrawals.py::test_promise_03_two_operations_of_one_ledger_transaction",
        "test_collecting.py::test_promise_04_a_part_is_credited_and_not_paid_out_until",
    ],
    "17 the feed holds all that comes": [
        "test_withdrawals.py::test_promise_01_an_account_merge_is_kept_with_its_amount",
        "ledger/test_records.py::test_promise_01_what_cannot_be_read_is_kept_with_the_reason",
    ],
    "19 signers and custodians": [
        "test_custodian_payments.py::test_promise_06_however_a_custodian_answers"
    ],
    "20 a stop button, caps and liquidity": [
        "test_brakes.py::test_promise_14_a_pause_stops_payouts_and_a_resume",
        "test_brakes.py::test_a_cap_lets_so_much_out_in_an_hour_and_tells_the_operator",
        "test_submission_faults.py::test_an_empty_distribution_account_waits_for_liquidity",
    ],
    "22 who computes amounts": [
        "rules/test_fees.py::test_promise_09_in_is_out_plus_fee_to_the_last_stroop",
        f"{_PAYOUTS}::test_another_delivered_amount_is_recorded_beside",
    ],
    "23 webhooks": [
        "test_webhooks.py::test_an_event_is_stored_as_it_came_answered_at_once",
        "processes/test_receiving.py::test_promise_01_an_event_outlives_the_web_that_took_it",
    ],
    "25 books": ["test_submissions.py::test_promise_09_the_books_balance_after_every_end"],
    "26 one kind of lease": [
        "test_withdrawals.py::test_promise_02_a_page_read_from_another_cursor_writes_nothing",
        "processes/test_instances.py::test_promise_02_a_stream_leader_that_was_frozen",
    ],
    "28 a slow rail delays its own": [
        "processes/test_rails.py::test_promise_12_a_rail_that_hangs_leaves_the_others"
    ],
    "29 a broker that says nothing delays nobody": [
        "test_brokers.py::test_promise_10_ringing_a_broker_that_says_nothing_raises_nothing",
        "test_sweeps.py::test_promise_10_a_backlog_beyond_the_limit_of_parameters",
    ],
    "30 lines are asked for within a budget": [
        "test_trustlines.py::test_looks_keep_to_the_budget_of_a_minute"
    ],
    "33 what is unavailable is never parked, what is parked goes again by its reason": [
        "test_payouts.py::test_unavailable_never_parks",
        "test_webhooks.py::test_all_that_one_reason_has_parked_are_read_again_at_once",
    ],
    "34 several Horizons of one network": [
        "test_failover.py::test_promise_02_a_source_of_another_network_under_the_same_name"
    ],
    "36 G:5 and its M address are one": [
        "doors/test_sep24.py::test_promise_13_a_muxed_account_and_its_memo_are_one_owner",
        "test_withdrawals.py::test_promise_03_muxed_id_and_memo_that_disagree",
        "test_refunds.py::test_a_muxed_payer_is_paid_under_its_own_id",
    ],
    "37 a claimable balance after its deposit": [
        "test_claimable_balances.py::test_one_that_nobody_claimed_is_taken_back_and_owed"
    ],
}


@pytest.mark.parametrize(
    ("line", "names"), [*POLARIS.items(), *PROMISES.items()], ids=lambda each: str(each)[:60]
)
def test_each_finding_has_its_tests(line: str, names: list[str]) -> None:
    assert names, line
    for name in names:
        file, _, test = name.partition("::")
        assert re.search(rf"^ *def {test}\w*\(", (TESTS / file).read_text(), re.MULTILINE), name
