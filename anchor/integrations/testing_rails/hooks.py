"""What an author says of a rail and its bank, and the short words of the tests."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier
from time import sleep
from typing import Any, TypeVar
from unittest import SkipTest
from uuid import uuid4

from anchor import references
from anchor.errors import Rejected, Unavailable
from anchor.integrations.protocols import (
    Done,
    Held,
    NeedsInfo,
    Outcome,
    OutgoingTransaction,
    PendingDeposit,
    RailsIntegration,
    ReadyForPickup,
    Receipt,
    Refused,
    Returned,
    Sent,
    Transfer,
    Unknown,
)
from anchor.money import to_decimal, to_stroops

Positive = Done | Sent | ReadyForPickup
Negative = NeedsInfo | Held | Refused | Returned
T = TypeVar("T")
_OWNER = "GBXGQJWVLWOYHFLVTKWV5FGHA3LNYY2JQKM7OAJAUEQFU6LPCSEFVXON"


class RailHooks:
    """What is to be said of a rail: `rails` has to be, `details` where it pays to something.

    Each other hook lets more tests run; one that is missing is the reason with which they
    are skipped.
    """

    #: Details of a customer who can be paid, as `withdrawal_fields` ask for them.
    details: Mapping[str, str] = {}
    #: Details that the bank refuses.
    refused_details: Mapping[str, str] | None = None
    #: What an order pays and a deposit brings, in the bank's decimals.
    amount = Decimal(100)
    decimals = 2
    #: What the bank books it in.
    currency = "USD"
    #: How many bookings come one after the other: best one more than the bank shows on a page.
    many = 3
    #: Whether the bank signs the body of its events; False where a secret in a header is all.
    signs_events = True
    #: How often the bank is asked again, and how long after, until it shows something.
    patience = 50
    pause_ms = 20

    def rails(self) -> RailsIntegration:
        """Make the rail: each time as another process would, all of them at the same bank."""
        raise NotImplementedError

    def settle(self, order: OutgoingTransaction) -> None:
        """Let the bank carry out an order that it took; nothing where it does so by itself."""
        raise SkipTest("the order was taken, and settle() does not say how it is carried out")

    def paid(self, order: OutgoingTransaction) -> Sequence[Transfer]:
        """Return what the bank's own books show of an order, once for each time it took it."""
        raise SkipTest("paid() does not say what the bank's books show of an order")

    def book(self, deposit: PendingDeposit) -> None:
        """Let `deposit.amount` come to the bank with `deposit.reference`."""
        raise SkipTest("book() does not say how money comes to the bank")

    def reverse(self, receipt: Receipt) -> None:
        """Let the bank take a booking back."""
        raise SkipTest("reverse() does not say how the bank takes a booking back")

    def webhook(self, deposit: PendingDeposit) -> tuple[Mapping[str, str], bytes]:
        """Return an event as the bank sends it: headers, their names in lower case, and body.

        Where `book` is given it was called with `deposit` just before, and the event is of that.
        """
        raise SkipTest("webhook() does not give an event of the bank")

    def webhook_of(self, order: OutgoingTransaction) -> tuple[Mapping[str, str], bytes]:
        """Return the event by which the bank tells that it carried an order out."""
        raise SkipTest("webhook_of() does not give an event about an order")

    def unreachable(self) -> RailsIntegration:
        """Make the rail with a bank that does not answer: best one that is silent for ever."""
        raise SkipTest("unreachable() does not make a rail whose bank does not answer")

    def losing_answers(self) -> RailsIntegration:
        """Make the rail with a bank that takes an order, and whose answer to it never comes."""
        raise SkipTest("losing_answers() does not make a rail whose bank's answers are lost")

    # -- orders and deposits, as the anchor gives them ------------------------------------------

    def outgoing(self, **changes: Any) -> OutgoingTransaction:
        """Return an order that can be carried out, with a key of its own each time."""
        transaction_id = uuid4().hex
        amount = exact(changes.pop("amount", self.amount))
        order = OutgoingTransaction(
            key=f"{transaction_id}-1",
            transaction_id=transaction_id,
            kind="withdrawal",
            asset="native",
            amount=amount,
            amount_in=amount,
            amount_fee=exact(Decimal(0)),
            details=dict(self.details),
            owner=_OWNER,
            started_at=datetime.now(UTC),
        )
        return replace(order, **changes)

    def deposit(self, **changes: Any) -> PendingDeposit:
        """Return a deposit that waits, with a reference of its own each time."""
        deposit = PendingDeposit(
            transaction_id=uuid4().hex,
            kind="deposit",
            asset="native",
            amount=exact(self.amount),
            reference=references.make(),
            details={},
            owner=_OWNER,
            started_at=datetime.now(UTC),
        )
        return replace(deposit, **changes)

    # -- what the tests say ---------------------------------------------------------------------

    def taken(self, rail: RailsIntegration, order: OutgoingTransaction) -> Outcome:
        """Give a good order to a rail; a no to it says nothing about the rail."""
        outcome = given(rail, order)
        assert not isinstance(outcome, Negative), (
            f"An order that can be carried out was answered with {outcome}. Give details that "
            "the bank pays to, or find out why the rail says no."
        )
        return outcome

    def settled(self, rail: RailsIntegration, order: OutgoingTransaction) -> Done:
        """Give a good order to a rail, and ask about it as the anchor does until it is done."""
        outcome = self.taken(rail, order)
        if isinstance(outcome, Done):
            return outcome
        self.settle(order)

        def done() -> Done | None:
            heard = self.heard(rail, order)
            return heard if isinstance(heard, Done) else None

        return self.until(
            done,
            "The bank carried the order out, and neither the poll nor the look-up ever says Done: "
            "the customer has the money, and the transaction never ends.",
        )

    def heard(self, rail: RailsIntegration, order: OutgoingTransaction) -> Outcome | None:
        """Ask about an order by poll, and by look-up where the poll says nothing."""
        told = rail.poll_outgoing_transactions([order]).get(order.key)
        if isinstance(told, Outcome):
            return told
        return rail.find_outgoing_transaction(order) if rail.traits.can_look_up else None

    def times_paid(self, order: OutgoingTransaction, told: Sequence[Outcome]) -> int:
        """Tell how often the bank took an order: by its books, or by the references it gave.

        A reference that is made of the key says nothing.
        """
        try:
            return len(self.paid(order))
        except SkipTest:
            named = {each.reference for each in told if isinstance(each, Positive)}
            found = {name for name in named if name and order.key not in name}
            if not found:
                raise
            return len(found)

    def until(self, look: Callable[[], T | None], otherwise: str) -> T:
        """Look again until there is something; fail with a sentence where there never is."""
        for _ in range(self.patience):
            found = look()
            if found:
                return found
            sleep(self.pause_ms / 1000)
        raise AssertionError(otherwise)


def given(rail: RailsIntegration, order: OutgoingTransaction) -> Outcome:
    """Give an order, or a refund, as the anchor does.

    `Rejected` is a final no; any other exception, and an answer that is no outcome, tell nothing.
    """
    act = rail.execute_outgoing_transaction if order.refund_of is None else rail.refund
    try:
        outcome = act(order)
    except Rejected as error:
        return Refused(str(error))
    except Unavailable:
        raise
    except Exception as error:  # a rail may raise anything
        return Unknown(f"it raised {type(error).__name__}: {error}")
    if not isinstance(outcome, Outcome):
        return Unknown(f"it answered {outcome!r}, which is no outcome")
    return outcome


def of_silence(name: str, ask: Callable[[], T]) -> T | None:
    """Return what a rail concludes where its bank is silent; None where it raises `Unavailable`."""
    try:
        return ask()
    except Unavailable:
        return None
    except Exception as error:
        raise AssertionError(
            f"{name} raises {type(error).__name__} where the bank does not answer: each time that "
            "counts as a defect of the rail, and becomes a case. Raise Unavailable."
        ) from error


def at_once(number: int, act: Callable[[int], T]) -> list[T]:
    """Act in so many threads at the same moment."""
    start = Barrier(number)

    def run(index: int) -> T:
        start.wait()
        return act(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def exact(amount: Decimal) -> Decimal:
    """Return an amount as the anchor writes it: ``Decimal("98.5000000")``."""
    return to_decimal(to_stroops(amount))


def demand(promise: object, name: str) -> None:
    """Skip a test of what a rail does not promise."""
    if not promise:
        raise SkipTest(f"the rail's traits do not promise {name}")


def overrides(rail: RailsIntegration, name: str) -> bool:
    """Tell whether a rail has a method of its own in place of the one that does nothing."""
    return getattr(type(rail), name) is not getattr(RailsIntegration, name)


def is_amount(value: object, decimals: int) -> bool:
    """Tell whether a value is an exact amount above 0 of so many decimals at most."""
    if not isinstance(value, Decimal) or not value.is_finite() or value <= 0:
        return False
    return value == round(value, decimals)
