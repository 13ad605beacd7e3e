"""What another anchor is asked by its sender, and what of its answers is believed (SEP-31).

Its stellar.toml says where it is; all else is asked there, guarded (`anchor.outgoing`), in
bounded time and size. The token of a log-in lives as long as one job. What is given of people
is repeated in no error.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from anchor import outgoing
from anchor.errors import Rejected, Unavailable
from anchor.extensions import settings
from anchor.money import format_amount, parse_amount
from anchor.policies import AssetPolicy
from anchor.services import stellar_tomls
from anchor.web_auth import answering

MAX_BYTES = 200_000
TIMEOUT_S = 10
_OK = 200
_TOO_MANY = 429
_SERVER_ERROR = 500
_SAID_CHARS = 200
_WORD = re.compile(r"[0-9a-z_]{1,40}")
_ID = re.compile(r"[!-.0-~]{1,200}")  # printable ASCII that is one part of a path


@dataclass(frozen=True)
class Place:
    """Where another anchor is, and by which key it is known."""

    domain: str
    signing_key: str
    auth: str
    sends: str
    customers: str | None = None
    quotes: str | None = None


@dataclass(frozen=True)
class Terms:
    """What it says that it takes of an asset; types are those as one of which a party is known."""

    funding_methods: tuple[str, ...]
    sender_types: tuple[str, ...]
    receiver_types: tuple[str, ...]
    quotes_required: bool
    min_amount: int | None
    max_amount: int | None


@dataclass(frozen=True)
class Promise:
    """A quote: for what was asked the receiver gets `buy_amount` stroops, until `expires_at`."""

    id: str
    buy_amount: int
    expires_at: datetime


@dataclass(frozen=True)
class Told:
    """A transaction there: where to pay it, once that is said, and how it stands."""

    id: str
    status: str | None = None
    account: str | None = None
    memo_type: str | None = None
    memo: str | None = None
    amount: int | None = None
    asset: str | None = None
    external_id: str | None = None


def find(domain: str, policy: AssetPolicy) -> Place:
    """Ask a domain for its stellar.toml, and return where things are.

    Raises `Rejected` where it is on another network, or has another asset of this code.
    """
    url = f"{stellar_tomls.scheme_of(domain)}://{domain}/.well-known/stellar.toml"
    answer = outgoing.request(
        "GET",
        url,
        max_bytes=stellar_tomls.MAX_BYTES,
        timeout_s=TIMEOUT_S,
        allow_private=settings().development,
    )
    _demand_sane(domain, answer.status, "its stellar.toml")
    if answer.status != _OK:
        raise Rejected(f"{domain} answered {answer.status} about its stellar.toml")
    top, currencies = stellar_tomls.read(answer.body)
    if top.get("NETWORK_PASSPHRASE", settings().network_passphrase) != (
        settings().network_passphrase
    ):
        raise Rejected(f"{domain} is on another network")
    issuers = {each.get("issuer") for each in currencies if each.get("code") == policy.code}
    if issuers and policy.issuer not in issuers:
        raise Rejected(f"{domain} means another asset by {policy.code}")
    for name in ("SIGNING_KEY", "WEB_AUTH_ENDPOINT", "DIRECT_PAYMENT_SERVER"):
        if not top.get(name):
            raise Rejected(f"the stellar.toml of {domain} has no {name}")
    if top["SIGNING_KEY"] == answering.account_of(settings().signing_secret):
        raise Rejected(f"{domain} is this anchor itself")
    return Place(
        domain,
        top["SIGNING_KEY"],
        top["WEB_AUTH_ENDPOINT"].rstrip("/"),
        top["DIRECT_PAYMENT_SERVER"].rstrip("/"),
        top.get("KYC_SERVER", "").rstrip("/") or None,
        top.get("ANCHOR_QUOTE_SERVER", "").rstrip("/") or None,
    )


def _demand_sane(domain: str, status: int, what: str) -> None:
    """Raise `Unavailable` for an answer that may be another one later."""
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        raise Unavailable(f"{domain} answered {status} about {what}")


def _nothing() -> None:
    """Do nothing before each question."""


@dataclass
class Client:
    """Asks one anchor; `before` runs ahead of each question, to keep a lease."""

    place: Place
    before: Callable[[], None] = _nothing
    token: str | None = field(default=None, repr=False)

    def log_in(self) -> None:
        """Log in with our signing key (SEP-10); the token is kept here alone."""
        place, seed = self.place, settings().signing_secret
        query = {"account": answering.account_of(seed), "home_domain": place.domain}
        challenge = self._ask("GET", f"{place.auth}?{urlencode(query)}", "a challenge")
        signed = answering.sign_challenge(
            seed,
            _text(challenge, "transaction", 20_000) or "",
            settings().network_passphrase,
            answering.Server(
                place.signing_key,
                place.domain,
                (urlsplit(place.auth).netloc, urlsplit(place.auth).hostname or ""),
            ),
        )
        answer = self._ask("POST", place.auth, "the log-in", {"transaction": signed})
        token = _text(answer, "token", 10_000)
        if token is None or not token.isascii():
            raise Rejected(f"{place.domain} gave no token")
        self.token = token

    def terms(self, code: str) -> Terms:
        """Return what it takes of an asset; `Rejected` where it takes none of it."""
        answer = self._ask("GET", f"{self.place.sends}/info", "/info")
        found = _table(_table(answer, "receive"), code)
        if not found or found.get("enabled", True) is not True:
            raise Rejected(f"{self.place.domain} receives no {code}")
        parties = _table(found, "sep12")
        methods = found.get("funding_methods")
        return Terms(
            tuple(map(str, methods)) if isinstance(methods, list) else (),
            tuple(_table(_table(parties, "sender"), "types")),
            tuple(_table(_table(parties, "receiver"), "types")),
            found.get("quotes_required") is True,
            _amount(found, "min_amount"),
            _amount(found, "max_amount"),
        )

    def put_customer(self, memo: str, type_: str, fields: Mapping[str, str]) -> str:
        """Make a customer known under a memo of ours, or known anew; return its id there."""
        if self.place.customers is None:
            raise Rejected(f"the stellar.toml of {self.place.domain} has no KYC_SERVER")
        body = {**fields, "memo": memo, "memo_type": "id", "type": type_}
        url = f"{self.place.customers}/customer"
        return self._id(self._ask("PUT", url, f"a {type_}", body, private=fields.values()))

    def quote(self, policy: AssetPolicy, amount: int, buys: str, method: str | None) -> Promise:
        """Have a price promised for `amount` stroops; it has to be about just that."""
        if self.place.quotes is None:
            raise Rejected(f"the stellar.toml of {self.place.domain} has no ANCHOR_QUOTE_SERVER")
        sells = f"stellar:{policy.id}"
        body = {
            "context": "sep31",
            "sell_asset": sells,
            "buy_asset": buys,
            "sell_amount": format_amount(amount),
            **({"buy_delivery_method": method} if method else {}),
        }
        answer = self._ask("POST", f"{self.place.quotes}/quote", "a quote", body)
        told = (answer.get("sell_asset"), answer.get("buy_asset"), _amount(answer, "sell_amount"))
        bought = _amount(answer, "buy_amount")
        if told != (sells, buys, amount) or bought is None:
            raise Rejected(f"{self.place.domain} gave a quote for something else")
        return Promise(self._id(answer), bought, _instant(answer, "expires_at"))

    def open(self, body: Mapping[str, Any], private: Mapping[str, str]) -> Told:
        """Open a transaction there: not repeated by itself, for there is no key to it."""
        url = f"{self.place.sends}/transactions"
        answer = self._ask("POST", url, "the transaction", body, private=private.values())
        return _told(self._id(answer), answer)

    def look(self, remote_id: str) -> Told:
        """Ask how a transaction stands there."""
        answer = self._ask("GET", f"{self.place.sends}/transactions/{remote_id}", "a transaction")
        found = _table(answer, "transaction")
        status = found.get("status")
        is_it = found.get("id") == remote_id and isinstance(status, str)
        if not is_it or not _WORD.fullmatch(str(status)):
            raise Rejected(f"{self.place.domain} showed something else than the transaction")
        return _told(remote_id, found)

    def _id(self, answer: Mapping[str, Any]) -> str:
        found = answer.get("id")
        if not isinstance(found, str) or not _ID.fullmatch(found):
            raise Rejected(f"{self.place.domain} gave no id")
        return found

    def _ask(
        self,
        method: str,
        url: str,
        what: str,
        body: Mapping[str, Any] | None = None,
        *,
        private: Any = (),
    ) -> dict[str, Any]:
        """Return the object of a 2xx; `Rejected` for a 4xx and what cannot be read."""
        self.before()
        headers = {"Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = outgoing.request(
            method,
            url,
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            max_bytes=MAX_BYTES,
            timeout_s=TIMEOUT_S,
            allow_private=settings().development,
        )
        domain, status = self.place.domain, answer.status
        _demand_sane(domain, status, what)
        found = _parsed(answer.body)
        if not _OK <= status < 300:
            said = _said(found, list(private))
            raise Rejected(f"{domain} answered {status} about {what}" + (said and f": {said}"))
        if found is None:
            raise Rejected(f"{domain} answered about {what} with what is no JSON object")
        return found


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _said(found: Mapping[str, Any] | None, private: list[str]) -> str:
    """Return its sentence, without what it repeats of people."""
    said = (found or {}).get("error")
    if not isinstance(said, str):
        return ""
    for value in sorted(filter(None, private), key=len, reverse=True):
        said = said.replace(value, "…")
    return "".join(each for each in said if each.isprintable())[:_SAID_CHARS]


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = found.get(name)
    return inner if isinstance(inner, dict) else {}


def _text(found: Mapping[str, Any], name: str, most: int = 200) -> str | None:
    value = found.get(name)
    is_text = isinstance(value, str) and 0 < len(value) <= most and value.isprintable()
    return value if is_text else None


def _amount(found: Mapping[str, Any], name: str) -> int | None:
    value = found.get(name)
    if isinstance(value, Decimal):
        value = format(value, "f")
    if not isinstance(value, str):
        return None
    whole, dot, fraction = value.partition(".")
    return parse_amount(f"{whole}{dot}{fraction.rstrip('0')}".rstrip("."), zero=True)


def _instant(found: Mapping[str, Any], name: str) -> datetime:
    try:
        instant = datetime.fromisoformat(_text(found, name) or "")
    except ValueError:
        raise Rejected(f"{name} of a quote is no instant") from None
    if instant.tzinfo is None:
        raise Rejected(f"{name} of a quote has no time zone")
    return instant


def _told(remote_id: str, found: Mapping[str, Any]) -> Told:
    return Told(
        remote_id,
        _text(found, "status", 40),
        _text(found, "stellar_account_id"),
        _text(found, "stellar_memo_type", 10),
        _text(found, "stellar_memo"),
        _amount(found, "amount_in"),
        _text(found, "amount_in_asset"),
        _text(found, "external_transaction_id"),
    )
