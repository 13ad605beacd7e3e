"""An anchor whose money is paid out by a remote custodian, in short words."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest
from stellar_sdk import Keypair

from anchor import create_app
from anchor.integrations import registry
from anchor.integrations.custody import Custodian, CustodyOrder, CustodyOutcome, CustodyTraits
from anchor.sandbox.bank import Bank, application
from anchor.sandbox.network import Sandbox
from anchor.services import sweeps
from anchor.services.custody_orders import CARRY
from anchor.services.custody_outcomes import POLL
from anchor.services.departures import EXPLAIN
from anchor.services.deposit_payments import DRIVE, PAY_ON_LEDGER
from anchor.services.transactions import CHECK_TRUST
from tests.conftest import _dispose
from tests.custodian import Vault, VaultPlugin
from tests.deposits import Bench
from tests.ledger.chain import Chain
from tests.world import World, _keys, settings_for

KINDS = [PAY_ON_LEDGER, CHECK_TRUST, DRIVE, CARRY, POLL, EXPLAIN]
ALL_FORMS = frozenset({"payment", "create_account", "establish", "claimable_balance"})
LOOKS_UP = CustodyTraits(can_look_up=True, not_found_final_after=timedelta(seconds=60))


@dataclass
class VaultPuppet(VaultPlugin):
    """Does what a test says before and instead of what the vault's plug-in does.

    A step of `script` is an exception that is raised at once, an outcome that is given
    instead, or ``"die"``: the order is carried out and its caller dies of it.
    """

    traits: CustodyTraits = LOOKS_UP  # type: ignore[misc]
    script: list[Any] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    look_ups: int = 0
    polled: dict[str, Any] = field(default_factory=dict)
    gate: threading.Event | None = None
    entered: threading.Event = field(default_factory=threading.Event)

    def send(self, order: CustodyOrder) -> CustodyOutcome:
        self.calls.append(order.key)
        self.entered.set()
        if self.gate is not None:
            self.gate.wait(100)
        step = self.script.pop(0) if self.script else None
        if step == "die":
            super().send(order)
            raise KeyboardInterrupt
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            return step(order, super().send(order))  # type: ignore[no-any-return]
        return super().send(order) if step is None else step

    def find(self, order: CustodyOrder) -> CustodyOutcome | None:
        self.look_ups += 1
        return super().find(order)

    def poll(self, orders: Sequence[CustodyOrder]) -> Mapping[str, CustodyOutcome]:
        told = {order.key: self.polled[order.key] for order in orders if order.key in self.polled}
        for step in told.values():
            if isinstance(step, Exception):
                raise step
        asked = [order for order in orders if order.key not in told]
        return {**super().poll(asked), **told} if self.polled is not NOTHING else {}


NOTHING: dict[str, Any] = {}


@dataclass
class Keep(Bench):
    """A bench whose payments a custodian makes."""

    vault: Vault = field(default_factory=Vault)

    def custodian(self, traits: CustodyTraits = LOOKS_UP, **more: Any) -> VaultPuppet:
        """Put a puppet in the place of the custodian."""
        found = self.world.app.extensions["anchor"]
        puppet = VaultPuppet("vault", found.custody.options, traits, **more)
        self.put(puppet)
        return puppet

    def put(self, custody: Any) -> None:
        found = self.world.app.extensions["anchor"]
        self.world.app.extensions["anchor"] = replace(found, custody=custody)

    def work(self) -> None:
        """Do whatever is due, once."""
        sweeps.work_off(KINDS)

    def again(self) -> None:
        """Do everything once more, whatever it rests for."""
        self.sql("UPDATE jobs SET due_at = now(), leased_until = NULL")
        self.sql("UPDATE outflows SET not_before = now() WHERE not_before > now()")
        self.work()

    def age(self, seconds: int) -> None:
        """Let every order have been given some time earlier than it was."""
        self.sql(
            "UPDATE outflows SET called_at = called_at - make_interval(secs => :s),"
            " first_called_at = first_called_at - make_interval(secs => :s)",
            s=seconds,
        )

    def orders(self) -> list[tuple[str, str]]:
        """The keys of the outflows and their states, oldest first."""
        return [tuple(row) for row in self.sql("SELECT key, state FROM outflows ORDER BY id")]

    def times_paid(self, account: str) -> int:
        """How many payments of the asset the ledger shows to an account."""
        found = self.world.sandbox_get(f"/accounts/{account}/payments", limit="200")
        records = found["_embedded"]["records"]
        return len([r for r in records if r["type"] == "payment" and r["to"] == account])

    def pay_by_hand(self, account: str, amount: str = "99") -> str:
        """Pay from the distribution account past the anchor; return the hash."""
        builder = self.world.builder(self.world.distribution)
        builder.append_payment_op(account, self.world.asset, amount)
        return self.world.submit(builder, self.treasury())

    def treasury(self) -> Keypair:
        return Keypair.from_secret(_keys[self.world.distribution].distribution)

    def booked(self) -> None:
        """Every cause balances, and nothing is under way."""
        odd = self.sql("SELECT cause FROM postings GROUP BY cause, asset HAVING sum(amount) <> 0")
        assert odd == []
        [(under_way,)] = self.sql(
            "SELECT coalesce(sum(amount), 0) FROM postings WHERE account = 'in_transit'"
        )
        assert under_way == 0


@contextmanager
def kept(database_url: str, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keep]:
    """Yield an anchor with no secret of its distribution account, and a vault beside it."""
    point = EntryPoint("vault", "tests.custodian:VaultPlugin", registry.CUSTODY)

    def points(group: str) -> Any:
        return [point] if group == registry.CUSTODY else entry_points(group=group)

    monkeypatch.setattr(registry, "entry_points", points)
    vault, bank = Vault(forms=ALL_FORMS), Bank()
    mounts = {"/bank": application(bank), "/vault": vault}
    with Sandbox(close_every_s=1, close_on_submit=True, mounts=mounts) as sandbox:
        vault.chain = Chain(sandbox)
        settings = replace(
            settings_for(sandbox, database_url, broker_url),
            custody="vault",
            custody_options={"vault": {"url": f"{sandbox.url}/vault"}},
            distribution_secrets={},
        )
        app = create_app(settings)
        assert isinstance(app.extensions["anchor"].custody, Custodian)
        with app.app_context():
            made = Keep(World(app, settings, sandbox, bank), vault)
            vault.chain.keys[made.world.distribution] = made.treasury()
            yield made
            _dispose(app)
