"""How many requests the doors answer a second, and how long one takes.

Gunicorn with 2 processes of 4 threads, PostgreSQL and Valkey as embedded servers, a Horizon that
costs nothing, many transactions stored, no rate limits. One process asks over some connections that
stay open, each with one request at a time; it shares the cores with what it measures. The
command fails on a wrong answer, never on a slow one.
"""

import argparse
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any
from urllib.parse import quote, urlsplit

import canned_account
import psycopg
import requests
from stellar_sdk import Keypair, TransactionEnvelope

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet

SCRIPTS = Path(sys.executable).parent
FLASK = [str(SCRIPTS / "flask"), "--app", "anchor:create_app()", "anchor"]
LIMITS = ("address", "account", "client_domain")
#: Of the account that asks.
OWN = 50
#: A well-formed one, of nobody.
ACCOUNT = "DE89370400440532013000"
FILL = """
INSERT INTO transactions (id, kind, flow, status, version, owner_account, asset, asset_code, rail,
  settlement, amount_expected, amount_received, amount_paid, fee_fixed, fee_percent, decimals,
  details, started_at, updated_at)
SELECT md5(:seed || n), 'withdrawal', 'interactive', 'pending_user_transfer_start', 1,
  CASE WHEN n <= :own THEN :mine ELSE 'G' || upper(md5('owner' || n / 50)) END,
  :asset, :code, 'bank', 'stellar', 1000000000, 0, 0, 0, 0, 2, '{}',
  now() - n * interval '1 second', now()
FROM generate_series(1, :count) n
"""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--transactions", metavar="N", type=int, default=100_000, help="stored (%(default)s)")
    add("--requests", metavar="N", type=int, default=4_000, help="to each door (%(default)s)")
    add("--connections", metavar="N", type=int, default=8, help="at once (%(default)s)")
    add("--only", metavar="WORD", default="", help="doors whose name has this word in it")
    return parser.parse_args()


# -- the anchor ----------------------------------------------------------------------------


class Anchor:
    """Development mode in a folder of its own, served as in production."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "ANCHOR_DATA_DIR": str(folder / "data"),
        }
        self.log = (folder / "output.log").open("ab")

    @contextmanager
    def run(self, *argv: str) -> Iterator[None]:
        """Run a process while the block does."""
        process = subprocess.Popen(
            argv, cwd=self.folder, env=self.env, stdout=self.log, stderr=self.log
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def prepare(self) -> None:
        """Make the servers, the schema and a configuration without limits."""
        subprocess.run(
            [*FLASK, "migrate"], cwd=self.folder, env=self.env, stdout=self.log, check=True
        )
        names = [f"{costly}{who}_per_minute = 0" for costly in ("", "costly_") for who in LIMITS]
        with (self.folder / "data" / "anchor.toml").open("a", encoding="utf-8") as file:
            file.write("\n[limits]\n" + "\n".join(names) + "\n")

    def read(self, *parts: str) -> str:
        """Read a file of the data folder."""
        return self.folder.joinpath("data", *parts).read_text(encoding="utf-8")

    @property
    def url(self) -> str:
        """Where the web answers."""
        return f"http://localhost:{self.read('web.port')}"

    def follow(self) -> None:
        """Wait until the accounts are watched: before that nobody is told where to pay."""
        with self.connect() as connection:
            deadline = monotonic() + 60
            while not connection.execute("SELECT 1 FROM accounts").fetchone():
                if monotonic() > deadline:
                    raise SystemExit("the stream runner watches nothing")
                sleep(0.2)

    def connect(self) -> psycopg.Connection:
        """Connect to the database; each statement is a transaction."""
        url = json.loads(self.read("servers", "ready.json"))["database_url"]
        return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    @property
    def network(self) -> str:
        """Where the sandbox answers."""
        return str(json.loads(self.read("sandbox", "ready.json"))["url"])

    def wallet(self) -> Wallet:
        """A wallet with money that is logged in."""
        made = Wallet(self.url, self.network)
        made.discover()
        made.fund(CODE, "10000", json.loads(self.read("secrets.json"))["issuer"])
        made.log_in()
        return made

    def fill(self, mine: str, asset: str, count: int) -> None:
        """Store transactions, `OWN` of them of one account."""
        values = {"own": OWN, "mine": mine, "asset": asset, "code": CODE, "count": count}
        query = FILL
        for name in ("seed", *values):
            query = query.replace(f":{name}", f"%({name})s")
        with self.connect() as connection:
            connection.execute(query, values | {"seed": "bench"})  # type: ignore[arg-type]
            connection.execute("VACUUM ANALYZE transactions")


def until_answers(url: str) -> None:
    """Wait for the web."""
    deadline = monotonic() + 60
    while monotonic() < deadline:
        try:
            if requests.get(f"{url}/health", timeout=2).ok:
                return
        except requests.RequestException:
            sleep(0.1)
    raise SystemExit("the web does not answer")


# -- the load ------------------------------------------------------------------------------


@dataclass
class Figures:
    """What one door did: `seconds` of each answer, and how long all took."""

    seconds: list[float]
    whole: float

    def at(self, share: float) -> float:
        """Return the time, in milliseconds, within which a share of the answers came."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Line:
    """One connection with one request under way."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self.got = b""

    def send(self, request: bytes) -> None:
        """Ask."""
        self.got, self.began = b"", perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Return the status once the whole answer is here."""
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise SystemExit("the web hung up")
        self.got += chunk
        head, mark, body = self.got.partition(b"\r\n\r\n")
        if not mark:
            return None
        lowered = head.lower()
        at = lowered.index(b"content-length:") + 15
        length = int(lowered[at : lowered.find(b"\r", at) if b"\r" in lowered[at:] else None])
        return int(head[9:12]) if len(body) >= length else None


def opened(url: str, connections: int) -> list[Line]:
    """Open connections of which each process of gunicorn has as many as the others.

    Whoever wakes first takes one. Where one process has all, half of the server is measured.
    """
    place, shares, kept, spare = urlsplit(url), Counter[int](), [], []
    for _ in range(20 * connections):
        before = _sockets(url)
        line = Line(str(place.hostname), int(place.port or 80))
        sleep(0.01)
        rose = [now > then for now, then in zip(_sockets(url), before, strict=True)]
        taker = rose.index(True) if True in rose else -1
        is_wanted = shares[taker] < -(-connections // len(rose))
        (kept if is_wanted else spare).append(line)
        shares[taker] += is_wanted
        if len(kept) == connections:
            break
    kept += [spare.pop() for _ in range(connections - len(kept))]
    for line in spare:
        line.socket.close()
    return kept


def _sockets(url: str) -> list[int]:
    """Return how many sockets each process of the server has open."""
    bound, found = f":{urlsplit(url).port}\0".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (entry.name, parent)]
            if all(b"gunicorn" in line and bound in line for line in lines):
                found.append(entry)
    return [sum(_is_socket(each) for each in (entry / "fd").iterdir()) for entry in found]


def _is_socket(link: Path) -> bool:
    try:
        return os.readlink(link).startswith("socket:")
    except OSError:  # closed meanwhile
        return False


def ask(url: str, wanted: Sequence[bytes], connections: int, status: int) -> Figures:
    """Send all requests over some connections; each answer must have the one status."""
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        left, seconds = iter(wanted), []
        lines = opened(url, min(connections, len(wanted)))
        began = perf_counter()
        for line in lines:
            stack.callback(line.socket.close)
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.send(next(left))
        while len(seconds) < len(wanted):
            for key, _ in selector.select():
                found = key.data.receive()
                if found is None:
                    continue
                seconds.append(perf_counter() - key.data.began)
                if found != status:
                    raise SystemExit(f"answered {found}: {key.data.got[-400:]!r}")
                following = next(left, None)
                if following is None:
                    selector.unregister(key.fileobj)
                else:
                    key.data.send(following)
        return Figures(seconds, perf_counter() - began)


def request(method: str, path: str, token: str = "", body: Any = None) -> bytes:
    """Return a request as its bytes."""
    raw = b"" if body is None else json.dumps(body).encode()
    head = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    head += [f"Authorization: Bearer {token}"] if token else []
    head += ["Content-Type: application/json", f"Content-Length: {len(raw)}"] if raw else []
    return "\r\n".join([*head, "", ""]).encode() + raw


# -- the doors -----------------------------------------------------------------------------


@dataclass
class Door:
    """What is asked, and the status of a right answer."""

    name: str
    make: Callable[[int], list[bytes]]
    status: int = 200


def doors(wallet: Wallet, own_id: str, asset: str) -> Iterator[Door]:
    """Yield everything that is measured."""
    token = wallet.http.headers["Authorization"].split()[1]  # type: ignore[union-attr]
    account, usd, brl = wallet.keys.public_key, quote(f"stellar:{asset}"), quote("iso4217:BRL")
    price = f"sell_asset={usd}&buy_asset={brl}&sell_amount=100&context=sep24"

    def same(*words: Any, **more: Any) -> Callable[[int], list[bytes]]:
        return lambda count: [request(*words, **more)] * count

    yield Door("SEP-1 stellar.toml", same("GET", "/.well-known/stellar.toml"))
    yield Door("SEP-10 challenge", same("GET", f"/auth?account={account}"))
    yield Door("SEP-10 token", lambda count: _signed(wallet, min(count, 2000)))
    yield Door("SEP-24 info", same("GET", "/sep24/info"))
    yield Door("SEP-24 transaction", same("GET", f"/sep24/transaction?id={own_id}", token))
    listing = f"/sep24/transactions?asset_code={CODE}&limit=10"
    yield Door("SEP-24 transactions (10 of 50)", same("GET", listing, token))
    opening = "/sep24/transactions/withdraw/interactive"
    yield Door("SEP-24 POST withdraw", same("POST", opening, token, {"asset_code": CODE}))
    yield Door("SEP-38 info", same("GET", "/sep38/info"))
    prices = f"/sep38/prices?sell_asset={usd}&sell_amount=100"
    yield Door("SEP-38 prices", same("GET", prices))
    yield Door("SEP-38 price", same("GET", f"/sep38/price?{price}"))
    wish = {"sell_asset": f"stellar:{asset}", "buy_asset": "iso4217:BRL", "sell_amount": "10"}
    made = request("POST", "/sep38/quote", token, wish | {"context": "sep24"})
    yield Door("SEP-38 POST quote", lambda count: [made] * count, 201)
    given = request("PUT", "/kyc/customer", token, {"first_name": "Ada", "last_name": "Lovelace"})
    yield Door("SEP-12 PUT customer", lambda count: [given] * min(count, 1000), 202)
    yield Door("SEP-12 GET customer", same("GET", "/kyc/customer", token))
    known = _customers(wallet)
    yield Door("SEP-6 info", same("GET", "/sep6/info"))
    opening = f"/sep6/withdraw?asset_code={CODE}&funding_method=bank&amount=100"
    yield Door("SEP-6 withdraw", same("GET", opening, token))
    opening = f"/sep6/deposit?asset_code={CODE}&account={account}&funding_method=bank&amount=100"
    yield Door("SEP-6 deposit", same("GET", opening, token))
    listing = f"/sep6/transactions?asset_code={CODE}&account={account}&limit=10"
    yield Door("SEP-6 transactions (10 of many)", same("GET", listing, token))
    yield Door("SEP-31 info", same("GET", "/sep31/info"))
    sent = {"amount": "100", "asset_code": CODE, "funding_method": "bank"} | known
    opened = request("POST", "/sep31/transactions", token, sent)
    yield Door("SEP-31 POST", lambda count: [opened] * count, 201)


def _customers(wallet: Wallet) -> dict[str, str]:
    """Make the two customers of a send known, and the wallet's own; return the ids of the two."""
    person = {"first_name": "Ada", "last_name": "Lovelace", "email_address": "ada@wallet.example"}
    person |= {"bank_account_number": ACCOUNT, "bank_account_holder": "Ada Lovelace"}
    ids = []
    for more in ({}, {"memo": "1"}, {"memo": "2"}):
        url = f"{wallet.anchor_url}/kyc/customer"
        answer = wallet.http.put(url, json=person | more, timeout=30)
        answer.raise_for_status()
        ids.append(str(answer.json()["id"]))
    return {"sender_id": ids[1], "receiver_id": ids[2]}


def _signed(wallet: Wallet, count: int) -> list[bytes]:
    """Return requests for tokens: each with a challenge of its own, signed."""
    found, keys = [], wallet.keys
    for _ in range(count):
        query = {"account": keys.public_key}
        told = wallet.http.get(f"{wallet.anchor_url}/auth", params=query, timeout=30).json()
        passphrase = told["network_passphrase"]
        envelope = TransactionEnvelope.from_xdr(told["transaction"], passphrase)
        envelope.sign(Keypair.from_secret(keys.secret))
        found.append(request("POST", "/auth", body={"transaction": envelope.to_xdr()}))
    return found


def main() -> None:
    """Measure each door and print a table."""
    options = arguments()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="anchor-bench-")))
        anchor = Anchor(folder)
        stack.callback(anchor.log.close)
        stack.enter_context(anchor.run(*FLASK, "sandbox"))
        anchor.prepare()
        gunicorn = (str(SCRIPTS / "gunicorn"), "anchor:create_app()", "--no-control-socket")
        bind = f"127.0.0.1:{anchor.read('web.port')}"
        served = (*gunicorn, "-w", "2", "--threads", "4", "-b", bind)
        with anchor.run(*FLASK, "watch-transactions"):
            with anchor.run(*served):
                until_answers(anchor.url)
                anchor.follow()
                wallet = anchor.wallet()
            known = f"{anchor.network}/accounts/{wallet.keys.public_key}"
            horizon = stack.enter_context(canned_account.serving(known, folder / "account"))
            anchor.env["ANCHOR_HORIZON_URL"] = horizon
            stack.enter_context(anchor.run(*served))
            until_answers(anchor.url)
        asset = f"{CODE}:{wallet.asset(CODE).issuer}"
        anchor.fill(wallet.keys.public_key, asset, options.transactions)
        [own] = wallet.http.get(
            f"{anchor.url}/sep24/transactions",
            params={"asset_code": CODE, "limit": 1},
            timeout=30,
        ).json()["transactions"]
        print(f"{'':32}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}")
        for door in doors(wallet, own["id"], asset):
            if options.only.lower() not in door.name.lower():
                continue
            ask(anchor.url, door.make(50), options.connections, door.status)  # warm
            found = ask(anchor.url, door.make(options.requests), options.connections, door.status)
            rate = len(found.seconds) / found.whole
            print(f"{door.name:32}{rate:11,.0f}{found.at(0.5):9.1f}{found.at(0.99):9.1f}")


if __name__ == "__main__":
    main()
