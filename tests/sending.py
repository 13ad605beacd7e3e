"""Another anchor that sends money, in the short words of tests."""

from dataclasses import dataclass, field, replace
from typing import Any

from stellar_sdk import Keypair

from anchor import create_app
from anchor.config import Settings
from anchor.money import parse_amount
from anchor.policies import SendingAnchor, SendPolicy
from anchor.services import sweeps
from anchor.services.payouts import POLL
from anchor.services.transactions import PAY_OUT
from tests import knowing
from tests.world import ACCOUNT, World

RULES = """
default_type = "sep31-sender"
[types.sep31-sender]
[types.sep31-sender.fields]
first_name = {}
photo_id_front = { from_amount = "1000" }
[types.sep31-receiver]
verdict = "manual"
[types.sep31-receiver.fields]
first_name = {}
bank_account_number = {}
"""
TYPES = {"sender_types": ("sep31-sender",), "receiver_types": ("sep31-receiver",)}


def sending(settings: Settings, sender: str, **changes: Any) -> Settings:
    """Return settings with sends on, from the account `sender`, of customers that are known."""
    code, policy = next(iter(settings.assets.items()))
    own = replace(policy, sends=SendPolicy(**TYPES), **changes)
    anchor = SendingAnchor("remitter", (sender,))
    known = knowing.knowing(settings, customers=knowing.policy(RULES))
    return replace(
        known,
        assets={code: own},
        seps=known.seps | {31},
        sending_anchors={sender: anchor},
    )


@dataclass
class Remitter:
    """A sending anchor: its client and its log-in."""

    world: World
    client: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    customers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.world.app.test_client()
        self.headers = self.world.log_in(self.client)

    # -- what it asks ---------------------------------------------------------------------

    def customer(self, memo: str, **given: str) -> str:
        """Register a customer under a memo; return the id."""
        body = {"memo": memo, "memo_type": "id", **given}
        answer = self.client.put("/kyc/customer", json=body, headers=self.headers)
        assert answer.status_code == 202, answer.text
        self.customers[memo] = answer.json["id"]
        return str(answer.json["id"])

    def sender(self) -> str:
        """Register somebody who sends and is accepted at once."""
        return self.customer("1", first_name="Ada", type="sep31-sender")

    def receiver(self, *, accepted: bool = True, account: str = ACCOUNT) -> str:
        """Register somebody who is sent money, and who is accepted by a person."""
        given = {"first_name": "Grace", "bank_account_number": account}
        found = self.customer("2", type="sep31-receiver", **given)
        if accepted:
            self.accept(found)
        return found

    def accept(self, customer_id: str, type_: str = "sep31-receiver") -> None:
        from anchor.services import customer_desk

        customer_desk.accept(customer_id, type_, knowing.BY)

    def body(self, **more: Any) -> dict[str, Any]:
        """The body of a send of 100 between two accepted customers; None takes a field away."""
        given = {"amount": "100", "asset_code": "USDC", "funding_method": "bank", **more}
        if "sender_id" not in given:
            given["sender_id"] = self.customers.get("1") or self.sender()
        if "receiver_id" not in given:
            given["receiver_id"] = self.customers.get("2") or self.receiver()
        return {name: value for name, value in given.items() if value is not None}

    def post(self, **more: Any) -> Any:
        return self.client.post("/sep31/transactions", json=self.body(**more), headers=self.headers)

    def opened(self, **more: Any) -> dict[str, Any]:
        """Open a send; return the answer."""
        answer = self.post(**more)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json
        return found

    def get(self, row_id: str, **query: Any) -> Any:
        path = f"/sep31/transactions/{row_id}"
        return self.client.get(path, query_string=query, headers=self.headers)

    def seen(self, row_id: str) -> dict[str, Any]:
        """Return what GET shows of a send, well."""
        answer = self.get(row_id)
        assert answer.status_code == 200, answer.text
        assert answer.json.keys() == {"transaction"}
        found: dict[str, Any] = answer.json["transaction"]
        return found

    def patch(self, row_id: str, **given: Any) -> Any:
        path = f"/sep31/transactions/{row_id}"
        body = {"fields": {"transaction": given}}
        return self.client.patch(path, json=body, headers=self.headers)

    def paid(self, amount: str = "100", **more: Any) -> str:
        """Open a send, pay it on the ledger and let the anchor read that; return its id."""
        opened = self.opened(amount=amount, **more)
        self.world.pay(amount, opened["stellar_memo"])
        self.world.read()
        return str(opened["id"])

    # -- what the anchor does -------------------------------------------------------------

    def work(self) -> int:
        """Pay out what is ready, and ask what became of it."""
        return sweeps.work_off([PAY_OUT, POLL]).total

    def serve(
        self, *, anchor: SendingAnchor | None = None, asset: Any = None, **sends: Any
    ) -> None:
        """Change what the configuration says of sends."""
        found = self.world.app.extensions["anchor"]
        code, policy = next(iter(found.settings.assets.items()))
        policy = replace(policy, sends=replace(policy.sends, **sends), **(asset or {}))
        settings = replace(found.settings, assets={code: policy})
        if anchor is not None:
            accounts = dict.fromkeys(anchor.accounts, anchor)
            settings = replace(settings, sending_anchors=accounts)
        self.world.app.extensions["anchor"] = replace(found, settings=settings)


def world_of(settings: Settings, sandbox: Any, bank: Any, payer: Keypair, **changes: Any) -> World:
    """Return a world to which the payer may send."""
    changed = sending(settings, payer.public_key, **changes)
    return World(create_app(changed), changed, sandbox, bank, payer=payer)


AMOUNT = parse_amount("100")
