"""A Stellar network as Horizon tells of it."""

import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http.client import HTTPException
from time import monotonic
from typing import Any
from urllib.parse import quote, urlencode

import requests

from anchor.errors import Rejected, Unavailable
from anchor.ledger import outside, sse
from anchor.ledger.gateway import (
    Balance,
    LedgerAccount,
    LedgerMark,
    LedgerPayment,
    LedgerTransaction,
    NetworkState,
    PaymentPage,
    Signer,
    SubmissionFailed,
)
from anchor.ledger.records import Unreadable, read_payment
from anchor.money import parse_amount

log = logging.getLogger(__name__)

TICK_S = 5
MAX_BYTES = 16_000_000
_CONNECT_S = 5
#: Horizon hangs up by itself after 55 seconds.
_SILENCE_S = 90


class HorizonGateway:
    """Asks one Horizon; thread-safe. Never follows a redirect and never repeats a POST."""

    def __init__(
        self,
        url: str,
        network_passphrase: str,
        *,
        timeout_s: int = 11,
        submit_timeout_s: int = 33,
    ) -> None:
        self._url = url.rstrip("/")
        self.network_passphrase = network_passphrase
        self._timeout = (_CONNECT_S, timeout_s)
        self._submit_timeout = (_CONNECT_S, submit_timeout_s)
        self._local = threading.local()

    def network(self) -> NetworkState:
        """See `Gateway.network`."""
        root = self._must("/")
        return NetworkState(
            passphrase=root["network_passphrase"],
            oldest_ledger=int(root["history_elder_ledger"]),
            latest_ledger=int(root["history_latest_ledger"]),
            latest_closed_at=datetime.fromisoformat(root["history_latest_ledger_closed_at"]),
        )

    def ledger(self, sequence: int) -> LedgerMark | None:
        """See `Gateway.ledger`."""
        found = self._get(f"/ledgers/{sequence}", absent=(404, 410))
        if found is None:
            return None
        return LedgerMark(
            int(found["sequence"]), found["hash"], datetime.fromisoformat(found["closed_at"])
        )

    def account(self, account_id: str) -> LedgerAccount | None:
        """See `Gateway.account`."""
        found = self._get(f"/accounts/{quote(account_id)}", absent=(404,))
        return None if found is None else _account(found)

    def newest_cursor(self, account_id: str) -> str:
        """See `Gateway.newest_cursor`."""
        path = f"/accounts/{quote(account_id)}/payments"
        found = self._get(path, {"order": "desc", "limit": "1"}, absent=(404, 410))
        records = found["_embedded"]["records"] if found else []
        return str(records[0]["paging_token"]) if records else "0"

    def payments_page(self, account_id: str, cursor: str, limit: int = 200) -> PaymentPage:
        """See `Gateway.payments_page`. An account that history never saw has an empty page."""
        path = f"/accounts/{quote(account_id)}/payments"
        query = {"join": "transactions", "order": "asc", "limit": str(limit), "cursor": cursor}
        found = self._get(path, query, absent=(404,))
        records = found["_embedded"]["records"] if found else []
        if len(records) < limit:
            return _page(records, account_id, cursor, up_to_date=True)
        return _page(_uncut(records), account_id, cursor, up_to_date=False)

    def follow(self, account_id: str, cursor: str, stall_s: int) -> Iterator[PaymentPage]:
        """See `Gateway.follow`."""
        stream = self._stream(account_id, cursor)
        heard_at = monotonic()
        for events in sse.listen(stream, TICK_S):
            records, ended = _records_of(events, int(cursor))
            if records:
                heard_at = monotonic()
                for page in self._pages_of(records, account_id, cursor):
                    cursor = page.cursor
                    yield page
            elif not events:
                yield PaymentPage((), cursor, up_to_date=True)
                if monotonic() - heard_at > stall_s:
                    self._check_stall(account_id, cursor)
                    heard_at = monotonic()
            if ended:
                return

    def transaction(self, transaction_hash: str) -> LedgerTransaction | None:
        """See `Gateway.transaction`."""
        found = self._get(f"/transactions/{quote(transaction_hash)}", absent=(404,))
        return None if found is None else _transaction(found)

    def submit(self, envelope_xdr: str) -> LedgerTransaction:
        """See `Gateway.submit`."""
        outside.check()
        try:
            response = self._session().post(
                f"{self._url}/transactions",
                data={"tx": envelope_xdr},
                timeout=self._submit_timeout,
                allow_redirects=False,
            )
            known = response.status_code in {200, 400}
            body = _object(_body(response, "/transactions"), "/transactions") if known else {}
        except requests.RequestException as error:
            raise Unavailable("submitting got no answer; look the hash up") from error
        if response.status_code == 200:
            return _transaction(body)
        if response.status_code == 400:
            raise _failure(body)
        raise Unavailable(f"submitting was answered {response.status_code}; look the hash up")

    def _pages_of(
        self, records: Sequence[Mapping[str, Any]], account_id: str, cursor: str
    ) -> Iterator[PaymentPage]:
        """Yield what the stream brought, read anew where it may be cut inside a transaction."""
        if _ends_its_transaction(records[-1]):
            yield _page(records, account_id, cursor, up_to_date=True)
            return
        while int(cursor) < int(records[-1]["paging_token"]):
            page = self.payments_page(account_id, cursor)
            if page.cursor == cursor:
                raise Unavailable("the pages are behind the event stream")
            cursor = page.cursor
            yield page

    def _check_stall(self, account_id: str, cursor: str) -> None:
        """Raise where a page shows what the silent stream does not."""
        if self.payments_page(account_id, cursor, limit=1).payments:
            raise Unavailable("the event stream has stalled")

    def _stream(self, account_id: str, cursor: str) -> sse.Stream:
        outside.check()
        path = f"/accounts/{quote(account_id)}/payments"
        query = urlencode({"join": "transactions", "cursor": cursor, "limit": "200"})
        try:
            stream = sse.Stream(f"{self._url}{path}?{query}", _CONNECT_S, _SILENCE_S)
        except (OSError, HTTPException) as error:
            raise Unavailable(f"{path} did not answer: {type(error).__name__}") from error
        if stream.status == 200:
            return stream
        stream.close()
        raise Unavailable(f"{path} was answered {stream.status}")

    def _must(self, path: str) -> dict[str, Any]:
        found = self._get(path)
        assert found is not None
        return found

    def _get(
        self, path: str, query: Mapping[str, str] | None = None, absent: Sequence[int] = ()
    ) -> dict[str, Any] | None:
        body = self._fetch(path, query, absent)
        return None if body is None else _object(body, path)

    def _fetch(
        self, path: str, query: Mapping[str, str] | None, absent: Sequence[int]
    ) -> bytes | None:
        outside.check()
        try:
            response = self._session().get(
                self._url + path,
                params=dict(query or {}),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
            with response:
                if response.status_code in absent:
                    return None
                if response.status_code != 200:
                    raise Unavailable(f"{path} was answered {response.status_code}")
                return _body(response, path)
        except requests.RequestException as error:
            raise Unavailable(f"{path} did not answer: {type(error).__name__}") from error

    def _session(self) -> requests.Session:
        known: requests.Session | None = getattr(self._local, "session", None)
        if known is None:
            known = self._local.session = requests.Session()
            known.trust_env = False
        return known


def _body(response: requests.Response, path: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unavailable(f"{path} was answered with too much")
    return bytes(body)


def _object(body: bytes, path: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Unavailable(f"{path} was not answered in JSON") from error
    if not isinstance(found, dict):
        raise Unavailable(f"{path} was not answered with an object")
    return found


def _page(
    records: Sequence[Mapping[str, Any]], account_id: str, cursor: str, *, up_to_date: bool
) -> PaymentPage:
    payments: list[LedgerPayment] = []
    for record in records:
        try:
            payment = read_payment(record, account_id)
        except Unreadable as error:
            raise Unavailable(f"the source sent {error}") from error
        if payment is not None:
            payments.append(payment)
        cursor = str(record["paging_token"])
    return PaymentPage(tuple(payments), cursor, up_to_date)


def _uncut(records: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Leave a ledger transaction out that the end of a full page may have cut.

    What it brought is one arrival, and is judged as one. It is read again from its start.
    """
    last = records[-1]
    if _ends_its_transaction(last):
        return records
    cut = last.get("transaction_hash")
    return [record for record in records if record.get("transaction_hash") != cut] or records


def _ends_its_transaction(record: Mapping[str, Any]) -> bool:
    """Tell whether no operation of the record's transaction can come after it."""
    transaction = record.get("transaction")
    count = transaction.get("operation_count") if isinstance(transaction, Mapping) else None
    return not isinstance(count, int) or int(record["id"]) & 0xFFF >= count


def _records_of(events: Sequence[sse.Event], cursor: int) -> tuple[list[dict[str, Any]], bool]:
    """Return the records behind `cursor` among some events, and whether the server leaves."""
    records: list[dict[str, Any]] = []
    for event in events:
        if event.data == '"hello"':
            continue
        if event.data == '"byebye"' or event.type == "close":
            return records, True
        if event.type == "error":
            if records:
                return records, True
            raise Unavailable(f"the event stream said: {event.data[:100]}")
        try:
            record = json.loads(event.data)
        except ValueError as error:
            raise Unavailable("the event stream sent what is not JSON") from error
        if isinstance(record, dict) and int(record.get("paging_token", 0)) > cursor:
            records.append(record)
    return records, False


def _account(found: Mapping[str, Any]) -> LedgerAccount:
    thresholds = found["thresholds"]
    return LedgerAccount(
        account_id=found["account_id"],
        sequence=int(found["sequence"]),
        balances=tuple(_balance(line) for line in found["balances"]),
        signers=tuple(Signer(s["key"], s["type"], int(s["weight"])) for s in found["signers"]),
        low_threshold=int(thresholds["low_threshold"]),
        med_threshold=int(thresholds["med_threshold"]),
        high_threshold=int(thresholds["high_threshold"]),
        subentry_count=int(found["subentry_count"]),
        num_sponsoring=int(found.get("num_sponsoring", 0)),
        num_sponsored=int(found.get("num_sponsored", 0)),
    )


def _balance(line: Mapping[str, Any]) -> Balance:
    amount = parse_amount(line["balance"], zero=True)
    if line["asset_type"] == "native":
        return Balance("native", amount, None)
    asset = f"{line.get('asset_code')}:{line.get('asset_issuer')}"
    limit = parse_amount(line["limit"], zero=True)
    return Balance(asset, amount, limit, bool(line.get("is_authorized", True)))


def _transaction(found: Mapping[str, Any]) -> LedgerTransaction:
    return LedgerTransaction(
        hash=found["hash"],
        successful=bool(found["successful"]),
        ledger=int(found["ledger"]),
        closed_at=datetime.fromisoformat(found["created_at"]),
        fee_charged=int(found["fee_charged"]),
        envelope_xdr=found["envelope_xdr"],
        result_xdr=found["result_xdr"],
    )


def _failure(body: Mapping[str, Any]) -> Rejected:
    extras = body.get("extras") or {}
    codes = extras.get("result_codes") or {}
    transaction = codes.get("transaction") or str(body.get("title") or "refused")
    operations = tuple(codes.get("operations") or ())
    return SubmissionFailed(transaction, operations, extras.get("result_xdr"))
