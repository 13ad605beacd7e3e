"""Rails that each make one mistake, and the test of the contract that is for it."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from time import sleep
from typing import Any
from uuid import uuid4

from anchor.integrations.protocols import (
    Arrived,
    DepositFailed,
    Done,
    Field,
    Instruction,
    ReceiptPage,
    Refused,
    Rejected,
    Unavailable,
    Waiting,
)
from tests.paper_rail import MARK, PaperRail

MISTAKES: list[tuple[type[PaperRail], str]] = []


def fails(name: str) -> Any:
    """Say which test of the contract a rail fails."""

    def note(kind: type[PaperRail]) -> type[PaperRail]:
        MISTAKES.append((kind, name))
        return kind

    return note


# -- the rail as a whole ------------------------------------------------------------------------


@fails("test_its_traits_agree_with_each_other")
class IsFinalTooSoon(PaperRail):
    traits = replace(PaperRail.traits, not_found_final_after=timedelta(seconds=10))


@fails("test_its_traits_agree_with_each_other")
class PromisesForThePast(PaperRail):
    traits = replace(PaperRail.traits, idempotent_for=timedelta(days=-1))


@fails("test_its_fields_take_the_details_of_a_good_order")
class AsksForDigits(PaperRail):
    withdrawal_fields = (Field("bank_account_number", "Account", pattern=r"[0-9]+"),)


@fails("test_its_fields_take_the_details_of_a_good_order")
class AsksForMore(PaperRail):
    withdrawal_fields = (*PaperRail.withdrawal_fields, Field("email_address", "E-mail"))


@fails("test_it_does_not_change_what_it_was_given")
class TakesDetailsOut(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        account = transaction.details.get("bank_account_number", "")
        outcome = self.order(transaction, account)
        transaction.details["asked"] = "yes"
        return outcome


@fails("test_it_answers_in_time")
class Dawdles(PaperRail):
    traits = replace(PaperRail.traits, timeout_s=1)

    def statement(self, day: Any) -> Any:
        if not self.paper.is_away:
            sleep(2.05)
        return super().statement(day)


@fails("test_a_web_request_does_not_wait_for_it")
class AsksTheBankForInstructions(PaperRail):
    def deposit_instructions(self, deposit: Any) -> Any:
        sleep(0.55)
        return super().deposit_instructions(deposit)


@fails("test_it_checks_itself_with_a_sentence")
class SaysNothing(PaperRail):
    def check(self) -> Any:
        return None


@fails("test_an_order_is_answered_with_an_outcome")
class AnswersWithAWord(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        outcome = super().execute_outgoing_transaction(transaction)
        return outcome if isinstance(outcome, Refused) else "taken"


@fails("test_an_order_is_answered_with_an_outcome")
class FallsOverItsOwnAnswer(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        outcome = super().execute_outgoing_transaction(transaction)
        if isinstance(outcome, Refused):
            return outcome
        raise KeyError("status")


# -- orders -------------------------------------------------------------------------------------


@fails("test_a_good_order_is_carried_out")
class DeliversCents(PaperRail):
    def outcome(self, known: Any) -> Any:
        outcome = super().outcome(known)
        if isinstance(outcome, Done):
            return replace(outcome, delivered_amount=known.amount * 100)
        return outcome


@fails("test_a_good_order_is_carried_out")
class DeliversFloats(PaperRail):
    def outcome(self, known: Any) -> Any:
        outcome = super().outcome(known)
        if isinstance(outcome, Done):
            return replace(outcome, delivered_amount=float(known.amount))
        return outcome


@fails("test_the_bank_is_told_the_exact_amount")
class ReckonsInFloats(PaperRail):
    def new(self, transaction: Any, account: str) -> Any:
        amount = Decimal(int(float(transaction.amount) * 100)) / 100
        return super().new(replace(transaction, amount=amount), account)


@fails("test_it_pays_in_each_currency_that_it_names")
class ForgetsTheCurrency(PaperRail):
    def new(self, transaction: Any, account: str) -> Any:
        return super().new(replace(transaction, currency=None), account)


@fails("test_it_pays_in_each_currency_that_it_names")
class RefusesTheCurrency(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        if transaction.currency is not None:
            raise Rejected("not in that currency")
        return super().execute_outgoing_transaction(transaction)


@fails("test_details_that_the_bank_refuses_are_refused_with_a_reason")
class BelievesTheBank(PaperRail):
    def outcome(self, known: Any) -> Any:
        return Done() if isinstance(known, Refused) else super().outcome(known)


@fails("test_details_that_the_bank_refuses_are_refused_with_a_reason")
class LetsTheRefusalThrough(PaperRail):
    def outcome(self, known: Any) -> Any:
        if isinstance(known, Refused):
            raise ValueError(known.reason)
        return super().outcome(known)


@fails("test_details_that_the_bank_refuses_are_refused_with_a_reason")
class DoesNotSayWhy(PaperRail):
    def outcome(self, known: Any) -> Any:
        return Refused(" ") if isinstance(known, Refused) else super().outcome(known)


@fails("test_the_same_key_again_moves_money_once")
class RemembersInItsProcess(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        account = transaction.details["bank_account_number"]
        with self.paper.lock:
            known = self.__dict__.setdefault("known", {})
            if transaction.key not in known:
                known[transaction.key] = self.new(transaction, account)
            return self.outcome(known[transaction.key])


@fails("test_the_same_key_at_once_moves_money_once")
class LooksBeforeItLeaps(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        known = self.paper.find(transaction.key)
        sleep(0.05)
        return self.outcome(
            known or self.new(transaction, transaction.details["bank_account_number"])
        )


@fails("test_a_repeat_is_never_answered_with_a_no")
class RefusesDuplicates(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        with self.paper.lock:
            if self.paper.find(transaction.key):
                return Refused("duplicate")
            return super().execute_outgoing_transaction(transaction)


@fails("test_another_key_is_another_order")
class GoesByTheTransaction(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        with self.paper.lock:
            for known in self.paper.orders:
                if known.key.startswith(transaction.transaction_id):
                    return self.outcome(known)
            return super().execute_outgoing_transaction(transaction)


@fails("test_orders_at_once_are_not_mixed_up")
class KeepsTheOrderOnItself(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        self.__dict__["current"] = transaction
        sleep(0.05)
        return super().execute_outgoing_transaction(self.__dict__["current"])


# -- look-up and poll ---------------------------------------------------------------------------


@fails("test_a_key_that_was_never_given_is_not_found")
class RefusesWhatItDoesNotKnow(PaperRail):
    def find_outgoing_transaction(self, transaction: Any) -> Any:
        return super().find_outgoing_transaction(transaction) or Refused("no such order")


@fails("test_a_key_that_was_given_is_found")
class LooksInItsOwnMemory(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        self.__dict__.setdefault("known", set()).add(transaction.key)
        return super().execute_outgoing_transaction(transaction)

    def find_outgoing_transaction(self, transaction: Any) -> Any:
        found = super().find_outgoing_transaction(transaction)
        is_known = transaction.refund_of or transaction.key in self.__dict__.get("known", ())
        return found if is_known else None


@fails("test_what_is_final_stays_final")
class FindsWhatIsOpen(PaperRail):
    def find_outgoing_transaction(self, transaction: Any) -> Any:
        found = super().find_outgoing_transaction(transaction)
        return None if isinstance(found, Done) else found


@fails("test_a_poll_answers_about_what_it_was_asked")
class PollsEverything(PaperRail):
    def poll_outgoing_transactions(self, transactions: Any) -> Any:
        self.paper.demand_open()
        return {each.key: self.outcome(each) for each in self.paper.orders}


@fails("test_a_poll_answers_about_what_it_was_asked")
class PollsInWordsOfItsOwn(PaperRail):
    def poll_outgoing_transactions(self, transactions: Any) -> Any:
        return dict.fromkeys(super().poll_outgoing_transactions(transactions), "settled")


@fails("test_a_poll_knows_nothing_of_what_was_never_given")
class PollsNoOutOfNothing(PaperRail):
    def poll_outgoing_transactions(self, transactions: Any) -> Any:
        unknown = {each.key: Refused("no such order") for each in transactions}
        return unknown | dict(super().poll_outgoing_transactions(transactions))


@fails("test_a_bank_that_is_away_says_nothing_of_orders")
class TakesSilenceForANo(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        try:
            return super().execute_outgoing_transaction(transaction)
        except Unavailable as error:
            return Refused(str(error))


@fails("test_a_bank_that_is_away_says_nothing_of_orders")
class TakesSilenceForNotFound(PaperRail):
    def find_outgoing_transaction(self, transaction: Any) -> Any:
        try:
            return super().find_outgoing_transaction(transaction)
        except Unavailable:
            return None


@fails("test_a_bank_that_is_away_says_nothing_of_orders")
class PollsNoOutOfSilence(PaperRail):
    def poll_outgoing_transactions(self, transactions: Any) -> Any:
        try:
            return super().poll_outgoing_transactions(transactions)
        except Unavailable:
            return {each.key: Refused("no answer") for each in transactions}


@fails("test_an_order_whose_answer_was_lost_was_begun")
class TakesALostAnswerForNoOrder(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        try:
            return super().execute_outgoing_transaction(transaction)
        except TimeoutError as error:
            raise Unavailable(str(error)) from error


@fails("test_an_order_whose_answer_was_lost_was_begun")
class TakesALostAnswerForANo(PaperRail):
    def execute_outgoing_transaction(self, transaction: Any) -> Any:
        try:
            return super().execute_outgoing_transaction(transaction)
        except TimeoutError as error:
            raise Rejected(str(error)) from error


@fails("test_a_refund_whose_answer_was_lost_was_begun")
class TakesALostAnswerForNoRefund(PaperRail):
    def refund(self, transaction: Any) -> Any:
        try:
            return super().refund(transaction)
        except TimeoutError as error:
            raise Unavailable(str(error)) from error


# -- refunds ------------------------------------------------------------------------------------


@fails("test_a_refund_under_the_same_key_moves_money_once")
class RefundsEachTime(PaperRail):
    def refund(self, transaction: Any) -> Any:
        return self.outcome(self.new(transaction, transaction.payer or ""))


@fails("test_a_booking_can_be_sent_back_in_parts")
class RefundsABookingOnce(PaperRail):
    def refund(self, transaction: Any) -> Any:
        with self.paper.lock:
            account = f"refund of {transaction.refund_of}"
            for known in self.paper.orders:
                if known.account == account:
                    return self.outcome(known)
            return self.order(transaction, account)


@fails("test_a_refund_is_found_by_its_key")
class DoesNotFindRefunds(PaperRail):
    def find_outgoing_transaction(self, transaction: Any) -> Any:
        return None if transaction.refund_of else super().find_outgoing_transaction(transaction)


# -- bookings -----------------------------------------------------------------------------------


@fails("test_the_list_goes_on_until_it_is_up_to_date")
class IsNeverUpToDate(PaperRail):
    def receipts_since(self, cursor: Any) -> Any:
        return replace(super().receipts_since(cursor), up_to_date=False)


@fails("test_the_list_goes_on_until_it_is_up_to_date")
class CountsItsCursor(PaperRail):
    def receipts_since(self, cursor: Any) -> Any:
        page = super().receipts_since(cursor)
        return replace(page, cursor=int(page.cursor))


@fails("test_the_list_tells_all_that_came")
class ShowsOnePage(PaperRail):
    def receipts_since(self, cursor: Any) -> Any:
        page = super().receipts_since(cursor)
        return replace(page, cursor=str(len(self.paper.booked)), up_to_date=True)


@fails("test_reading_the_list_twice_changes_nothing")
class EmptiesAQueue(PaperRail):
    def receipts_since(self, cursor: Any) -> Any:
        page = super().receipts_since(str(self.paper.read))
        self.paper.read = int(page.cursor)
        return page


@fails("test_a_booking_that_was_taken_back_is_listed_under_its_id")
class HidesReversals(PaperRail):
    def receipts_since(self, cursor: Any) -> Any:
        page = super().receipts_since(cursor)
        return replace(page, receipts=[each for each in page.receipts if not each.is_reversed])


@fails("test_a_booking_that_was_taken_back_is_listed_under_its_id")
class NamesReversalsAnew(PaperRail):
    def receipt(self, booked: Any) -> Any:
        if booked.is_reversed:
            return replace(booked, receipt_id=f"{booked.receipt_id}-reversed")
        return booked


@fails("test_a_receipt_says_what_was_booked")
class TellsFloats(PaperRail):
    def receipt(self, booked: Any) -> Any:
        return replace(booked, amount=float(booked.amount))


@fails("test_a_receipt_says_what_was_booked")
class TellsCents(PaperRail):
    def receipt(self, booked: Any) -> Any:
        return replace(booked, amount=booked.amount * 100)


@fails("test_a_receipt_says_what_was_booked")
class TellsAnotherCurrency(PaperRail):
    def receipt(self, booked: Any) -> Any:
        return replace(booked, currency="usd")


@fails("test_a_receipt_says_what_was_booked")
class TellsLocalTime(PaperRail):
    def receipt(self, booked: Any) -> Any:
        return replace(booked, booked_at=booked.booked_at - timedelta(hours=5))


@fails("test_a_receipt_says_what_was_booked")
class TellsTimeWithoutAZone(PaperRail):
    def receipt(self, booked: Any) -> Any:
        return replace(booked, booked_at=booked.booked_at.replace(tzinfo=None))


@fails("test_a_receipt_says_what_was_booked")
class TellsAllThatWasWritten(PaperRail):
    def answer(self, deposit: Any) -> Any:
        answer = super().answer(deposit)
        if isinstance(answer, Arrived):
            return Arrived([replace(e, reference=f"{e.reference} thanks") for e in answer.receipts])
        return answer


@fails("test_each_booking_has_an_id_of_its_own")
class NamesBookingsByReference(PaperRail):
    def receipt(self, booked: Any) -> Any:
        return replace(booked, receipt_id=f"{booked.reference}/{booked.amount}")


@fails("test_a_booking_keeps_its_id_wherever_it_is_told")
class NamesBookingsByTheWay(PaperRail):
    def answer(self, deposit: Any) -> Any:
        answer = super().answer(deposit)
        if isinstance(answer, Arrived):
            return Arrived([replace(e, receipt_id=f"poll-{e.receipt_id}") for e in answer.receipts])
        return answer


@fails("test_a_poll_tells_whose_money_came")
class GivesAllToAll(PaperRail):
    def poll_pending_deposits(self, deposits: Any) -> Any:
        told = super().poll_pending_deposits(deposits)
        came = [e for each in told.values() if isinstance(each, Arrived) for e in each.receipts]
        return dict.fromkeys(told, Arrived(came) if came else Waiting())


@fails("test_a_poll_tells_whose_money_came")
class FailsWhatWaits(PaperRail):
    def answer(self, deposit: Any) -> Any:
        answer = super().answer(deposit)
        return answer if isinstance(answer, Arrived) else DepositFailed("nothing came")


@fails("test_a_poll_tells_whose_money_came")
class AnswersByReference(PaperRail):
    def poll_pending_deposits(self, deposits: Any) -> Any:
        told = super().poll_pending_deposits(deposits)
        return {**told, **{each.reference: self.answer(each) for each in deposits}}


@fails("test_a_poll_tells_again_what_it_told")
class TellsOnce(PaperRail):
    def answer(self, deposit: Any) -> Any:
        answer = super().answer(deposit)
        if deposit.transaction_id in self.paper.told:
            return Waiting()
        if isinstance(answer, Arrived):
            self.paper.told.add(deposit.transaction_id)
        return answer


@fails("test_a_bank_that_is_away_says_nothing_of_deposits")
class WaitsForSilence(PaperRail):
    def poll_pending_deposits(self, deposits: Any) -> Any:
        try:
            return super().poll_pending_deposits(deposits)
        except Unavailable:
            return {each.transaction_id: Waiting() for each in deposits}


@fails("test_a_bank_that_is_away_says_nothing_of_deposits")
class TakesSilenceForTheEnd(PaperRail):
    def receipts_since(self, cursor: Any) -> Any:
        try:
            return super().receipts_since(cursor)
        except Unavailable:
            return ReceiptPage([], cursor or "0", up_to_date=True)


@fails("test_a_bank_that_is_away_says_nothing_of_deposits")
class LetsSilenceThrough(PaperRail):
    def poll_pending_deposits(self, deposits: Any) -> Any:
        try:
            return super().poll_pending_deposits(deposits)
        except Unavailable as error:
            raise ConnectionError from error


@fails("test_the_instructions_of_a_deposit_stay_the_same")
class DrawsAnAccount(PaperRail):
    def deposit_instructions(self, deposit: Any) -> Any:
        return {"organization.bank_account_number": Instruction(uuid4().hex, "Pay to this.")}


@fails("test_the_instructions_of_two_deposits_differ")
class ForgetsTheReference(PaperRail):
    def deposit_instructions(self, deposit: Any) -> Any:
        return {"organization.bank_account_number": Instruction("DE1", "Pay to this.")}


@fails("test_a_statement_can_be_read_again")
class ListsItsStatement(PaperRail):
    def statement(self, day: Any) -> Any:
        return super().statement(day).receipts


# -- events -------------------------------------------------------------------------------------


@fails("test_an_event_of_the_bank_is_known")
class NamesEventsAnew(PaperRail):
    def verify_webhook(self, headers: Any, body: bytes) -> str:
        return super().verify_webhook(headers, body) + uuid4().hex


@fails("test_an_event_says_the_same_again")
class ReadsOnce(PaperRail):
    def read_webhook(self, headers: Any, body: bytes) -> Any:
        told = super().read_webhook(headers, body)
        key = body.decode()
        if key in self.paper.told:
            return []
        self.paper.told.add(key)
        return told


@fails("test_an_event_says_the_same_again")
class ReadsKeysAlone(PaperRail):
    def read_webhook(self, headers: Any, body: bytes) -> Any:
        return [*super().read_webhook(headers, body), "K-1"]


@fails("test_an_event_tells_a_booking_under_its_id")
class NamesBookingsByTheEvent(PaperRail):
    def read_webhook(self, headers: Any, body: bytes) -> Any:
        name = json.loads(body)["event"]
        told = super().read_webhook(headers, body)
        return [e if isinstance(e, tuple) else replace(e, receipt_id=name) for e in told]


@fails("test_an_event_tells_an_order_by_its_key")
class NamesOrdersAsTheBankDoes(PaperRail):
    def read_webhook(self, headers: Any, body: bytes) -> Any:
        told = super().read_webhook(headers, body)
        return [(e[1].reference, e[1]) if isinstance(e, tuple) else e for e in told]


@fails("test_a_forged_event_is_rejected")
class BelievesAnybody(PaperRail):
    def verify_webhook(self, headers: Any, body: bytes) -> str:
        try:
            return str(json.loads(body)["event"])
        except Exception as error:
            raise Rejected("that is no event") from error


@fails("test_a_forged_event_is_rejected")
class BelievesAnyMark(PaperRail):
    def verify_webhook(self, headers: Any, body: bytes) -> str:
        try:
            return str(json.loads(body)["event"]) if headers[MARK] else ""
        except Exception as error:
            raise Rejected("that is no event") from error


@fails("test_garbage_is_rejected_and_no_internal_error")
class ExpectsItsHeader(PaperRail):
    def verify_webhook(self, headers: Any, body: bytes) -> str:
        assert headers[MARK]
        return super().verify_webhook(headers, body)


@fails("test_garbage_is_rejected_and_no_internal_error")
class ReadsBeforeItVerifies(PaperRail):
    def verify_webhook(self, headers: Any, body: bytes) -> str:
        json.loads(body)
        return super().verify_webhook(headers, body)
