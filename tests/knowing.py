"""An anchor that knows its customers, and the short words in which tests speak of them."""

import json
import tomllib
from dataclasses import dataclass, replace
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from stellar_sdk import Keypair, MuxedAccount

from anchor import create_app
from anchor.config import Secret, Settings
from anchor.config.customers import CustomersSchema, customer_policy
from anchor.extensions import db, transaction
from anchor.models import Callback, CustomerHistory
from anchor.services import customer_desk, jobs, sweeps
from anchor.services.acts import By
from tests.world import World

RULES = """
default_type = "plain"
file_hours = 2
[types.plain]
[types.plain.fields]
first_name = {}
last_name = {}
[types.sep6]
[types.sep6.fields]
first_name = {}
email_address = { optional = true }
photo_id_front = { from_amount = "1000" }
[types.sep31-sender]
verdict = "manual"
[types.sep31-sender.fields]
first_name = {}
id_type = { choices = ["passport", "id_card"] }
favourite_colour = { type = "string", description = "What they like", optional = true }
[types.sep31-receiver]
[types.sep31-receiver.fields]
family_name = {}
"organization.name" = { optional = true }
[types.coded]
[types.coded.fields]
first_name = {}
mobile_number = { verify = true }
[types.paper]
verdict = "manual"
[types.paper.fields]
photo_id_front = {}
"""
KEYS = {"one": Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")}
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100
NAMES = {"first_name": "Ada", "last_name": "Lovelace"}
BY = By("an operator", "because")


def policy(text: str = RULES) -> Any:
    """Read rules as the file has them."""
    problems: list[str] = []
    table = CustomersSchema().load(tomllib.loads(text))
    found = customer_policy(table, problems, is_on=True, development=True)
    assert problems == []
    return found


def knowing(settings: Settings, **changes: Any) -> Settings:
    """Return settings with customers on."""
    own = {"customers": policy(), "customer_keys": KEYS, "seps": settings.seps | {12}}
    return replace(settings, **(own | changes))


@dataclass
class Kyc:
    """An anchor with customers, and somebody who asks."""

    world: World
    client: FlaskClient

    def log_in(self, keys: Keypair | None = None, memo: str | None = None) -> dict[str, str]:
        """Log in with an account, or a memo below it."""
        keys = keys or self.world.payer
        return self.world.log_in(self.client, keys, **({"memo": memo} if memo else {}))

    def log_in_muxed(self, number: int) -> dict[str, str]:
        """Log in with the muxed address of the payer."""
        address = self.muxed(number)
        keys = self.world.payer
        from stellar_sdk import TransactionEnvelope

        from anchor.config import TESTNET_PASSPHRASE

        answer = self.client.get("/auth", query_string={"account": address}).json
        assert answer is not None
        envelope = TransactionEnvelope.from_xdr(answer["transaction"], TESTNET_PASSPHRASE)
        envelope.sign(keys)
        done = self.client.post("/auth", json={"transaction": envelope.to_xdr()}).json
        assert done is not None
        return {"Authorization": f"Bearer {done['token']}"}

    def muxed(self, number: int) -> str:
        """Return the payer's address with an id."""
        return MuxedAccount(self.world.payer.public_key, number).universal_account_id

    def get(self, headers: Any, **query: Any) -> Any:
        """GET /customer."""
        return self.client.get("/kyc/customer", query_string=query, headers=headers)

    def seen(self, headers: Any, **query: Any) -> dict[str, Any]:
        """Return what GET /customer answers, well."""
        answer = self.get(headers, **query)
        assert answer.status_code == 200, answer.text
        assert answer.mimetype == "application/json"
        found: dict[str, Any] = answer.json
        return found

    def put(self, headers: Any, *, form: bool = False, **body: Any) -> Any:
        """PUT /customer."""
        if form:
            return self.client.put("/kyc/customer", data=body, headers=headers)
        return self.client.put("/kyc/customer", json=body, headers=headers)

    def registered(self, headers: Any, **body: Any) -> str:
        """Register a customer; return the id."""
        answer = self.put(headers, **body)
        assert answer.status_code == 202, answer.text
        found: str = answer.json["id"]
        return found

    def history(self, customer_id: str) -> list[str]:
        """Return what happened to a customer."""
        with transaction():
            query = select(CustomerHistory.event).where(CustomerHistory.customer_id == customer_id)
            return list(db.session.scalars(query.order_by(CustomerHistory.id)))

    def owed(self) -> list[dict[str, Any]]:
        """Return the bodies of the callbacks that are owed."""
        with transaction():
            query = select(Callback.body).where(Callback.delivered_at.is_(None))
            return [json.loads(body or "") for body in db.session.scalars(query.order_by("id"))]

    def accept(self, customer_id: str, type_: str | None = None) -> str:
        """Accept a customer, as an operator."""
        return customer_desk.accept(customer_id, type_, BY)


def work(*kinds: str) -> int:
    """Do what is due of these kinds of job."""
    return sweeps.work_off(kinds).total


def app_of(world: World, settings: Settings) -> World:
    """Return the same world with other settings."""
    return World(create_app(settings), settings, world.sandbox, world.bank, payer=world.payer)


def ran(kind: str, subject: str) -> Any:
    """Run one job."""
    return jobs.run(jobs.Address(kind, subject))
