"""Tests of what a bank tells by webhook, and of what strangers tell in its name."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from unittest import SkipTest

from anchor.errors import Rejected
from anchor.integrations.protocols import Outcome, PendingDeposit, RailsIntegration, Receipt
from anchor.integrations.testing_rails.arrivals import ArrivalTests
from anchor.integrations.testing_rails.hooks import Positive

_Event = tuple[Mapping[str, str], bytes]
_GARBAGE = (b"", b"{}", b"[]", b"null", b"\x00\xff\xfe", b"<xml/>", b'{"event": {}}', b"[" * 5000)
_JUNK_HEADER = "\u00fcn\u00ef"
#: Never stored, whatever a rail asks for.
_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})


class EventTests(ArrivalTests):
    """An event is the bank's or nobody's, and says the same each time it is read."""

    def test_an_event_of_the_bank_is_known(self) -> None:
        """It has the same id each time, in each process."""
        headers, body = self._event(self.deposit())
        ids = [rail.verify_webhook(headers, body) for rail in (self.rails(), self.rails())]
        assert ids[0] == ids[1], (
            f"The same event has the ids {ids}: each time the bank tells it, it is stored anew."
        )
        assert isinstance(ids[0], str), f"{ids[0]!r} is no text; return '' where there is no id."

    def test_an_event_says_the_same_again(self) -> None:
        """Read twice, by two processes, from the headers that are kept (`webhook_headers`)."""
        deposit = self.deposit()
        headers, body = self._event(deposit)
        rails = (self.rails(), self.rails())
        told = [list(rail.read_webhook(kept(rail, headers), body)) for rail in rails]
        assert told[0] == told[1], (
            f"An event is first read as {told[0]}, then as {told[1]}: a job that was repeated "
            "loses money, or counts it twice."
        )
        for each in told[0]:
            assert _is_told(each), (
                f"An event is read as {each!r}: only receipts and (key, outcome) can be recorded."
            )

    def test_an_event_tells_a_booking_under_its_id(self) -> None:
        """The id by which poll and list tell it."""
        rail, deposit = self.rails(), self.deposit()
        elsewhere = {each.receipt_id for each in self.told_of(rail, deposit)}
        headers, body = self.webhook(deposit)
        told = [e for e in rail.read_webhook(kept(rail, headers), body) if isinstance(e, Receipt)]
        ids = {each.receipt_id for each in told if each.reference == deposit.reference}
        assert ids <= elsewhere, (
            f"A booking is told by webhook as {sorted(ids)}, and by poll or list as "
            f"{sorted(elsewhere)}: it is credited twice. The event's id is not the booking's."
        )

    def test_an_event_tells_an_order_by_its_key(self) -> None:
        """By `transaction.key`, not by the bank's own id."""
        rail, order = self.rails(), self.outgoing()
        self.settled(rail, order)
        headers, body = self.webhook_of(order)
        told = [e for e in rail.read_webhook(kept(rail, headers), body) if isinstance(e, tuple)]
        positive = [key for key, outcome in told if isinstance(outcome, Positive)]
        assert positive == [order.key], (
            f"The order {order.key} was carried out, and its event is read as {told}: what is "
            "told under another key is of nobody, and becomes a case."
        )

    def test_a_forged_event_is_rejected(self) -> None:
        """Whoever writes to the public address must not be taken for the bank."""
        rail = self.rails()
        for headers, body in [({}, b"{}"), *self._forgeries()]:
            event_id = None
            with suppress(Exception):  # how it is refused is another test's
                event_id = rail.verify_webhook(headers, body)
            assert event_id is None, (
                f"A forged event was taken as {event_id!r}: anybody can tell the anchor that money "
                "came. Check who signed the raw body, and raise Rejected. It was "
                f"{body[:200]!r} with the headers {dict(headers)}."
            )

    def test_garbage_is_rejected_and_no_internal_error(self) -> None:
        """Whatever strangers send to the public address ends in `Rejected`."""
        rail = self.rails()
        junk = {name.lower(): _JUNK_HEADER for name in rail.webhook_headers}
        events = [(headers, body) for body in _GARBAGE for headers in ({}, junk)]
        for headers, body in [*events, *self._forgeries()]:
            try:
                rail.verify_webhook(headers, body)
            except Rejected:
                continue
            except Exception as error:
                raise AssertionError(
                    f"Garbage ended in {type(error).__name__}: {error}. Strangers get an internal "
                    "error and the log fills with it: raise Rejected. It was "
                    f"{body[:200]!r} with the headers {dict(headers)}."
                ) from error

    def _event(self, deposit: PendingDeposit) -> _Event:
        """Return an event of the bank; of a real booking where one can be made."""
        with suppress(SkipTest):
            self.book(deposit)
        return self.webhook(deposit)

    def _forgeries(self) -> Iterator[_Event]:
        """Yield what a stranger makes of an event that was seen, where one is given."""
        try:
            headers, body = self._event(self.deposit())
        except SkipTest:
            return
        yield {}, body
        yield dict.fromkeys(headers, ""), body
        yield dict.fromkeys(headers, _JUNK_HEADER), body
        if self.signs_events:
            yield headers, body + b" "
            yield from ((headers, garbage) for garbage in _GARBAGE)


def kept(rail: RailsIntegration, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that the anchor stores of an event."""
    wanted = {name.lower() for name in rail.webhook_headers} - _SECRET
    return {name: value for name, value in headers.items() if name in wanted}


def _is_told(each: object) -> bool:
    if isinstance(each, tuple):
        return len(each) == 2 and isinstance(each[0], str) and isinstance(each[1], Outcome)
    return isinstance(each, Receipt)
