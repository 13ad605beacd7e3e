"""A ledger transaction is read whole, wherever a page or the event stream cuts it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any

import pytest

from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Unavailable
from anchor.extensions import gateway
from anchor.ledger.gateway import PaymentPage
from anchor.ledger.horizon import HorizonGateway
from anchor.ledger.records import read_payments
from anchor.services import networks, payments
from tests.ledger.test_records import ME, PAYMENT
from tests.world import World


def operation(transaction: int, place: int, count: int) -> dict[str, Any]:
    token = str(transaction << 12 | place)
    joined = PAYMENT["transaction"] | {"operation_count": count}
    own = {"id": token, "paging_token": token, "transaction_hash": f"{transaction:064x}"}
    return PAYMENT | own | {"transaction": joined}


#: A transaction of one operation, one of three, and one whose last operation is no payment.
RECORDS = [
    operation(1, 1, 1),
    *(operation(2, place, 3) for place in (1, 2, 3)),
    operation(3, 1, 2),
]


@contextmanager
def horizon(streamed: list[dict[str, Any]], paged: list[dict[str, Any]]) -> Iterator[str]:
    """A Horizon whose stream and whose pages may differ."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "event-stream" in self.headers.get("Accept", ""):
                return self.answer("".join(f"data: {json.dumps(r)}\n\n" for r in streamed))
            query = dict(pair.split("=") for pair in self.path.partition("?")[2].split("&"))
            found = [r for r in paged if int(r["paging_token"]) > int(query["cursor"])]
            records = found[: int(query["limit"])]
            return self.answer(json.dumps({"_embedded": {"records": records}}))

        def answer(self, body: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def places(page: PaymentPage) -> list[tuple[int, int]]:
    return [(p.operation_id >> 12, p.operation_id & 0xFFF) for p in page.payments]


@pytest.mark.parametrize("limit", [3, 4, 5, 6])
def test_promise_03_a_page_never_ends_inside_a_transaction(limit: int) -> None:
    with horizon([], RECORDS) as url:
        asked = HorizonGateway(url, TESTNET_PASSPHRASE)
        pages, cursor = [], "0"
        while True:
            page = asked.payments_page(ME, cursor, limit)
            pages.append(places(page))
            cursor = page.cursor
            if page.up_to_date:
                break
    whole = [[(1, 1)], [(2, 1), (2, 2), (2, 3)], [(3, 1)]]
    assert list(chain(*pages)) == list(chain(*whole))
    assert all(
        set(part) <= set(page) or not set(part) & set(page) for page in pages for part in whole
    )


@pytest.mark.parametrize("cut", [2, 3, 4, 5])
def test_promise_03_a_stream_that_pauses_inside_a_transaction_is_read_whole(cut: int) -> None:
    with horizon(RECORDS[:cut], RECORDS) as url:
        pages = [places(p) for p in HorizonGateway(url, TESTNET_PASSPHRASE).follow(ME, "0", 60)]
    found = [place for page in pages for place in page]
    assert found == sorted(set(found))
    assert {(2, 1), (2, 2), (2, 3)} <= set(found)


def test_promise_02_pages_that_are_behind_the_stream_lose_nothing() -> None:
    with horizon(RECORDS[:3], RECORDS[:1]) as url, pytest.raises(Unavailable, match="behind"):
        list(HorizonGateway(url, TESTNET_PASSPHRASE).follow(ME, "0", 60))


def test_a_payment_before_other_operations_is_credited_from_the_stream(world: World) -> None:
    row_id = world.withdrawal("100")
    world.fund()
    builder = world.builder(world.payer.public_key)
    builder.append_payment_op(world.distribution, world.asset, "100")
    builder.append_manage_data_op("note", b"x")
    world.add_memo(builder, world.memo(row_id))
    world.submit(builder, world.payer)
    (watch,) = networks.watched()
    stream = gateway().follow(world.distribution, str(watch.cursor), 60)
    page = next(page for page in stream if page.payments)
    stream.close()  # type: ignore[attr-defined]
    assert [payment.amount for payment in page.payments] == [10**9]


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": "yesterday"},
        {"created_at": "2026-11-23T19:57:36"},
        {"created_at": None},
        {"transaction_successful": None},
        {"transaction_successful": "false"},
        {"from": "G\0"},
        {"asset_code": "US\ud800"},
        {"asset_issuer": 7},
        {"type": "pay\0ment"},
    ],
)
def test_promise_01_what_no_database_can_hold_is_unreadable(fields: dict[str, Any]) -> None:
    (found,) = read_payments(PAYMENT | fields, ME)
    assert found is not None
    assert found.unreadable
    texts = [found.type, found.transaction_hash, json.dumps(found.raw, ensure_ascii=False)]
    assert all("\0" not in text and text.encode("utf-8") for text in texts)


def test_promise_02_what_waits_to_be_judged_is_judged_however_much(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [world.withdrawal() for _ in range(3)]
    with monkeypatch.context() as patched:
        patched.setattr(payments, "judge", lambda *_: 1 / 0)
        for row_id in rows:
            world.pay("50", world.memo(row_id), times=2)
            world.read()
    assert world.verdicts() == ["unjudged"] * 6
    (watch,) = networks.watched()
    assert payments.repair(watch) == 6
    assert world.verdicts() == ["credited"] * 6
    assert payments.repair(watch) == 0
    assert world.cases() == []
