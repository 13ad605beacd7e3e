"""Horizon's REST API over a network, as a WSGI application."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from anchor.sandbox.network.accounts import account_text
from anchor.sandbox.network.assets import asset_listing
from anchor.sandbox.network.balances import (
    balance_listing,
    balance_text,
    check_account,
    check_balance_id,
    read_asset,
)
from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.faults import Faults
from anchor.sandbox.network.history import Shelf
from anchor.sandbox.network.http import PROBLEM, Reply, Request, preflight, send
from anchor.sandbox.network.knobs import JSON, Knobs
from anchor.sandbox.network.listings import account_listing, ledger_listing, shelf_listing
from anchor.sandbox.network.paging import (
    Listing,
    check_history,
    read_token,
    read_window,
    take,
    write_page,
)
from anchor.sandbox.network.problems import Problem, invalid
from anchor.sandbox.network.records import TransactionRecord, dumps, published
from anchor.sandbox.network.root import HEALTH, fee_stats_text, root_text
from anchor.sandbox.network.rpc import Rpc
from anchor.sandbox.network.streams import Streams
from anchor.sandbox.network.submitting import Submitting

KINDS = "transactions|operations|payments|effects"
HASH = re.compile(r"[0-9a-f]{64}")
# answers about the present state say of which ledger it is; those about history do not
STATE = re.compile(
    r"/(accounts|claimable_balances|assets|offers|order_book)(/[^/]+(/data/[^/]+)?)?|/paths/[^/]+"
)


class Api:
    """The routes; `streams` and `submitting` hold what outlives a request."""

    def __init__(self, network: Network, *, stream_s: float = 55, submit_s: float = 30) -> None:
        self.network = network
        self.streams = Streams(network, stream_s)
        self.faults = Faults()
        self.submitting = Submitting(network, self.faults, submit_s)
        self.knobs = Knobs(network, self.streams, self.faults)
        get: list[tuple[str, Callable[..., Reply]]] = [
            (r"/", self.root),
            (r"/health", lambda _: Reply(HEALTH, content_type="text/plain; charset=utf-8")),
            (r"/fee_stats", self.fee_stats),
            (r"/friendbot", self.submitting.friendbot),
            (r"/ledgers", self.ledgers),
            (r"/ledgers/([^/]+)", self.ledger),
            (rf"/ledgers/([^/]+)/({KINDS})", self.of_ledger),
            (r"/claimable_balances", self.claimable_balances),
            (r"/claimable_balances/([^/]+)", self.claimable_balance),
            (r"/claimable_balances/([^/]+)/(operations|transactions)", self.of_balance),
            (r"/assets", self.assets),
            (r"/accounts", self.accounts),
            (r"/accounts/([^/]+)", self.account),
            (r"/accounts/([^/]+)/data/([^/]+)", self.account_data),
            (rf"/accounts/([^/]+)/({KINDS})", self.of_account),
            (rf"/({KINDS})", self.of_network),
            (r"/transactions/([^/]+)", self.transaction),
            (r"/transactions/([^/]+)/(operations|payments|effects)", self.of_transaction),
            (r"/operations/([^/]+)", self.operation),
            (r"/operations/([^/]+)/(effects)", self.of_operation),
            (r"/sandbox/contracts", self.contracts),
        ]
        post: list[tuple[str, Callable[..., Reply]]] = [
            (r"/transactions", self.submitting.post),
            (r"/transactions_async", self.submitting.post_async),
            (r"/friendbot", self.submitting.friendbot),
            (r"/rpc", Rpc(network, self.faults).post),
            (r"/sandbox/contract-account", self.contract_account),
            (r"/sandbox/asset-contract", self.asset_contract),
            (r"/sandbox/([a-z-]+)", self.knobs.turn),
        ]
        routes = [("GET", *route) for route in get] + [("POST", *route) for route in post]
        self._routes = [(method, re.compile(path), act) for method, path, act in routes]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request.of(environ)
        if not STATE.fullmatch(request.path):
            return send(request, self._reply(request), start_response)
        with self.network.lock:  # the state and its ledger are of one moment
            reply = self._reply(request)
            reply.headers.append(("Latest-Ledger", str(self.network.history.latest.sequence)))
        return send(request, reply, start_response)

    def _reply(self, request: Request) -> Reply:
        try:
            return preflight(request) if request.method == "OPTIONS" else self.answer(request)
        except Problem as problem:
            return Reply(dumps(problem.body()), problem.status, PROBLEM)

    def answer(self, request: Request) -> Reply:
        """Find the route; raises Problem."""
        found = [
            (method, act, match.groups())
            for method, path, act in self._routes
            if (match := path.fullmatch(request.path))
        ]
        if not found:
            raise Problem("not_found")
        wanted = "GET" if request.method == "HEAD" else request.method
        if wanted == "GET":
            self.faults.strike_get(request.path)
        for method, act, groups in found:
            if method == wanted:
                if not request.accepts_json and not request.wants_events:
                    raise Problem("not_acceptable")
                return act(request, *groups)
        return Reply(status=405)

    # -- single objects -----------------------------------------------------------------------

    def root(self, request: Request) -> Reply:
        """`/`; with `addr` it is friendbot, as the root's own link says."""
        if "addr" in request.params:
            return self.submitting.friendbot(request)
        with self.network.lock:
            return Reply(published(root_text(self.network), request.base_url))

    def fee_stats(self, _request: Request) -> Reply:
        """`/fee_stats`."""
        with self.network.lock:
            return Reply(fee_stats_text(self.network))

    def ledger(self, request: Request, number: str) -> Reply:
        """`/ledgers/{sequence}`; 410 before the recorded history."""
        with self.network.lock:
            ledger = self.network.history.ledger(self._kept_ledger(number))
        if ledger is None:
            raise Problem("not_found")
        return Reply(published(ledger.text(), request.base_url))

    def transaction(self, request: Request, hash_: str) -> Reply:
        """`/transactions/{hash}` by outer or inner hash."""
        record = self._transaction(hash_)
        text = record.inner_text if hash_ == record.inner_hash else record.text
        return Reply(published(text or record.text, request.base_url))

    def operation(self, request: Request, number: str) -> Reply:
        """`/operations/{id}`."""
        joined = _joins(request)
        with self.network.lock:
            record = self.network.history.operation(_identifier(number))
        if record is None:
            raise Problem("not_found")
        return Reply(published(record.text(joined=joined), request.base_url))

    def account(self, request: Request, address: str) -> Reply:
        """`/accounts/{id}`, also as a stream of one event."""
        check_account("account_id", address)
        with self.network.lock:
            account = self.network.shown.accounts.read(address)
            if account is None:
                raise Problem("not_found")
            text = published(account_text(self.network, account), request.base_url)
        if request.wants_events:
            return Reply(events=self.streams.once(text))
        return Reply(text)

    def account_data(self, _request: Request, address: str, name: str) -> Reply:
        """`/accounts/{id}/data/{key}`."""
        check_account("account_id", address)
        with self.network.lock:
            account = self.network.shown.accounts.read(address)
            if account is None or name not in account.data:
                raise Problem("not_found")
            value = b64encode(account.data[name]).decode()
        return Reply(dumps({"value": value}))

    def claimable_balance(self, request: Request, identifier: str) -> Reply:
        """`/claimable_balances/{id}`; 404 once it is claimed."""
        check_balance_id(identifier)
        with self.network.lock:
            balance = self.network.shown.balances.read(identifier)
            if balance is None:
                raise Problem("not_found")
            text = balance_text(self.network, balance)
        return Reply(published(text, request.base_url))

    def contracts(self, _request: Request) -> Reply:
        """The contracts: `web_auth`, `accounts` with their keys, `assets` by their contract."""
        with self.network.lock:
            known = self.network.contracts
            known.see(self.network.shown)
            assets = {contract: str(asset) for contract, asset in known.assets.items()}
            found = {"web_auth": known.web_auth, "accounts": known.keys, "assets": assets}
            text = dumps(found)
        return Reply(text, content_type=JSON)

    def contract_account(self, request: Request) -> Reply:
        """Deploy the account contract of `key` (G…), as a form or query gives it; once."""
        key = (request.params | request.form()).get("key", "")
        check_account("key", key)
        contract = self.network.add_contract_account(key)
        return Reply(dumps({"contract": contract, "key": key}), content_type=JSON)

    def asset_contract(self, request: Request) -> Reply:
        """Make the contract of `asset` (CODE:ISSUER) known, as a form or query gives it."""
        asset = read_asset((request.params | request.form()).get("asset", ""))
        self.network.change_contracts({"deploy": str(asset)})
        contract = self.network.contracts.add_asset(asset)
        return Reply(dumps({"contract": contract, "asset": str(asset)}), content_type=JSON)

    # -- lists --------------------------------------------------------------------------------

    def ledgers(self, request: Request) -> Reply:
        """`/ledgers`."""
        return self._list(request, ledger_listing(self.network))

    def accounts(self, request: Request) -> Reply:
        """`/accounts` with exactly one of signer, asset, sponsor, liquidity_pool."""
        return self._state_list(request, account_listing)

    def claimable_balances(self, request: Request) -> Reply:
        """`/claimable_balances`, filtered by claimant, asset and sponsor."""
        return self._state_list(request, balance_listing)

    def assets(self, request: Request) -> Reply:
        """`/assets`, filtered by asset_code and asset_issuer."""
        return self._state_list(request, asset_listing)

    def of_network(self, request: Request, kind: str) -> Reply:
        """`/payments`, `/operations`, `/transactions`, `/effects`; `account_id` filters."""
        address = request.params.get("account_id")
        if address:
            return self.of_account(request, address, kind)
        return self._shelf(request, kind, lambda: self.network.history.all)

    def of_account(self, request: Request, address: str, kind: str) -> Reply:
        """The lists of one account; 404 if history never saw it."""
        check_account("account_id", address)
        with self.network.lock:
            known = address in self.network.history.accounts
            if not known and self.network.shown.accounts.read(address) is None:
                raise Problem("not_found")
        return self._shelf(request, kind, lambda: self.network.history.accounts[address])

    def of_ledger(self, request: Request, number: str, kind: str) -> Reply:
        """The lists of one ledger."""
        with self.network.lock:
            sequence = self._kept_ledger(number)
            if self.network.history.ledger(sequence) is None:
                raise Problem("not_found")
            shelf = self.network.history.in_ledger(sequence)
        return self._shelf(request, kind, lambda: shelf)

    def of_transaction(self, request: Request, hash_: str, kind: str) -> Reply:
        """The lists of one transaction, a failed one's operations too."""
        record = self._transaction(hash_)
        operations = record.operations
        payments = [each for each in operations if each.is_payment]
        effects = [effect for each in operations for effect in each.effects]
        shelf = Shelf([record], operations, payments, effects)
        return self._shelf(request, kind, lambda: shelf, failed_too=True)

    def of_balance(self, request: Request, identifier: str, kind: str) -> Reply:
        """The lists of one claimable balance, also after its end."""
        check_balance_id(identifier)
        with self.network.lock:
            if identifier not in self.network.history.balances:
                raise Problem("not_found")
        return self._shelf(request, kind, lambda: self.network.history.balances[identifier])

    def of_operation(self, request: Request, number: str, kind: str) -> Reply:
        """`/operations/{id}/effects`."""
        with self.network.lock:
            record = self.network.history.operation(_identifier(number))
        if record is None:
            raise Problem("not_found")
        return self._shelf(request, kind, lambda: Shelf(effects=record.effects))

    def _shelf(
        self, request: Request, kind: str, shelf: Callable[[], Shelf], *, failed_too: bool = False
    ) -> Reply:
        failed_too = failed_too or request.params.get("include_failed") == "true"
        listing = shelf_listing(kind, shelf, failed_too=failed_too, joined=_joins(request))
        return self._list(request, listing)

    def _state_list(
        self, request: Request, listing: Callable[[Network, dict[str, str]], Listing]
    ) -> Reply:
        if request.wants_events:
            raise Problem("not_acceptable")
        return self._list(request, listing(self.network, request.params))

    def _list(self, request: Request, listing: Listing) -> Reply:
        history = self.network.history
        event_id = request.last_event_id if request.wants_events else ""
        with self.network.lock:
            window = read_window(request.params, history.latest.sequence, event_id)
            check_history(listing, window, history.elder)
            if request.wants_events:
                return Reply(events=self.streams.of(listing, window, request.base_url))
            text = write_page(request, listing, window, take(listing, window))
        return Reply(published(text, request.base_url))

    # -- look-ups -----------------------------------------------------------------------------

    def _kept_ledger(self, number: str) -> int:
        try:
            sequence = int(number)
        except ValueError:
            raise invalid("ledger_id", "unparseable value") from None
        if sequence < self.network.history.elder:
            raise Problem("before_history")
        return sequence

    def _transaction(self, hash_: str) -> TransactionRecord:
        if not HASH.fullmatch(hash_):
            reason = "Transaction hash must be a hex-encoded, lowercase SHA-256 hash"
            raise invalid("tx_id", reason)
        with self.network.lock:
            record = self.network.history.by_hash.get(hash_)
        if record is None:
            raise Problem("not_found")
        return record


def _joins(request: Request) -> bool:
    join = request.params.get("join", "")
    if join not in ("", "transactions"):
        raise invalid("join", "Accepted values: transactions")
    return bool(join)


def _identifier(number: str) -> int:
    try:
        return read_token(number)
    except Problem:
        raise invalid("id", "unparseable value") from None


def application(network: Network, *, stream_s: float = 55, submit_s: float = 30) -> WSGIApplication:
    """Return a WSGI application that answers for a network as Horizon does.

    Streams live `stream_s` seconds, a submission waits `submit_s` for its ledger.
    """
    return Api(network, stream_s=stream_s, submit_s=submit_s)
