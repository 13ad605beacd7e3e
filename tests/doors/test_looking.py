"""Whoever only looks whether a door is there, by HEAD, opens, judges and uses up nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from stellar_sdk import Keypair
from werkzeug.routing import Rule

from anchor import create_app
from anchor.blueprints import openapi
from anchor.blueprints.describing import description_of
from anchor.blueprints.limits import is_costly
from anchor.extensions import db
from anchor.policies.web_auth import WebAuthOptions
from tests.doors.quoting import BRL, Market
from tests.knowing import policy
from tests.sending import sending
from tests.transfers import PERSON, serving
from tests.world import World, dispose

WRITES = re.compile(r"\b(INSERT INTO|DELETE FROM)\b|\bUPDATE \w+ SET\b")
RULES = """
[types.sep6.fields]
first_name = {}
[types.sep31-sender.fields]
first_name = {}
[types.sep31-receiver.fields]
first_name = {}
"""


@pytest.fixture
def all_open(world: World) -> Iterator[World]:
    """The same anchor with all doors open."""
    world.fund()
    settings = replace(
        sending(serving(world.settings), world.payer.public_key),
        customers=policy(RULES),
        rpc_url=f"{world.sandbox.url}/rpc",
        web_auth=WebAuthOptions(contract_id=world.sandbox.network.contracts.web_auth),
    )
    settings = replace(settings, seps=settings.seps | {45})
    world.create(Keypair.from_secret(settings.signing_secret).public_key)
    app = create_app(settings)
    with app.app_context():
        yield World(app, settings, world.sandbox, world.bank, world.payer)
    dispose(app)


def looked_at(world: World) -> Iterator[tuple[Rule, bool]]:
    """Yield each address that is read by GET, and whether a HEAD is refused there."""
    for rule, view in openapi.public_rules(world.app):
        if "GET" in (rule.methods or ()):
            said = description_of(view)
            yield rule, is_costly(view) or (said is not None and said.needs_token)


@contextmanager
def written() -> Iterator[list[str]]:
    """Collect what is written to the database."""
    found: list[str] = []

    def note(_1: Any, _2: Any, statement: str, *_: Any) -> None:
        if WRITES.search(statement):
            found.append(statement)

    execute = psycopg.Connection.execute

    def alone(connection: Any, query: bytes, *args: Any) -> Any:
        note(None, None, query.decode())
        return execute(connection, query, *args)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.Connection, "execute", alone)
            yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


class Looker:
    """Somebody who knows a good address and good parameters for every door."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.market = Market(world)
        self.client = self.market.client
        self.market.log_in()
        self.client.put("/kyc/customer", json=PERSON, headers=self.market.headers)
        opened = self.client.post(
            "/sep24/transactions/deposit/interactive",
            json={"asset_code": "USDC"},
            headers=self.market.headers,
        )
        self.page, _, self.link = opened.json["url"].removeprefix("http://localhost").partition("?")
        self.row_id, self.quote_id = opened.json["id"], self.market.quote()["id"]

    def place(self, rule: Rule) -> str:
        known = {"way": "deposit", "transaction_id": self.row_id, "quote_id": self.quote_id}
        known |= {"remittance_id": "none", "case_id": "1", "customer_id": "none"}
        known["act"] = "accept" if "customer" in rule.rule else "close"
        return re.sub(r"<(?:[^:>]*:)?(\w+)>", lambda found: known[found[1]], rule.rule)

    def query(self, rule: Rule) -> dict[str, str]:
        usdc, payer = self.market.usdc, self.world.payer.public_key
        bare = {"asset_code": "USDC", "account": payer, "amount": "100"}
        return {
            "sep06.deposit": bare,
            "sep06.withdraw": bare,
            "sep06.deposit_exchange": {
                "destination_asset": "USDC",
                "source_asset": BRL,
                "amount": "542",
                "account": payer,
            },
            "sep06.withdraw_exchange": {
                "source_asset": "USDC",
                "destination_asset": BRL,
                "amount": "100",
            },
            "sep06.transactions": {"asset_code": "USDC"},
            "sep24.transactions": {"asset_code": "USDC"},
            "sep24.transaction": {"id": self.row_id},
            "sep10.challenge": {"account": payer},
            "sep38.prices": {"sell_asset": usdc, "sell_amount": "100"},
            "sep38.price": self.market.sale(),
            "page_data.price": {"amount": "100"},
            "interactive.form": dict([self.link.split("=", 1)]),
        }.get(rule.endpoint, {})

    def ask(self, rule: Rule, method: str, query: dict[str, str]) -> Any:
        return self.client.open(
            self.place(rule), method=method, query_string=query, headers=self.market.headers
        )


def test_a_head_writes_nothing_at_any_door(all_open: World) -> None:
    looker = Looker(all_open)
    writes = set()
    for rule, is_refused in looked_at(all_open):
        query = looker.query(rule)
        if rule.endpoint.endswith("_exchange"):
            way = looker.market.purchase if "deposit" in rule.endpoint else looker.market.sale
            query |= {"quote_id": looker.market.quote(**way())["id"]}
        with written() as by_head:
            answer = looker.ask(rule, "HEAD", query)
        assert by_head == [], rule
        assert (answer.status_code == 405) is is_refused, rule
        with written() as by_get:
            looker.ask(rule, "GET", query)
        if by_get:
            writes.add(rule.endpoint)
    opening = {f"sep06.{way}{how}" for way in ("deposit", "withdraw") for how in ("", "_exchange")}
    assert writes == opening | {"interactive.form"}


def test_what_answers_no_head_does_not_say_that_it_does(all_open: World) -> None:
    looker = Looker(all_open)
    for rule, is_refused in looked_at(all_open):
        answer = looker.ask(rule, "OPTIONS", {})
        assert answer.status_code == 200, (rule, answer.text)
        allowed = answer.headers["Allow"].split(", ")
        assert ("HEAD" in allowed) is not is_refused, rule
        assert "GET" in allowed
