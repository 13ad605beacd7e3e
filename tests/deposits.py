"""Deposits in tests: opened, funded, and brought to the ledger, in short words."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import text
from stellar_sdk import AuthorizationFlag, Keypair, TransactionBuilder
from stellar_sdk.operation.set_trust_line_flags import TrustLineFlags

from anchor.extensions import db, gateway, transaction
from anchor.lifecycle import Event, Kind, Status
from anchor.money import parse_amount
from anchor.policies import AssetPolicy, DeliveryPolicy
from anchor.services import channels, passes, sweeps  # noqa: F401 - the kinds of job are declared
from anchor.services.deposit_payments import DRIVE, PAY_ON_LEDGER
from anchor.services.signers import Signers
from anchor.services.submissions import _Driver
from anchor.services.transactions import CHECK_TRUST, Happening, happened
from tests.waiting import until
from tests.world import World, _keys


@dataclass
class Bench:
    """A world, with what a customer and the bank do about deposits."""

    world: World

    def __post_init__(self) -> None:
        offers = DeliveryPolicy(True, parse_amount("2"), parse_amount("0.5"), True)
        self.serve(replace(self.world.policy, delivery=offers))

    def account(self, *, trusts: bool = True, limit: str | None = None) -> Keypair:
        """Make a customer's account with lumens and, perhaps, a trust line."""
        keys = Keypair.random()
        self.world.create(keys.public_key)
        if trusts:
            self.trust(keys, limit)
        return keys

    def trust(self, keys: Keypair, limit: str | None = None) -> None:
        builder = self.world.builder(keys.public_key)
        self.world.submit(builder.append_change_trust_op(self.world.asset, limit), keys)

    def issuer(self) -> Keypair:
        return Keypair.from_secret(_keys[self.world.distribution].issuer)

    def builder(self, keys: Keypair) -> TransactionBuilder:
        return self.world.builder(keys.public_key)

    def authorize(self, keys: Keypair, *, authorized: bool) -> None:
        """Let the issuer authorize a trust line, or take that back."""
        issuer = self.issuer()
        builder = self.builder(issuer)
        if not authorized:
            builder.append_set_options_op(set_flags=AuthorizationFlag(3))
        flag = TrustLineFlags.AUTHORIZED_FLAG
        change = {"set_flags": flag} if authorized else {"clear_flags": flag}
        builder.append_set_trust_line_flags_op(keys.public_key, self.world.asset, **change)
        self.world.submit(builder, issuer)

    def serve(self, *policies: AssetPolicy) -> None:
        """Serve further assets."""
        found = self.world.app.extensions["anchor"]
        assets = dict(found.settings.assets) | {each.code: each for each in policies}
        self.world.app.extensions["anchor"] = replace(
            found, settings=replace(found.settings, assets=assets)
        )

    def deposit(self, destination: str, amount: str = "100", **more: Any) -> str:
        """Open a deposit to `destination` and let its money arrive; return its id."""
        row_id = self.opened(destination, amount, **more)
        self.fund(row_id, amount)
        return row_id

    def opened(self, destination: str, amount: str = "100", **more: Any) -> str:
        return self.world.of_kind(
            Kind.DEPOSIT,
            Status.PENDING_USER_TRANSFER_START,
            amount=amount,
            destination=destination,
            **{"fee_fixed": 1_0000000} | more,
        )

    def fund(self, row_id: str, amount: str = "100") -> None:
        received = parse_amount(amount)
        happened(Happening(row_id, Event.FUNDS_RECEIVED, f"receipt {row_id}", received=received))

    def work(self) -> None:
        """Do whatever is due of deposits, once."""
        sweeps.work_off([PAY_ON_LEDGER, CHECK_TRUST, DRIVE])

    def wait(self, row_id: str, status: str = "completed", *, hurry: bool = False) -> None:
        """Work until a deposit has a status; in a hurry, no job rests after a failure."""

        def there() -> bool:
            if hurry:
                self.sql("UPDATE jobs SET due_at = now()")
            self.work()
            return self.world.status(row_id) == status

        until(there, 40, f"for {status}; it is {self.world.status(row_id)}")

    def held(self, account: str) -> str:
        """How much of the asset an account holds, as Horizon says it."""
        found = self.world.sandbox_get(f"/accounts/{account}")
        lines = [line for line in found["balances"] if line.get("asset_code") == "USDC"]
        return str(lines[0]["balance"]) if lines else "none"

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with transaction():
            done = db.session.execute(text(statement), values)
            return list(done) if done.returns_rows else []


def stretch(bench: Bench) -> None:
    """Do a few rounds of the driver, with a new ledger before each: it looks at each but once."""
    source = bench.world.distribution
    channels.prepare(gateway(), source)
    with ThreadPoolExecutor(2) as pool:
        driver = _Driver(source, gateway(), pool, lambda: None, Signers(gateway()))
        for _ in range(3):
            bench.world.sandbox.network.close_ledger()
            driver.round()


def submit_only(bench: Bench) -> None:
    """Hand in what is queued, and look nothing up."""
    source = bench.world.distribution
    channels.prepare(gateway(), source)
    with ThreadPoolExecutor(2) as pool:
        _Driver(source, gateway(), pool, lambda: None, Signers(gateway())).round()
