"""A rail on strings: it does what a test says, and keeps books of what it really did."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from anchor.extensions import db, transaction
from anchor.integrations.protocols import (
    Done,
    Outcome,
    OutgoingTransaction,
    RailsIntegration,
    RailTraits,
    ReadyForPickup,
    Sent,
)
from tests.world import World


@dataclass
class Puppet(RailsIntegration):
    """A rail that does what the test says, and keeps books of what it really did."""

    traits: RailTraits = field(default_factory=RailTraits)
    script: list[Any] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)
    look_ups: int = 0
    gate: threading.Event | None = None

    def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome:
        self.calls.append(transaction.key)
        if self.gate is not None:
            self.gate.wait(20)
        step = self.script.pop(0) if self.script else Done()
        if step == "take and fall over":
            self.moved[transaction.key] = 1
            raise AttributeError("a bug after the bank took the money")
        if isinstance(step, Exception):
            raise step
        if isinstance(step, Done | Sent | ReadyForPickup):
            self.moved[transaction.key] = self.moved.get(transaction.key, 0) + 1
        assert not callable(step)
        return step  # type: ignore[no-any-return]

    def find_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome | None:
        self.look_ups += 1
        return Done(reference="found") if transaction.key in self.moved else None

    def poll_outgoing_transactions(
        self, transactions: Sequence[OutgoingTransaction]
    ) -> Mapping[str, Outcome]:
        if len(transactions) > 1 and "batch fails" in self.script:
            raise RuntimeError("one of them is bad")
        if any(item.key in self.script for item in transactions):
            raise RuntimeError("this one is bad")
        return {item.key: Done() for item in transactions}


LOOKS_UP = RailTraits(
    can_look_up=True,
    not_found_final_after=timedelta(seconds=60),
    currencies=frozenset({"BRL"}),
)


def puppet(world: World, traits: RailTraits = LOOKS_UP, **more: Any) -> Puppet:
    made = Puppet("bank", traits=traits, **more)
    world.app.extensions["anchor"].rails["bank"] = made
    return made


def due_now() -> None:
    """Let no job wait for its back-off or its lease."""
    with transaction():
        db.session.execute(text("UPDATE jobs SET due_at = now(), leased_until = NULL"))


def age(seconds: int) -> None:
    """Let every call have been made some time earlier than it was."""
    with transaction():
        db.session.execute(
            text(
                "UPDATE outflows SET called_at = called_at - make_interval(secs => :s),"
                " first_called_at = first_called_at - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )
