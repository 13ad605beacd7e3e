"""Contract tests that a rail is run against, without an anchor, a database or Flask.

Subclass `RailsContract` in a test module of yours, say how to make the rail, and let pytest run
it. A rail is tried for what its traits promise and for nothing else, and foremost for what loses
money or pays it twice: see `docs/reference/contract.md`. What needs the bank to do something is
skipped, with the reason, until a hook says how it is done (`RailHooks`).
"""

import re
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from time import monotonic
from unittest import SkipTest

from anchor.integrations.protocols import Field, RailsIntegration
from anchor.integrations.testing_rails.arrivals import yesterday
from anchor.integrations.testing_rails.events import EventTests
from anchor.integrations.testing_rails.hooks import given, of_silence
from anchor.integrations.testing_rails.refunds import RefundTests

#: What a call inside a web request may take, in milliseconds, and `flask anchor doctor`.
_AT_ONCE_MS = 500
_CHECK_S = 5
#: What a call may take beside its time-outs.
_SLACK_S = 1
_FIELD_CHARS = 500


class RailsContract(EventTests, RefundTests):
    """What every `RailsIntegration` has to keep. Override `rails`, at least."""

    def test_its_traits_agree_with_each_other(self) -> None:
        """A promise that rests on another one is made with it."""
        traits = self.rails().traits
        assert min(traits.timeout_s, traits.max_in_flight) >= 1, (
            f"timeout_s is {traits.timeout_s} and max_in_flight {traits.max_in_flight}: both have "
            "to be 1 at least."
        )
        final = traits.not_found_final_after
        assert final is None or final > timedelta(seconds=traits.timeout_s), (
            f"not_found_final_after is {final}, and a call may take {traits.timeout_s} s: the "
            "first call could still be under way when the order is repeated."
        )
        assert final is None or traits.can_look_up, (
            "not_found_final_after is promised without can_look_up: nothing is ever not found."
        )
        assert traits.idempotent_for is None or traits.idempotent_for > timedelta(0), (
            f"idempotent_for is {traits.idempotent_for}: say None where nothing is promised."
        )

    def test_its_fields_take_the_details_of_a_good_order(self) -> None:
        """What a customer is asked for is what the rail pays to."""
        for field in self.rails().withdrawal_fields:
            text = self.details.get(field.name, "")
            assert text or field.optional, (
                f"{field.name} is asked for, and the details of a good order do not have it."
            )
            assert not text or _takes(field, text), (
                f"{field.name} is {text!r} in the details of a good order, and its pattern "
                f"{field.pattern} refuses that: customers who could be paid are sent away."
            )

    def test_it_does_not_change_what_it_was_given(self) -> None:
        """The anchor looks up and repeats with the same values."""
        rail, order, deposit = self.rails(), self.outgoing(), self.deposit()
        before = deepcopy((order, deposit))
        given(rail, order)
        rail.poll_outgoing_transactions([order])
        if rail.traits.can_look_up:
            rail.find_outgoing_transaction(order)
        rail.poll_pending_deposits([deposit])
        rail.deposit_instructions(deposit)
        assert (order, deposit) == before, (
            f"The rail was given {before}, and made {(order, deposit)} of it: a repeat would be "
            "another order. Copy what you want to change."
        )

    def test_it_answers_in_time(self) -> None:
        """By its own time-outs: the job's lease is made for `timeout_s`."""
        rail, order, deposit = self.rails(), self.outgoing(), self.deposit()
        traits = rail.traits
        calls: dict[str, Callable[[], object]] = {
            "execute_outgoing_transaction": lambda: given(rail, order),
            "poll_outgoing_transactions": lambda: rail.poll_outgoing_transactions([order]),
            "poll_pending_deposits": lambda: rail.poll_pending_deposits([deposit]),
        }
        if traits.can_look_up:
            calls["find_outgoing_transaction"] = lambda: rail.find_outgoing_transaction(order)
        if traits.lists_receipts:
            calls["receipts_since"] = lambda: rail.receipts_since(None)
        if traits.gives_statements:
            calls["statement"] = lambda: rail.statement(yesterday())
        with suppress(SkipTest):
            silent = self.unreachable()
            calls["execute_outgoing_transaction at a silent bank"] = lambda: of_silence(
                "execute_outgoing_transaction", lambda: given(silent, order)
            )
        for name, call in calls.items():
            took_s = _seconds(call)
            assert took_s <= traits.timeout_s + _SLACK_S, (
                f"{name} took {took_s:.1f} s, and timeout_s is {traits.timeout_s}: the lease of "
                "its job runs out, and another process begins the same. Give each request to the "
                "bank a time-out, or promise less."
            )

    def test_a_web_request_does_not_wait_for_it(self) -> None:
        """Instructions and the check of an event ask nobody."""
        rail, deposit = self.rails(), self.deposit()
        calls: dict[str, Callable[[], object]] = {
            "deposit_instructions": lambda: rail.deposit_instructions(deposit),
            "verify_webhook": lambda: _refusal(rail),
        }
        for name, call in calls.items():
            took_s = min(_seconds(call) for _ in range(2))
            assert took_s * 1000 <= _AT_ONCE_MS, (
                f"{name} took {took_s:.1f} s inside a web request: a customer waits for it, and "
                "so does everybody behind them. Ask the bank before, and keep what it said."
            )

    def test_it_checks_itself_with_a_sentence(self) -> None:
        """`flask anchor doctor` shows one sentence, in a few seconds."""
        rail, began = self.rails(), monotonic()
        told = rail.check()
        assert str(told or "").strip(), f"check() says {told!r}, and no sentence."
        assert monotonic() - began <= _CHECK_S, f"check() took more than {_CHECK_S} s."


def _takes(field: Field, text: str) -> bool:
    """Tell whether the anchor would take a detail, as a customer types it."""
    return len(text) <= _FIELD_CHARS and re.fullmatch(field.pattern, text.strip()) is not None


def _seconds(call: Callable[[], object]) -> float:
    began = monotonic()
    call()
    return monotonic() - began


def _refusal(rail: RailsIntegration) -> object:
    try:
        return rail.verify_webhook({}, b"")
    except Exception as error:  # how it is refused is another test's
        return error
