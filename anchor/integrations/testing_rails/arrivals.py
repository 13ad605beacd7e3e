"""Tests of money that comes: bookings, their ids, the list, the poll and the statement."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from unittest import SkipTest

from anchor.integrations.protocols import (
    Arrived,
    DepositAnswer,
    DepositFailed,
    PendingDeposit,
    RailsIntegration,
    Receipt,
    Statement,
    Waiting,
)
from anchor.integrations.testing_rails.hooks import (
    RailHooks,
    demand,
    is_amount,
    of_silence,
    overrides,
)

_POLL = "poll_pending_deposits"
#: What a bank's clock may differ, and what it may cut off.
_SLACK = timedelta(minutes=1)
_ID_CHARS = 200


class ArrivalTests(RailHooks):
    """What is told of money that came: all of it, the same each time, under its own id."""

    # -- the list -------------------------------------------------------------------------------

    def test_the_list_goes_on_until_it_is_up_to_date(self) -> None:
        """Page by page, each cursor another one (`lists_receipts`)."""
        rail = self.rails()
        demand(rail.traits.lists_receipts, "lists_receipts")
        cursor, seen = None, set[str]()
        while not (page := rail.receipts_since(cursor)).up_to_date:
            assert page.cursor not in {cursor, *seen}, (
                f"The page after {cursor!r} is not up_to_date and leads to {page.cursor!r}, where "
                "the reader has been: what comes behind it is never read."
            )
            seen.add(page.cursor)
            cursor = page.cursor
        assert isinstance(page.cursor, str), (
            f"The cursor is {page.cursor!r}, which is no text: the anchor cannot store it."
        )

    def test_the_list_tells_all_that_came(self) -> None:
        """Also what came right after the page that was read (`lists_receipts`)."""
        rail, cursor = self._at_the_end()
        for _ in range(2):
            deposits = [self.deposit() for _ in range(self.many)]
            for deposit in deposits:
                self.book(deposit)
            wanted = {each.reference for each in deposits}
            _, cursor = self._listed_with(rail, cursor, wanted)

    def test_reading_the_list_twice_changes_nothing(self) -> None:
        """A page whose commit failed is read again, by whatever process (`lists_receipts`)."""
        rail, cursor = self._at_the_end()
        deposit = self.deposit()
        self.book(deposit)
        wanted = {deposit.reference}
        self._listed_with(rail, cursor, wanted)
        for reader in (rail, self.rails()):
            again, _ = listed(reader, cursor)
            assert wanted <= _references(again), (
                "A booking was on the list, and is gone when the same cursor is read again: a "
                "reader that crashed before it wrote the page down has lost the money. Whatever "
                "is behind a cursor stays behind it."
            )

    def test_a_booking_that_was_taken_back_is_listed_under_its_id(self) -> None:
        """A reversal is told after whatever cursor was reached (`lists_receipts`)."""
        rail, cursor = self._at_the_end()
        deposit = self.deposit()
        self.book(deposit)
        came, cursor = self._listed_with(rail, cursor, {deposit.reference})
        (receipt,) = [each for each in came if each.reference == deposit.reference][:1]
        self.reverse(receipt)

        def gone() -> list[Receipt]:
            return [each for each in listed(rail, cursor)[0] if each.is_reversed]

        found = self.until(
            gone,
            "A booking was taken back, and the list after the last cursor does not tell of it: "
            "the anchor pays out what the bank no longer has.",
        )
        assert receipt.receipt_id in {each.receipt_id for each in found}, (
            f"The booking {receipt.receipt_id} was taken back and is told reversed as "
            f"{found[0].receipt_id}: a reversal has the id of what it takes back."
        )

    # -- receipts -------------------------------------------------------------------------------

    def test_a_receipt_says_what_was_booked(self) -> None:
        """Exact amount, currency, reference and time, under an id that can be kept."""
        began, deposit = datetime.now(UTC), self.deposit()
        for receipt in self.told_of(self.rails(), deposit):
            told = receipt.amount if is_amount(receipt.amount, self.decimals) else None
            assert told == deposit.amount, (
                f"{deposit.amount} came, and the receipt says {receipt.amount!r}: it has to be an "
                f"exact Decimal in units, with {self.decimals} decimals at most."
            )
            assert receipt.currency == self.currency, (
                f"The receipt is in {receipt.currency!r}, not in {self.currency}: it credits "
                "nobody, and becomes a case."
            )
            assert receipt.reference in {None, deposit.reference}, (
                f"Money came with {deposit.reference}, and the receipt says {receipt.reference!r}: "
                "it credits nobody. Leave out what the bank or the payer wrote around it."
            )
            self._demand_time(receipt.booked_at, began)
            assert _is_id(receipt.receipt_id), (
                f"The id is {receipt.receipt_id!r}, which is no printable text of 1 to "
                f"{_ID_CHARS} characters: the same money is not known again."
            )

    def _demand_time(self, booked_at: datetime, began: datetime) -> None:
        assert getattr(booked_at, "tzinfo", None), (
            f"booked_at is {booked_at!r}, which is no instant with its time zone."
        )
        assert began - _SLACK < booked_at < datetime.now(UTC) + _SLACK, (
            f"Money came at {began} and booked_at is {booked_at}: deadlines and quotes are judged "
            "by it. Where the bank tells the day alone, tell when you first saw it."
        )

    def test_each_booking_has_an_id_of_its_own(self) -> None:
        """Two that look alike are two."""
        rail, deposit = self.rails(), self.deposit()
        self.told_of(rail, deposit)
        self.book(deposit)
        self.until(
            lambda: len({each.receipt_id for each in self._tellings(rail, deposit)}) > 1,
            "Somebody paid the same amount with the same reference twice, and both have one "
            "receipt_id: the second is taken for the first, and its money is lost. Take the bank's "
            "own id of the booking.",
        )

    def test_a_booking_keeps_its_id_wherever_it_is_told(self) -> None:
        """By poll, by list, and to another process."""
        rail, deposit = self.rails(), self.deposit()
        told = self.told_of(rail, deposit)
        for reader in (rail, self.rails()):
            told += self._tellings(reader, deposit)
        ids = {each.receipt_id for each in told}
        assert len(ids) == 1, (
            f"One booking is told under the ids {sorted(ids)}: each is credited, as if it were "
            "money of its own. Take the bank's own id, whoever tells of it."
        )

    # -- the poll -------------------------------------------------------------------------------

    def test_a_poll_tells_whose_money_came(self) -> None:
        """It answers about what it was asked, and knows two deposits of one amount apart."""
        rail, paid, unpaid = self.rails(), self.deposit(), self.deposit()
        self._demand_poll(rail)
        self.book(paid)
        self.until(lambda: arrived(rail, paid), "Money came, and the poll never tells of it.")
        told = rail.poll_pending_deposits([unpaid, paid])
        assert set(told) <= {paid.transaction_id, unpaid.transaction_id}, (
            f"The poll answers about {sorted(told)}: answers go by transaction_id, and only for "
            "what was asked."
        )
        for each in told.values():
            assert isinstance(each, DepositAnswer), (
                f"The poll answers {each!r}, which is no answer about a deposit: it becomes a case."
            )
        answer = told.get(unpaid.transaction_id)
        assert not isinstance(answer, Arrived), (
            "Money came with one reference, and the poll tells it for a deposit with another: a "
            "customer is given what somebody else paid. Go by deposit.reference."
        )
        assert not isinstance(answer, DepositFailed), (
            "A deposit that nobody has paid yet is told as failed for good: say Waiting."
        )

    def test_a_poll_tells_again_what_it_told(self) -> None:
        """What a crash forgot is asked again, by whatever process."""
        rail, deposit = self.rails(), self.deposit()
        self._demand_poll(rail)
        self.book(deposit)
        self.until(lambda: arrived(rail, deposit), "Money came, and the poll never tells of it.")
        for reader in (rail, self.rails()):
            assert arrived(reader, deposit), (
                "A poll told of a booking, and the next one does not: an anchor that crashed "
                "between them has lost the money. Tell what has come, each time."
            )

    def test_a_bank_that_is_away_says_nothing_of_deposits(self) -> None:
        """Neither that nothing came, nor that the list is at its end."""
        rail, deposit = self.unreachable(), self.deposit()
        told = of_silence(_POLL, lambda: rail.poll_pending_deposits([deposit]))
        answer = (told or {}).get(deposit.transaction_id)
        assert answer is None, (
            f"A bank that does not answer a poll is told as {answer}: deposits expire, though "
            "their money came. Raise Unavailable."
        )
        asks: dict[str, Callable[[], object]] = {}
        if rail.traits.lists_receipts:
            asks["receipts_since"] = lambda: rail.receipts_since(None)
        if rail.traits.gives_statements:
            asks["statement"] = lambda: rail.statement(yesterday())
        for name, ask in asks.items():
            found = of_silence(name, ask)
            assert found is None, (
                f"A bank that does not answer {name} is told as {found}: the anchor takes it for "
                "all that there is. Raise Unavailable."
            )

    # -- instructions and statements ------------------------------------------------------------

    def test_the_instructions_of_a_deposit_stay_the_same(self) -> None:
        """A customer may have written them down."""
        deposit = self.deposit()
        first, second = (
            rail.deposit_instructions(deposit) for rail in (self.rails(), self.rails())
        )
        assert first == second, (
            f"The same deposit is first to be paid by {first}, then by {second}: money goes where "
            "nobody looks for it."
        )

    def test_the_instructions_of_two_deposits_differ(self) -> None:
        """By a reference, an account of its own, or whatever tells them apart."""
        rail, deposits = self.rails(), (self.deposit(), self.deposit())
        first, second = (rail.deposit_instructions(deposit) for deposit in deposits)
        assert first != second or not first, (
            f"Two deposits are both to be paid by {first}: nobody can tell whose money it is. "
            "Keep what super().deposit_instructions(deposit) says, or give each its own account."
        )

    def test_a_statement_can_be_read_again(self) -> None:
        """A day that is over stays as it was (`gives_statements`)."""
        rail = self.rails()
        demand(rail.traits.gives_statements, "gives_statements")
        first, second = (each.statement(yesterday()) for each in (rail, self.rails()))
        assert isinstance(first, Statement), (
            f"The statement of a day is {first!r}, and no Statement with receipts and transfers."
        )
        assert first == second, "The statement of a day that is over is another one the next time."
        keys = [each.key for each in first.transfers]
        assert len(keys) == len(set(keys)), f"A transfer stands on the statement twice: {keys}."
        booked = [*(each.amount for each in first.transfers), *(r.amount for r in first.receipts)]
        for amount in booked:
            assert is_amount(amount, 7), f"The statement says {amount!r}, no exact amount above 0."

    # -- what the tests say ---------------------------------------------------------------------

    def _at_the_end(self) -> tuple[RailsIntegration, str]:
        rail = self.rails()
        demand(rail.traits.lists_receipts, "lists_receipts")
        return rail, listed(rail, None)[1]

    def _demand_poll(self, rail: RailsIntegration) -> None:
        if not overrides(rail, _POLL):
            raise SkipTest("the rail does not poll deposits")

    def _listed_with(
        self, rail: RailsIntegration, cursor: str, wanted: set[str | None]
    ) -> tuple[list[Receipt], str]:
        """Read on until all of these references have come."""
        came: list[Receipt] = []

        def read_on() -> bool:
            nonlocal cursor
            more, cursor = listed(rail, cursor)
            came.extend(more)
            return wanted <= _references(came)

        self.until(
            read_on,
            f"{len(wanted)} bookings came, and the list after the last cursor does not tell all "
            "of them by their references: that money is never seen, or credits nobody. A cursor "
            "may leave nothing out that came in the same second as the page before, or that stood "
            "on the next page.",
        )
        return came, cursor

    def told_of(self, rail: RailsIntegration, deposit: PendingDeposit) -> list[Receipt]:
        """Book a deposit, and return all that is told of it."""
        if not rail.traits.lists_receipts and not overrides(rail, _POLL):
            raise SkipTest("the rail neither polls deposits nor lists receipts")
        self.book(deposit)
        return self.until(
            lambda: self._tellings(rail, deposit),
            "Money came, and neither the poll nor the list tells of it.",
        )

    def _tellings(self, rail: RailsIntegration, deposit: PendingDeposit) -> list[Receipt]:
        """Return each receipt for a deposit, by poll and by list."""
        found = arrived(rail, deposit) if overrides(rail, _POLL) else []
        if rail.traits.lists_receipts:
            found += [e for e in listed(rail, None)[0] if e.reference == deposit.reference]
        return found


def arrived(rail: RailsIntegration, deposit: PendingDeposit) -> list[Receipt]:
    """Return the receipts that a poll tells for a deposit."""
    answer = rail.poll_pending_deposits([deposit]).get(deposit.transaction_id, Waiting())
    return list(answer.receipts) if isinstance(answer, Arrived) else []


def listed(rail: RailsIntegration, cursor: str | None) -> tuple[list[Receipt], str]:
    """Return the receipts after a cursor, page by page, as far as the list goes on."""
    came: list[Receipt] = []
    while True:
        page = rail.receipts_since(cursor)
        came += page.receipts
        if page.up_to_date or page.cursor == cursor:
            return came, page.cursor
        cursor = page.cursor


def _references(receipts: Sequence[Receipt]) -> set[str | None]:
    return {each.reference for each in receipts}


def _is_id(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= _ID_CHARS and text.isprintable()


def yesterday() -> date:
    """Return the last day that is over."""
    return datetime.now(UTC).date() - timedelta(days=1)
