"""The ground that benchmarks stand on: servers of their own, and an anchor full of rows."""

import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep

import psycopg
from canned_horizon import EPOCH, FIRST_LEDGER, PASSPHRASE
from stellar_sdk import Keypair

from anchor import embedded, keeping
from anchor.config import Secret, Settings
from anchor.extensions import db, gateway, transaction
from anchor.fees import Fees, FeeSchedule
from anchor.models import Account
from anchor.money import parse_amount
from anchor.policies import AssetPolicy, FlowPolicy
from anchor.services import networks

CODE = "USDC"
AMOUNT = "100.0000000"
_STOP_S = 30
_TRANSACTION = (
    "id, kind, flow, status, version, owner_account, asset, asset_code, rail, settlement,"
    " amount_expected, amount_received, amount_paid, fee_fixed, fee_percent, decimals, details"
)
_MEMO = "network_id, account_id, memo_type, memo, transaction_id"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix="anchor-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def servers(place: Path, *, durable: bool) -> Iterator[embedded.Servers]:
    """PostgreSQL and Valkey below `place`, which have ended afterwards."""
    try:
        yield embedded.use(place, durable=durable)
    finally:
        keeping.let_go(place)
        wait_for_end(place)


def wait_for_end(place: Path) -> None:
    """Wait until what is kept in `place` has stopped, and remove its data."""
    deadline = monotonic() + _STOP_S
    while (place / "ready.json").exists() and monotonic() < deadline:
        sleep(0.02)
    if (place / "state.json").exists():
        state = json.loads((place / "state.json").read_text(encoding="utf-8"))
        shutil.rmtree(state["base"], ignore_errors=True)


def policy() -> AssetPolicy:
    """Return the one asset of these anchors: matched exactly, on an account of its own."""
    flow = FlowPolicy(
        True, parse_amount("1"), parse_amount("10000"), Fees(FeeSchedule(0, Decimal("1")))
    )
    return AssetPolicy(
        code=CODE,
        issuer=Keypair.random().public_key,
        distribution=Keypair.random().public_key,
        rails=("bank",),
        decimals=2,
        matching="exact",
        tolerance=0,
        withdrawal=flow,
        deposit=FlowPolicy(),
        send=FlowPolicy(),
    )


def settings(asset: AssetPolicy, horizon_url: str, database_url: str) -> Settings:
    """Return settings of an anchor for one asset, without a broker."""
    return Settings(
        public_url="http://localhost",
        home_domains=("localhost",),
        web_auth_domain="localhost",
        seps=frozenset({1, 10, 24}),
        network_passphrase=PASSPHRASE,
        horizon_urls=(horizon_url,),
        database_url=database_url,
        broker_url=None,
        signing_secret=Secret(Keypair.random().secret),
        jwt_secret=Secret("a secret of more than thirty-two bytes"),
        distribution_secrets={},
        assets={CODE: asset},
        organization={},
        rails={"bank": {"url": "http://localhost:1/bank", "timeout_s": 5}},
        schedule={},
        client_domains={"required": False, "allow": [], "deny": []},
        testing=True,
    )


def memos(count: int, seed: int = 7) -> list[str]:
    """Return so many different memo ids, as random as those that the anchor issues."""
    return [str(number) for number in random.Random(seed).sample(range(1, 2**53), count)]


def watch(asset: AssetPolicy) -> networks.Watch:
    """Watch the distribution account from before the first payment on."""
    network_id = networks.stamp(gateway(), PASSPHRASE)
    mark = gateway().ledger(FIRST_LEDGER)
    assert mark is not None
    with transaction():
        db.session.add(
            Account(
                network_id=network_id,
                account_id=asset.distribution,
                role="distribution",
                cursor=FIRST_LEDGER << 32,
                known_ledger=mark.sequence,
                known_hash=mark.hash,
                read_until=mark.closed_at,
                in_charge_since=EPOCH,
            )
        )
    (found,) = networks.watched()
    return found


def open_withdrawals(asset: AssetPolicy, found: networks.Watch, issued: Sequence[str]) -> None:
    """Write a withdrawal that waits for its payment for each of these memos, by COPY."""
    amount = parse_amount(AMOUNT)
    fixed = ("withdrawal", "interactive", "pending_user_transfer_start", 1, found.account_id)
    money = (asset.id, asset.code, "bank", "stellar", amount, 0, 0, 0, 1, 2, "{}")
    with db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor() as cursor:
            with cursor.copy(f"COPY transactions ({_TRANSACTION}) FROM STDIN") as copy:
                for memo in issued:
                    copy.write_row((_id(memo), *fixed, *money))
            with cursor.copy(f"COPY memos ({_MEMO}) FROM STDIN") as copy:
                for memo in issued:
                    copy.write_row((found.network_id, found.account_id, "id", memo, _id(memo)))
            cursor.execute("ANALYZE transactions, memos")
        driver.commit()


def _id(memo: str) -> str:
    return hashlib.sha256(memo.encode()).hexdigest()[:32]
