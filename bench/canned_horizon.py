"""A Horizon that has rendered its payments beforehand, in a process of its own.

It answers what following an account asks for: the root, ledgers and pages of payments with
their transactions joined, each record as long as a real one. Run as a script it serves a
file of records (one a line) until its standard input ends, so it outlives nobody.
"""

import hashlib
import json
import subprocess
import sys
import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PASSPHRASE = "Test SDF Network ; September 2015"
FIRST_LEDGER = 1000
PER_LEDGER = 200
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
#: Lengths that a payment's transaction has on a real network.
_XDR_LENGTHS = {"envelope_xdr": 412, "result_xdr": 48, "result_meta_xdr": 1500, "fee_meta_xdr": 420}


def closed_at(ledger: int) -> datetime:
    """Return when a ledger closed: one each five seconds."""
    return EPOCH + timedelta(seconds=5 * ledger)


def operation_id(number: int) -> int:
    """Return the id of the payment with that number, from 0: its place in the ledgers."""
    ledger, place = divmod(number, PER_LEDGER)
    return (FIRST_LEDGER + 1 + ledger) << 32 | (place + 1) << 12 | 1


def record(number: int, payer: str, account: str, asset: str, amount: str, memo: str) -> str:
    """Return the record of one payment as Horizon writes it with ``join=transactions``."""
    token = operation_id(number)
    digest = hashlib.sha256(str(token).encode()).hexdigest()
    base = "https://horizon.example"
    moment = closed_at(token >> 32).strftime("%Y-%m-%dT%H:%M:%SZ")
    code, issuer = asset.split(":")
    links = ("self", "account", "ledger", "operations", "effects", "precedes", "succeeds")
    transaction = {
        "_links": {name: {"href": f"{base}/transactions/{digest}/{name}"} for name in links},
        "id": digest,
        "paging_token": str(token - 1),
        "successful": True,
        "hash": digest,
        "ledger": token >> 32,
        "created_at": moment,
        "source_account": payer,
        "source_account_sequence": str(token),
        "fee_account": payer,
        "fee_charged": "100",
        "max_fee": "100",
        "operation_count": 1,
        **{name: (digest * 24)[:length] for name, length in _XDR_LENGTHS.items()},
        "memo_type": "id",
        "memo": memo,
        "signatures": [(digest * 2)[:88]],
        "preconditions": {"timebounds": {"min_time": "0", "max_time": "1795464230"}},
    }
    links = ("self", "transaction", "effects", "succeeds", "precedes")
    whole = {
        "_links": {name: {"href": f"{base}/operations/{token}/{name}"} for name in links},
        "id": str(token),
        "paging_token": str(token),
        "transaction_successful": True,
        "source_account": payer,
        "type": "payment",
        "type_i": 1,
        "created_at": moment,
        "transaction_hash": digest,
        "transaction": transaction,
        "asset_type": "credit_alphanum4",
        "asset_code": code,
        "asset_issuer": issuer,
        "from": payer,
        "to": account,
        "amount": amount,
    }
    return json.dumps(whole, separators=(",", ":"))


@contextmanager
def serving(file: Path, records: Iterable[str]) -> Iterator[str]:
    """Serve these records from another process; yield its URL."""
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{text}\n" for text in records)
    process = subprocess.Popen(
        [sys.executable, __file__, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    records: list[bytes] = []
    tokens: list[int] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/":
            self._say(json.dumps(self._root()).encode())
        elif parts.path.startswith("/ledgers/"):
            self._say(json.dumps(_ledger(int(parts.path.rpartition("/")[2]))).encode())
        else:
            self._say(self._page({key: word for key, (word,) in parse_qs(parts.query).items()}))

    def _root(self) -> dict[str, object]:
        latest = self.tokens[-1] >> 32
        return {
            "network_passphrase": PASSPHRASE,
            "history_elder_ledger": 1,
            "history_latest_ledger": latest,
            "history_latest_ledger_closed_at": closed_at(latest).isoformat(),
        }

    def _page(self, query: dict[str, str]) -> bytes:
        limit = int(query["limit"])
        start = bisect_right(self.tokens, int(query.get("cursor", 0)))
        found = self.records[start : start + limit]
        return b'{"_embedded":{"records":[%s]}}' % b",".join(found)

    def _say(self, body: bytes) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/hal+json\r\n"
        self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _ledger(sequence: int) -> dict[str, object]:
    digest = hashlib.sha256(f"ledger {sequence}".encode()).hexdigest()
    return {"sequence": sequence, "hash": digest, "closed_at": closed_at(sequence).isoformat()}


def main() -> None:
    """Serve the file that the command line names until standard input ends."""
    lines = Path(sys.argv[1]).read_bytes().splitlines()
    _Handler.records = lines
    _Handler.tokens = [operation_id(number) for number in range(len(lines))]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
