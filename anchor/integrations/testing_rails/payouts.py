"""Tests of money that leaves: orders, their keys, look-up and polls."""

from dataclasses import replace
from decimal import Decimal
from itertools import islice
from unittest import SkipTest

from anchor.errors import Rejected, Unavailable
from anchor.integrations.protocols import (
    NeedsInfo,
    Outcome,
    OutgoingTransaction,
    RailsIntegration,
    Sent,
    Unknown,
)
from anchor.integrations.testing_rails.hooks import (
    Negative,
    Positive,
    RailHooks,
    at_once,
    demand,
    given,
    is_amount,
    of_silence,
)

#: How many amounts are looked through for those that floats do not hold.
_SEARCHED = 20_000
_THREADS = 4


class PayoutTests(RailHooks):
    """What an order causes, and what it must never cause."""

    def test_an_order_is_answered_with_an_outcome(self) -> None:
        """Whatever else it returns or raises tells nothing of the money."""
        order = self.outgoing()
        try:
            outcome: object = self.rails().execute_outgoing_transaction(order)
        except (Rejected, Unavailable) as error:
            outcome = error
        except Exception as error:
            raise AssertionError(
                f"A good order ends in {type(error).__name__}: {error}. Nobody can tell whether "
                "money moved: return an outcome, or raise Rejected or Unavailable."
            ) from error
        assert isinstance(outcome, Outcome | Rejected | Unavailable), (
            f"A good order is answered with {outcome!r}, which is no outcome: nobody can tell "
            "whether money moved."
        )

    def test_a_good_order_is_carried_out(self) -> None:
        """It ends in `Done`, with what was ordered."""
        order = self.outgoing()
        done = self.settled(self.rails(), order)
        told = done.delivered_amount
        assert told is None or (isinstance(told, Decimal) and told == order.amount), (
            f"{order.amount} were ordered and delivered_amount is {told!r}: each payment becomes "
            "a case. It is an exact Decimal in units (not in cents), without the bank's fee."
        )
        assert done.fee is None or done.fee == 0 or is_amount(done.fee, 7), (
            f"The fee is {done.fee!r}, which is no exact Decimal of 7 decimals at most."
        )
        assert done.reference is None or isinstance(done.reference, str), (
            f"The reference is {done.reference!r}, which is no text that a customer can be shown."
        )

    def test_the_bank_is_told_the_exact_amount(self) -> None:
        """To the last digit that the bank has, however the `Decimal` is written."""
        rail = self.rails()
        for amount in _hard_amounts(self.amount, self.decimals):
            order = self.outgoing(amount=amount)
            self.taken(rail, order)
            found = [each.amount for each in self.paid(order)]
            assert found == [order.amount], (
                f"{order.amount} were ordered, and the bank's books have {found}: money is lost "
                "on each payment. Reckon in Decimal, never in float, and round nothing."
            )

    def test_it_pays_in_each_currency_that_it_names(self) -> None:
        """An order that names a currency of the traits is of that currency."""
        rail = self.rails()
        demand(rail.traits.currencies, "currencies")
        orders = [self.outgoing(currency=each) for each in sorted(rail.traits.currencies)]
        for order in orders:
            outcome = given(rail, order)
            assert not isinstance(outcome, Negative), (
                f"The traits name {order.currency}, and an order in it is answered with {outcome}: "
                "customers have given their money on a quote, and get nothing for it."
            )
        for order in orders:
            found = {each.currency for each in self.paid(order)}
            assert found <= {None, order.currency}, (
                f"An order in {order.currency} left in {found}: read transaction.currency."
            )

    def test_details_that_the_bank_refuses_are_refused_with_a_reason(self) -> None:
        """`Refused`, `Rejected`, `NeedsInfo` or `Held`; later also `Returned`. Never `Done`."""
        if self.refused_details is None:
            raise SkipTest("refused_details does not say what the bank refuses")
        rail, order = self.rails(), self.outgoing(details=dict(self.refused_details))
        outcome = given(rail, order)
        if isinstance(outcome, Sent):
            self.settle(order)
            outcome = self._final(rail, order)
        assert isinstance(outcome, Negative), (
            f"Details that the bank refuses are answered with {outcome}: nobody is paid, and "
            "the anchor either believes that they were, or cannot tell. Say Refused, with a reason."
        )
        why = outcome.fields if isinstance(outcome, NeedsInfo) else outcome.reason.strip()
        assert why, f"{outcome} does not say why: neither customer nor operator can mend it."

    def _final(self, rail: RailsIntegration, order: OutgoingTransaction) -> Outcome:
        def final() -> list[Outcome]:
            heard = self.heard(rail, order)
            return [] if heard is None or isinstance(heard, Sent | Unknown) else [heard]

        (found,) = self.until(final, "An order was taken, and nobody hears what became of it.")
        return found

    # -- the key --------------------------------------------------------------------------------

    def test_the_same_key_again_moves_money_once(self) -> None:
        """An order whose answer was lost is given again; after a crash by another process."""
        self.pays_once_again(self.outgoing())

    def pays_once_again(self, order: OutgoingTransaction) -> None:
        """Give an order twice, and a third time by another process."""
        rail, other = self.rails(), self.rails()
        demand(rail.traits.idempotent_for, "idempotent_for")
        told = [self.taken(rail, order), given(rail, order)]
        self._demand_once(order, told, "was given twice")
        told.append(given(other, order))
        self._demand_once(order, told, "was given again by another process")

    def test_the_same_key_at_once_moves_money_once(self) -> None:
        """A first call may still be under way when the next one comes (`idempotent_for`)."""
        self.pays_once_at_once(self.outgoing())

    def pays_once_at_once(self, order: OutgoingTransaction) -> None:
        """Give an order by several threads at the same moment."""
        rail = self.rails()
        demand(rail.traits.idempotent_for, "idempotent_for")
        told = at_once(_THREADS, lambda _: given(rail, order))
        self._demand_once(order, told, f"was given by {_THREADS} threads at once")

    def _demand_once(self, order: OutgoingTransaction, told: list[Outcome], how: str) -> None:
        times = self.times_paid(order, told)
        assert times == 1, (
            f"An order {how} and the bank took it {times} times, not once. idempotent_for promises "
            "that a key moves money once: give transaction.key to the bank as its idempotency "
            "key, or take the promise back."
        )

    def test_a_repeat_is_never_answered_with_a_no(self) -> None:
        """A no is final: the next attempt has another key, and pays again (`idempotent_for`)."""
        rail, first, second = self.rails(), self.outgoing(), self.outgoing()
        demand(rail.traits.idempotent_for, "idempotent_for")
        self.taken(rail, first)
        told = [given(rail, first), *at_once(_THREADS, lambda _: given(rail, second))]
        for outcome in told:
            assert not isinstance(outcome, Negative), (
                f"An order that the bank has is answered with {outcome} when it is repeated: an "
                "operator pays it again under another key. 'Duplicate' is no refusal of the "
                "order: say what became of the first one, or Unknown."
            )

    def test_another_key_is_another_order(self) -> None:
        """Two orders that look alike are both paid."""
        self.pays_both(self.outgoing())

    def pays_both(self, first: OutgoingTransaction) -> None:
        """Give an order, and the same under another key."""
        rail, second = self.rails(), replace(first, key=f"{first.key[:-1]}2")
        told = [self.taken(rail, order) for order in (first, second)]
        times = [
            self.times_paid(each, [answer])
            for each, answer in zip((first, second), told, strict=True)
        ]
        named = [each.reference for each in told if isinstance(each, Positive) and each.reference]
        if len(named) == 2 and named[0] == named[1]:
            times = [1, 0]
        assert times == [1, 1], (
            f"Two orders that differ by their key alone were taken {times} times: the second was "
            "lost. Only transaction.key says what is the same order, not its amount, its account "
            "or its transaction_id."
        )

    def test_orders_at_once_are_not_mixed_up(self) -> None:
        """Threads share one rail (`max_in_flight`)."""
        rail, step = self.rails(), Decimal(1).scaleb(-self.decimals)
        demand(rail.traits.max_in_flight > 1, "max_in_flight of more than one")
        number = min(rail.traits.max_in_flight, _THREADS)
        orders = [self.outgoing(amount=self.amount + index * step) for index in range(number)]
        at_once(number, lambda index: given(rail, orders[index]))
        for order in orders:
            found = [each.amount for each in self.paid(order)]
            assert found == [order.amount], (
                f"Of {number} orders at once, that of {order.amount} left with {found}: one "
                "thread's order was taken for another's. Keep nothing of an order on the rail."
            )

    def test_an_order_whose_answer_was_lost_was_begun(self) -> None:
        """`Unavailable` says that it was not, and is believed whatever the traits say."""
        self.was_begun(self.outgoing())

    def was_begun(self, order: OutgoingTransaction) -> None:
        """Give an order to a bank that takes it and does not answer."""
        try:
            outcome = given(self.losing_answers(), order)
        except Unavailable as error:
            raise AssertionError(
                f"The bank took an order and its answer was lost, and the rail raises {error!r}: "
                "the anchor believes that nothing was begun and gives the order again. Raise "
                "Unavailable only where the bank was never reached, else return Unknown."
            ) from error
        assert not isinstance(outcome, Negative), (
            f"The bank took an order and its answer was lost, and the rail says {outcome}: a no is "
            "final, and an operator pays it again under another key. Return Unknown."
        )

    # -- the look-up ----------------------------------------------------------------------------

    def test_a_key_that_was_never_given_is_not_found(self) -> None:
        """None, and nothing else, means that the bank does not know it (`can_look_up`)."""
        rail, order = self.rails(), self.outgoing()
        demand(rail.traits.can_look_up, "can_look_up")
        found = rail.find_outgoing_transaction(order)
        assert found is None, (
            f"A key that the bank never got is looked up as {found}, not as None: the anchor "
            "records it as what became of the order."
        )

    def test_a_key_that_was_given_is_found(self) -> None:
        """It says what was said before, to another process, too (`can_look_up`)."""
        self.is_found(self.outgoing())

    def is_found(self, order: OutgoingTransaction) -> None:
        """Give an order, and have another process look it up."""
        rail, other = self.rails(), self.rails()
        demand(rail.traits.can_look_up, "can_look_up")
        first = self.taken(rail, order)
        found = self.until(
            lambda: other.find_outgoing_transaction(order),
            "An order that the bank took is not found, or not by another process: the anchor "
            "repeats it, and the customer is paid twice.",
        )
        assert isinstance(found, Positive), (
            f"An order was answered with {first}, and is looked up as {found}."
        )
        if isinstance(first, Positive) and first.reference and found.reference:
            assert found.reference == first.reference, (
                f"An order was given the reference {first.reference}, and is looked up with "
                f"{found.reference}: that is another order."
            )

    def test_what_is_final_stays_final(self) -> None:
        """Asked again it says the same, by poll and by look-up."""
        rail, order = self.rails(), self.outgoing()
        self.settled(rail, order)
        for _ in range(3):
            told = self._polled(rail, order)
            assert not isinstance(told, Negative), (
                f"An order was done, and a later poll says {told}: that contradicts what is final."
            )
            if rail.traits.can_look_up:
                found = rail.find_outgoing_transaction(order)
                assert isinstance(found, Positive), (
                    f"An order was done, and is later looked up as {found}: an anchor that comes "
                    "back from a crash or a backup pays it again."
                )

    # -- the poll -------------------------------------------------------------------------------

    def test_a_poll_answers_about_what_it_was_asked(self) -> None:
        """Its answers are outcomes, by the keys that were asked about."""
        rail, asked, other = self.rails(), self.outgoing(), self.outgoing()
        for order in (asked, other):
            self.taken(rail, order)
        told = rail.poll_outgoing_transactions([asked])
        assert set(told) <= {asked.key}, (
            f"The poll was asked about {asked.key} and answers about {sorted(told)}: answers go by "
            "transaction.key, and only for what was asked."
        )
        for outcome in told.values():
            assert isinstance(outcome, Outcome), (
                f"The poll answers {outcome!r}, which is no outcome: the whole batch is asked "
                "again, one by one, each time."
            )

    def test_a_poll_knows_nothing_of_what_was_never_given(self) -> None:
        """What the bank does not know, or not yet, is left out."""
        order = self.outgoing()
        told = self._polled(self.rails(), order)
        assert told is None or isinstance(told, Unknown), (
            f"The poll says {told} of an order that the bank never got. A bank may be late to know "
            "one: a no is final, and it would be paid again. Leave it out."
        )

    def test_a_bank_that_is_away_says_nothing_of_orders(self) -> None:
        """Not that it took one, not that it refused one, not that it does not know one."""
        rail, order = self.unreachable(), self.outgoing()
        outcome = of_silence("execute_outgoing_transaction", lambda: given(rail, order))
        assert outcome is None or isinstance(outcome, Unknown), (
            f"A bank that does not answer is told as {outcome}. Raise Unavailable where nothing "
            "was begun, and return Unknown where that is not certain."
        )
        told = of_silence("poll_outgoing_transactions", lambda: self._polled(rail, order))
        assert told is None or isinstance(told, Unknown), (
            f"A bank that does not answer a poll is told as {told}. Raise Unavailable."
        )
        if rail.traits.can_look_up:
            self._raises_where_it_cannot_look_up(rail, order)

    def _polled(self, rail: RailsIntegration, order: OutgoingTransaction) -> Outcome | None:
        return rail.poll_outgoing_transactions([order]).get(order.key)

    def _raises_where_it_cannot_look_up(
        self, rail: RailsIntegration, order: OutgoingTransaction
    ) -> None:
        try:
            found = rail.find_outgoing_transaction(order)
        except Exception:  # whatever it raises: nothing is concluded from it
            return
        assert isinstance(found, Unknown), (
            f"A bank that does not answer the look-up is told as {found}: None means that it does "
            "not know the key, and the order is repeated. Raise Unavailable."
        )


def _hard_amounts(amount: Decimal, decimals: int) -> list[Decimal]:
    """Return an amount with a last digit, and some above it that a float cuts short."""
    scale = 10**decimals
    first = int(amount * scale) + 1
    above = (n for n in range(first, first + _SEARCHED) if int(n / scale * scale) != n)
    return [Decimal(n) / scale for n in (first, *islice(above, 3))]
