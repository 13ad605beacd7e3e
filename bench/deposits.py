"""How many deposits reach the ledger a second, with channels and in batches.

A real PostgreSQL holds deposits whose money is in, the sandbox network in another process
closes a ledger a second, and the anchor's own jobs pay them: some threads decide how, one
drives the submissions. The command checks what each account holds at the end and fails
where that is wrong; it never fails on a time.
"""

import argparse
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any

import ground
from flask import Flask
from sqlalchemy import text
from stellar_sdk import Asset, Keypair, Server, TransactionBuilder
from stellar_sdk.client.requests_client import RequestsClient

from anchor import create_app, schema
from anchor.config import TESTNET_PASSPHRASE, Secret
from anchor.extensions import db, gateway, transaction
from anchor.policies import DeliveryPolicy
from anchor.sandbox.ground import establish, new_keys
from anchor.services import channel_pool, networks, passes, sweeps
from anchor.services.deposit_payments import DRIVE
from anchor.services.transactions import LEDGER_LANE, PAY_ON_LEDGER

DECIDERS = 2
assert passes.SERVICES  # importing them declares the kinds of job
STROOPS = 10_000_000


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--deposits", metavar="N", type=int, default=1000, help="at most (%(default)s)")
    add("--channels", metavar="N", type=int, nargs="+", default=[1, 10, 50], help="pool sizes")
    add("--batch", metavar="N", type=int, nargs="+", default=[1, 100], help="payments together")
    add("--ledgers", metavar="N", type=int, default=15, help="so many at most, unbatched")
    add("--accounts", metavar="N", type=int, default=20, help="that are paid (%(default)s)")
    add("--bad", metavar="N", type=int, default=10, help="that can never succeed (%(default)s)")
    return parser.parse_args()


@contextmanager
def network() -> Iterator[str]:
    """A sandbox network in a process of its own; yields its address."""
    argv = [sys.executable, "-m", "anchor.sandbox.network", "--port", "0", "--close-every", "1"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def customers(url: str, count: int, issuer: Keypair) -> list[str]:
    """Make accounts that trust the asset."""
    import requests

    found = []
    asset = Asset(ground.CODE, issuer.public_key)
    with Server(url, client=RequestsClient(num_retries=0)) as server:
        for start in range(0, count, 10):
            part = [Keypair.random() for _ in range(start, min(count, start + 10))]
            requests.get(f"{url}/friendbot", params={"addr": part[0].public_key}, timeout=30)
            builder = TransactionBuilder(
                server.load_account(part[0].public_key), TESTNET_PASSPHRASE, base_fee=100
            ).set_timeout(60)
            for keys in part[1:]:
                builder.append_create_account_op(keys.public_key, "10")
            for keys in part:
                builder.append_change_trust_op(asset, source=keys.public_key)
            envelope = builder.build()
            for keys in part:
                envelope.sign(keys)
            server.submit_transaction(envelope)
            found += [keys.public_key for keys in part]
    return found


def anchor(url: str, database_url: str) -> tuple[Flask, Keypair]:
    """An anchor on the network, and the issuer of its asset."""
    keys = new_keys()
    establish(url, TESTNET_PASSPHRASE, keys)
    policy = replace(
        ground.policy(),
        issuer=keys.issuer_id,
        distribution=keys.distribution_id,
        deposit=replace(ground.policy().withdrawal),
        delivery=DeliveryPolicy(),
    )
    settings = replace(
        ground.settings(policy, url, database_url),
        network_passphrase=TESTNET_PASSPHRASE,
        distribution_secrets={ground.CODE: Secret(keys.distribution)},
        channel_secret=Secret("a secret of more than thirty-two bytes"),
    )
    return create_app(settings), Keypair.from_secret(keys.issuer)


def queue(app: Flask, accounts: Sequence[str], count: int) -> None:
    """Write deposits whose money is in, with the job that each calls for, and nothing else."""
    with transaction():
        db.session.execute(text("TRUNCATE transactions, jobs, cases CASCADE"))
    policy = app.extensions["anchor"].settings.assets[ground.CODE]
    with transaction():
        db.session.execute(
            text(
                "INSERT INTO transactions (id, kind, flow, status, version, owner_account, asset,"
                " asset_code, rail, settlement, amount_expected, amount_received, amount_paid,"
                " fee_fixed, fee_percent, decimals, details, destination, funded_at)"
                " SELECT md5(random()::text || n), 'deposit', 'programmatic', 'pending_anchor', 1,"
                " :owner, :asset, :code, 'bank', 'stellar', :one, :one, 0, 0, 0, 7, '{}',"
                " (CAST(:accounts AS text[]))[1 + n % :size], now()"
                " FROM generate_series(1, :count) n"
            ),
            {
                "owner": accounts[0],
                "asset": policy.id,
                "code": policy.code,
                "one": STROOPS,
                "accounts": list(accounts),
                "size": len(accounts),
                "count": count,
            },
        )
        db.session.execute(
            text(
                "INSERT INTO jobs (kind, subject_id, lane, token, attempts, again)"
                " SELECT :kind, id, :lane, 0, 0, false FROM transactions"
                " WHERE status = 'pending_anchor'"
            ),
            {"kind": PAY_ON_LEDGER, "lane": LEDGER_LANE},
        )


def spoil(count: int) -> None:
    """Let some of the deposits, each in another place of the queue, never be possible.

    Half of them have an address that nobody can read; the key of each other's payment is
    taken, so that no commit in which it is can succeed.
    """
    chosen = (
        "SELECT id, row_number() OVER (ORDER BY id) n FROM transactions"
        " WHERE id IN (SELECT id FROM transactions ORDER BY id LIMIT :count)"
    )
    with transaction():
        db.session.execute(
            text(
                "INSERT INTO outflows (transaction_id, kind, attempt, key, rail, state, asset,"
                " amount, amount_fee, calls)"
                " SELECT (SELECT max(id) FROM transactions), 'payout', 100 + n, id || '-1', 'bank',"
                f" 'refused', 'x', 1, 0, 0 FROM ({chosen}) c WHERE n % 2 = 0"
            ),
            {"count": count},
        )
        db.session.execute(
            text(
                "UPDATE transactions t SET destination = 'M' || t.id"
                f" FROM ({chosen}) c WHERE c.id = t.id AND n % 2 = 1"
            ),
            {"count": count},
        )


def parked() -> int:
    """Return how many deposits wait for a person, each with its case."""
    with transaction():
        query = text(
            "SELECT count(*) FROM jobs j JOIN cases c ON c.cause LIKE '%/' || j.subject_id || '/%'"
            " WHERE j.parked_at IS NOT NULL"
        )
        return int(db.session.execute(query).scalar_one())


def run(app: Flask, count: int) -> float:
    """Work until all is paid; return how many seconds that took."""
    done = threading.Event()

    def work(kind: str) -> None:
        with app.app_context():
            while not done.wait(0.1):
                sweeps.work_off([kind])

    threads = [threading.Thread(target=work, args=(PAY_ON_LEDGER,)) for _ in range(DECIDERS)]
    threads.append(threading.Thread(target=work, args=(DRIVE,)))
    began = perf_counter()
    for thread in threads:
        thread.start()
    while completed() < count:
        done.wait(0.05)
    took = perf_counter() - began
    done.set()
    for thread in threads:
        thread.join()
    return took


def completed() -> int:
    """Return how many deposits are completed."""
    with transaction():
        query = text("SELECT count(*) FROM transactions WHERE status = 'completed'")
        return int(db.session.execute(query).scalar_one())


def held(url: str, accounts: Sequence[str]) -> int:
    """Return how much of the asset these accounts hold together, in whole units."""
    with Server(url, client=RequestsClient(num_retries=0)) as server:
        found = [server.accounts().account_id(each).call()["balances"] for each in accounts]
    lines = [line for each in found for line in each if line.get("asset_code") == ground.CODE]
    return sum(int(line["balance"].partition(".")[0]) for line in lines)


def configure(app: Flask, batch: int) -> None:
    """Let so many payments travel together at most."""
    house = app.extensions["anchor"]
    app.extensions["anchor"] = replace(house, settings=replace(house.settings, batch_max=batch))


def measure(app: Flask, url: str, accounts: Sequence[str], options: argparse.Namespace) -> bool:
    """Print a line for each size of pool and batch; tell whether all was right."""
    source = app.extensions["anchor"].settings.distribution_accounts[0]
    total, is_right = 0, True
    names = ("channels", "batch", "deposits", "bad", "seconds", "deposits/s")
    print("{:>8}  {:>5}  {:>8}  {:>4}  {:>7}  {:>10}".format(*names))
    for channels in sorted(options.channels):
        channel_pool.grow(gateway(), source, channels, 5 * STROOPS)
        for batch in options.batch:
            configure(app, batch)
            count = min(options.deposits, channels * batch * options.ledgers)
            for bad in (0, options.bad) if batch == max(options.batch) else (0,):
                queue(app, accounts, count + bad)
                spoil(bad)
                took = run(app, count)
                total += count
                line = f"{channels:8}  {batch:5}  {count:8}  {bad:4}  {took:7.1f}"
                print(f"{line}  {count / took:10.1f}", flush=True)
                is_right = is_right and is_as_it_should_be(url, accounts, total, bad)
    return is_right


def is_as_it_should_be(url: str, accounts: Sequence[str], total: int, bad: int) -> bool:
    """Tell whether each good deposit was paid once, and each bad one waits for a person."""
    if held(url, accounts) != total:
        print(f"the accounts hold {held(url, accounts)}, and {total} were paid")
    if parked() != bad:
        print(f"{parked()} deposits wait for a person, and {bad} cannot be paid")
    return held(url, accounts) == total and parked() == bad


def main() -> int:
    """Measure, print, and say by the exit status whether each deposit was paid once."""
    options = arguments()
    logging.disable(logging.ERROR)  # each bad deposit would be told at length
    with ExitStack() as stack:
        place, url = stack.enter_context(ground.folder()), stack.enter_context(network())
        servers = stack.enter_context(ground.servers(place / "servers", durable=True))
        schema.upgrade(servers.database_url)
        app, issuer = anchor(url, servers.database_url)
        accounts = customers(url, options.accounts, issuer)
        with app.app_context():
            networks.stamp(gateway(), TESTNET_PASSPHRASE)
            is_right = measure(app, url, accounts, options)
            db.session.remove()
            db.engine.dispose()
    return 0 if is_right else 1


def _end(*_: Any) -> None:
    sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
