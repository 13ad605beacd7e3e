"""A remote custodian that pays on the sandbox, and is worse than a real one; with its plug-in."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import requests
from werkzeug.wrappers import Request, Response

from anchor.integrations.custody import (
    Custodian,
    CustodyOrder,
    CustodyOutcome,
    CustodyTraits,
    Declined,
    Later,
    Paid,
    Sent,
    Signature,
    Signed,
    Signer,
    SigningAnswer,
    SigningRequest,
    Unavailable,
    Unknown,
)
from anchor.ledger.envelopes import hash_of
from anchor.ledger.gateway import SubmissionFailed
from anchor.ledger.keys import sign
from anchor.ledger.orders import LedgerOrder
from anchor.money import to_stroops
from tests.ledger.chain import Chain


@dataclass
class Vault:
    """The custodian's own service: POST /orders, GET /orders/KEY, POST /envelopes.

    `late` orders wait for so many look-ups before they are carried out; `lost` ones are
    taken and carried out, and answered with nothing of use; `dropped` ones are not taken
    and answered the same. `approvals` signatures wait for so many questions. It carries out
    the `forms` it is made with. Until `answers` is set it does what it is asked, in silence.
    """

    chain: Chain | None = None
    late: int = 0
    lost: int = 0
    dropped: int = 0
    approvals: int = 0
    forms: frozenset[str] = frozenset({"payment"})
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    answers: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        with self.lock:
            status, body = self.answer(request)
        self.answers.wait(20)
        response = Response(json.dumps(body), status, content_type="application/json")
        return response(environ, start_response)

    def answer(self, request: Request) -> tuple[int, Mapping[str, Any]]:
        if request.path == "/envelopes":
            return self.envelope(json.loads(request.data))
        if request.path == "/orders":
            return self.take(json.loads(request.data))
        key = request.path.rpartition("/")[2]
        if key not in self.orders:
            return 404, {}
        self.look(key)
        return 200, self.orders[key]

    def envelope(self, body: dict[str, Any]) -> tuple[int, Mapping[str, Any]]:
        assert self.chain
        account = body["account"]
        if account not in self.chain.keys:
            return 422, {"error": "no key of that account"}
        own_hash = hash_of(body["envelope"], body["passphrase"])
        asked = self.asked[own_hash] = self.asked.get(own_hash, -1) + 1
        if asked < self.approvals:
            return 202, {}
        signed = sign(self.chain.keys[account].secret, bytes.fromhex(own_hash))
        return 200, {"signature": signed.value.hex()}

    def take(self, body: dict[str, Any]) -> tuple[int, Mapping[str, Any]]:
        if self.dropped:
            self.dropped -= 1
            return 504, {}
        key = body["key"]
        if key not in self.orders:
            if body["form"] not in self.forms:
                return 422, {"error": f"this vault does no {body['form']}"}
            self.orders[key] = {"status": "accepted", "order": body, "waits": self.late}
            if not self.late:
                self.carry_out(key)
        if self.lost:
            self.lost -= 1
            return 504, {}
        return 200, self.orders[key]

    def look(self, key: str) -> None:
        known = self.orders[key]
        if known["status"] == "accepted":
            known["waits"] -= 1
            if known["waits"] <= 0:
                self.carry_out(key)

    def carry_out(self, key: str) -> None:
        assert self.chain
        known = self.orders[key]
        body = known["order"]
        order = LedgerOrder(
            body["form"],
            body["destination"],
            body["asset"],
            to_stroops(Decimal(body["amount"])),
            starting_balance=to_stroops(Decimal(body["starting_balance"])),
            reclaim_at=body["reclaim_at"],
        )
        memo = {"memo_type": body["memo_type"], "memo": body["memo"]}
        envelope = self.chain.signed(order, source=body["source"], **memo)
        try:
            taken = self.chain.gateway.submit(envelope)
            known |= {"status": "paid", "hash": taken.hash}
        except SubmissionFailed as failed:
            known |= {"status": "refused", "code": failed.verdict.operation_codes[0]}


@dataclass
class VaultPlugin(Custodian):
    """Orders from a `Vault` at `url`."""

    traits: ClassVar[CustodyTraits] = CustodyTraits(
        idempotent_for=timedelta(days=1),
        can_look_up=True,
        not_found_final_after=timedelta(minutes=1),
        timeout_s=10,
    )

    def send(self, order: CustodyOrder) -> CustodyOutcome:
        body = {
            "key": order.key,
            "form": order.form,
            "source": order.source,
            "destination": order.destination,
            "asset": order.asset,
            "amount": str(order.amount),
            "starting_balance": str(order.starting_balance),
            "reclaim_at": int(order.reclaim_at.timestamp()) if order.reclaim_at else None,
            "memo_type": order.memo_type,
            "memo": order.memo,
        }
        answer = requests.post(f"{self.options['url']}/orders", json=body, timeout=10)
        return outcome_of(answer)

    def find(self, order: CustodyOrder) -> CustodyOutcome | None:
        answer = requests.get(f"{self.options['url']}/orders/{order.key}", timeout=10)
        return None if answer.status_code == 404 else outcome_of(answer)

    def poll(self, orders: Sequence[CustodyOrder]) -> Mapping[str, CustodyOutcome]:
        found = {order.key: self.find(order) for order in orders}
        return {key: outcome for key, outcome in found.items() if outcome is not None}

    def check(self) -> str:
        return "a vault of the tests"


def outcome_of(answer: requests.Response) -> CustodyOutcome:
    if answer.status_code == 422:
        return Declined(answer.json()["error"])
    if answer.status_code != 200:
        return Unknown(f"the vault answered {answer.status_code}")
    body = answer.json()
    if body["status"] == "paid":
        return Paid(body["hash"])
    if body["status"] == "refused":
        return Declined("the ledger refused it", body["code"])
    return Sent(body["order"]["key"])


@dataclass
class VaultSigner(Signer):
    """Has envelopes signed by a `Vault` at `url`, once somebody agreed there."""

    def sign(self, request: SigningRequest) -> SigningAnswer:
        found = []
        for account in request.accounts:
            body = {
                "account": account,
                "envelope": request.envelope_xdr,
                "passphrase": request.network_passphrase,
            }
            answer = requests.post(f"{self.options['url']}/envelopes", json=body, timeout=10)
            if answer.status_code == 202:
                return Later(request.key, "two people have to agree")
            if answer.status_code == 422:
                return Declined(answer.json()["error"])
            if answer.status_code != 200:
                raise Unavailable(f"the vault answered {answer.status_code}")
            found.append(Signature(account, bytes.fromhex(answer.json()["signature"])))
        return Signed(tuple(found))
