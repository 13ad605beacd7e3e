"""A Stellar network as Horizon tells of it."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from http.client import HTTPException
from time import monotonic
from typing import Any
from urllib.parse import quote, urlencode

from anchor.errors import Unavailable
from anchor.ledger import outside, sse
from anchor.ledger.gateway import (
    BalanceEnd,
    ClaimableBalance,
    FeeStats,
    Gateway,
    LedgerAccount,
    LedgerMark,
    LedgerPayment,
    LedgerTransaction,
    NetworkState,
    NodeStanding,
    PaymentPage,
    SubmissionFailed,
    SubmitAnswer,
)
from anchor.ledger.reading import (
    read_account,
    read_balance,
    read_balance_end,
    read_fee_stats,
    read_refusal,
    read_submit_answer,
    read_transaction,
    strictly,
)
from anchor.ledger.records import Unreadable, read_payments
from anchor.ledger.wire import Answer, Wire

log = logging.getLogger(__name__)

TICK_S = 5
MAX_BYTES = 16_000_000
_CONNECT_S = 5
#: Horizon hangs up by itself after 55 seconds.
_SILENCE_S = 90
#: How a Horizon answers where it has no such door, or keeps it shut: nothing was taken.
_NO_SUCH_DOOR = (403, 404)


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
        self._wire = Wire(self._url, max_bytes=MAX_BYTES)
        self._timeout_s = timeout_s
        self._submit_timeout_s = submit_timeout_s

    def one(self, suits: Callable[[Gateway], object] | None = None) -> Gateway:
        """See `Gateway.one`: it is one."""
        if suits is not None:
            suits(self)
        return self

    def every(self) -> Sequence[Gateway]:
        """See `Gateway.every`."""
        return (self,)

    def standing(self) -> Sequence[NodeStanding]:
        """See `Gateway.standing`."""
        return ()

    def network(self) -> NetworkState:
        """See `Gateway.network`."""
        root = self._must("/")
        with strictly("/"):
            return NetworkState(
                passphrase=root["network_passphrase"],
                oldest_ledger=int(root["history_elder_ledger"]),
                latest_ledger=int(root["history_latest_ledger"]),
                latest_closed_at=datetime.fromisoformat(root["history_latest_ledger_closed_at"]),
            )

    def ledger(self, sequence: int) -> LedgerMark | None:
        """See `Gateway.ledger`."""
        path = f"/ledgers/{sequence}"
        found = self._get(path, absent=(404, 410))
        if found is None:
            return None
        with strictly(path):
            if int(found["sequence"]) != sequence:
                raise ValueError("another ledger than was asked for")
            closed_at = datetime.fromisoformat(found["closed_at"])
            return LedgerMark(sequence, found["hash"], closed_at)

    def account(self, account_id: str, *, dated: bool = False) -> LedgerAccount | None:
        """See `Gateway.account`."""
        path = f"/accounts/{quote(account_id)}"
        answer = self._fetch(path, None, (404,))
        if answer is None:
            return None
        with strictly(path):
            account = read_account(_object(answer, path), answer.headers.get("Latest-Ledger"))
            if account.account_id != account_id:
                raise ValueError("another account than was asked for")
        if not dated or account.ledger is None:
            return account
        mark = self.ledger(account.ledger)
        return replace(account, ledger_closed_at=mark.closed_at if mark else None)

    def holders(self, asset: str) -> int:
        """See `Gateway.holders`."""
        code, _, issuer = asset.partition(":")
        records = self._records("/assets", {"asset_code": code, "asset_issuer": issuer}, absent=())
        with strictly("/assets"):
            return sum(int(count) for each in records for count in each["accounts"].values())

    def accounts_with(self, asset: str, after: str = "", limit: int = 200) -> list[LedgerAccount]:
        """See `Gateway.accounts_with`."""
        query = {"asset": asset, "order": "asc", "limit": str(limit)}
        records = self._records(
            "/accounts", query | ({"cursor": after} if after else {}), absent=()
        )
        with strictly("/accounts"):
            found = [read_account(record, None) for record in records]
            ids = [account.account_id for account in found]
            if ids != sorted(ids) or (ids and ids[0] <= after):
                raise ValueError("accounts out of their order")
            return found

    def claimable_balance(self, balance_id: str) -> ClaimableBalance | None:
        """See `Gateway.claimable_balance`."""
        path = f"/claimable_balances/{quote(balance_id)}"
        found = self._get(path, absent=(404,))
        if found is None:
            return None
        with strictly(path):
            return read_balance(found)

    def balance_end(self, balance_id: str) -> BalanceEnd | None:
        """See `Gateway.balance_end`."""
        path = f"/claimable_balances/{quote(balance_id)}/operations"
        records = self._records(path, {"order": "desc", "limit": "200"}, absent=(404, 410))
        with strictly(path):
            return read_balance_end(records)

    def fee_stats(self) -> FeeStats:
        """See `Gateway.fee_stats`."""
        found = self._must("/fee_stats")
        with strictly("/fee_stats"):
            return read_fee_stats(found)

    def newest_cursor(self, account_id: str) -> str:
        """See `Gateway.newest_cursor`."""
        path = f"/accounts/{quote(account_id)}/payments"
        records = self._records(path, {"order": "desc", "limit": "1"}, absent=(404, 410))
        with strictly(path):
            return str(records[0]["paging_token"]) if records else "0"

    def payments_page(self, account_id: str, cursor: str, limit: int = 200) -> PaymentPage:
        """See `Gateway.payments_page`. An account that history never saw has an empty page."""
        path = f"/accounts/{quote(account_id)}/payments"
        query = {"join": "transactions", "order": "asc", "limit": str(limit), "cursor": cursor}
        records = self._records(path, query, absent=(404,))
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
        path = f"/transactions/{quote(transaction_hash)}"
        found = self._get(path, absent=(404,))
        if found is None:
            return None
        with strictly(path):
            transaction = read_transaction(found)
            if transaction_hash not in {transaction.hash, transaction.inner_hash}:
                raise ValueError("another transaction than was asked for")
            return transaction

    def submit(self, envelope_xdr: str) -> LedgerTransaction:
        """See `Gateway.submit`."""
        status, body = self._post("/transactions", envelope_xdr, (200, 400))
        with strictly("/transactions"):
            if status == 200:
                return read_transaction(body)
            verdict, result_xdr = read_refusal(body)
        raise SubmissionFailed(verdict, result_xdr)

    def submit_async(self, envelope_xdr: str) -> SubmitAnswer:
        """See `Gateway.submit_async`."""
        path = "/transactions_async"
        status, body = self._post(path, envelope_xdr, (201, 400, 403, 404, 409, 503))
        if status in _NO_SUCH_DOOR:
            return self._submit_waiting(envelope_xdr)
        with strictly(path):
            return read_submit_answer(status, body)

    def _submit_waiting(self, envelope_xdr: str) -> SubmitAnswer:
        try:
            return SubmitAnswer("applied", transaction=self.submit(envelope_xdr))
        except SubmissionFailed as failed:
            return SubmitAnswer("refused", failed.verdict, failed.result_xdr)

    def _post(
        self, path: str, envelope_xdr: str, known: Sequence[int]
    ) -> tuple[int, dict[str, Any]]:
        """Hand an envelope in, once; `Unavailable` for a status that is not `known`."""
        try:
            answer = self._wire.post_form(path, self._submit_timeout_s, {"tx": envelope_xdr})
        except Unavailable as error:
            raise Unavailable("submitting got no answer; look the hash up") from error
        if answer.status not in known:
            raise Unavailable(f"submitting was answered {answer.status}; look the hash up")
        return answer.status, {} if answer.status in _NO_SUCH_DOOR else _object(answer, path)

    def _pages_of(
        self, records: Sequence[Mapping[str, Any]], account_id: str, cursor: str
    ) -> Iterator[PaymentPage]:
        """Yield what the stream rang for, as the pages show it.

        The stream is a doorbell: an event that it leaves out, or sends too late, may lie before
        one that it sends, and the cursor must not pass it. A page holds all, in order, and
        whole transactions.
        """
        newest = max(int(record["paging_token"]) for record in records)
        while int(cursor) < newest:
            page = self.payments_page(account_id, cursor)
            if page.cursor == cursor:
                raise Unavailable("the pages are behind the event stream")
            cursor = page.cursor
            yield page

    def _check_stall(self, account_id: str, cursor: str) -> None:
        """Raise where a page shows what the silent stream does not."""
        if self.payments_page(account_id, cursor, limit=1).cursor != cursor:
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

    def _records(
        self, path: str, query: Mapping[str, str], absent: Sequence[int]
    ) -> list[Mapping[str, Any]]:
        found = self._get(path, query, absent)
        with strictly(path):
            return list(found["_embedded"]["records"]) if found else []

    def _get(
        self, path: str, query: Mapping[str, str] | None = None, absent: Sequence[int] = ()
    ) -> dict[str, Any] | None:
        answer = self._fetch(path, query, absent)
        return None if answer is None else _object(answer, path)

    def _fetch(
        self, path: str, query: Mapping[str, str] | None, absent: Sequence[int]
    ) -> Answer | None:
        answer = self._wire.get(path, self._timeout_s, query=query)
        if answer.status in absent and _is_horizons(answer):
            return None
        if answer.status != 200:
            raise Unavailable(f"{path} was answered {answer.status}")
        return answer


def _is_horizons(answer: Answer) -> bool:
    """Tell whether Horizon itself says that there is no such thing, and not a proxy before it."""
    return "problem+json" in answer.headers.get("Content-Type", "")


def _object(answer: Answer, path: str) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
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
            payments += read_payments(record, account_id)
        except Unreadable as error:
            raise Unavailable(f"the source sent {error}") from error
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
