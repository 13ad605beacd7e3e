"""An anchor that is served, and Debian's Chromium that walks its pages."""

import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from anchor import create_app
from anchor.config.customers import CustomersSchema, customer_policy
from anchor.policies import DeliveryPolicy
from anchor.sandbox.bank import Bank
from anchor.sandbox.network import Sandbox
from tests.knowing import knowing
from tests.remitting import Pair
from tests.world import World, dispose, settings_for

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
RULES = """
[types.sep24]
verdict = "manual"
[types.sep24.fields]
first_name = {}
last_name = {}
birth_date = {}
address_country_code = {}
address = {}
email_address = { verify = true }
mobile_number = { optional = true }
id_type = { choices = ["passport", "id_card", "drivers_license"] }
photo_id_front = {}
[options]
log_codes = true
"""
#: Desktop, and the narrowest phone that is promised.
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 740}}


def policy(text: str = RULES) -> Any:
    """Read what customers are asked."""
    problems: list[str] = []
    table = CustomersSchema().load(tomllib.loads(text))
    found = customer_policy(table, problems, is_on=True, development=True)
    assert problems == []
    return found


@dataclass
class Site:
    """An anchor that is served, and what a wallet asks of it."""

    world: World
    url: str

    def opened(self, way: str, **body: Any) -> str:
        """Open a transaction as a wallet does; return the link of its page."""
        client = self.world.app.test_client()
        path = f"/sep24/transactions/{way}/interactive"
        asked = {"asset_code": "USDC"} | body
        answer = client.post(path, json=asked, headers=self.world.log_in(client))
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        return str(answer.json["url"])


@pytest.fixture
def site(database_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[Site]:
    """An anchor that asks its customers much, with two rails, exchanges and accounts to open."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    url = f"http://localhost:{server.server_port}"
    settings = knowing(settings_for(sandbox, database_url, None), customers=policy())
    asset = replace(
        settings.assets["USDC"],
        delivery=DeliveryPolicy(
            create_accounts=True, starting_balance=20_000_000, creation_fee=5_000_000
        ),
    )
    settings = replace(
        settings,
        public_url=url,
        web_auth_domain=url.removeprefix("http://"),
        home_domains=(url.removeprefix("http://"),),
        assets={"USDC": asset},
        organization={"ORG_NAME": "Sandbox Anchor", "ORG_SUPPORT_EMAIL": "help@anchor.example"},
    )
    app = create_app(settings)
    server.app = app
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    world = World(app, settings, sandbox, bank)
    world.fund()
    try:
        with app.app_context():
            yield Site(world, url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        dispose(app)


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open tabs, each in a browser of its own (`tests.pages.tabs`)."""
    from tests.pages.tabs import Tab

    contexts = []

    def make(name: str, size: str = "desktop", **more: Any) -> Tab:
        context = chromium.new_context(viewport=SIZES[size], locale="en-US", **more)
        contexts.append(context)
        return Tab(context.new_page(), f"{name}-{size}")

    yield make
    for context in contexts:
        context.close()


@dataclass
class Desk:
    """An anchor whose console is served, and another one that it sends to."""

    pair: Pair
    url: str


@pytest.fixture
def desk(pair: Pair) -> Iterator[Desk]:
    """The console of an anchor, on a port of its own."""
    with make_server("127.0.0.1", 0, pair.ours.app, threaded=True) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield Desk(pair, f"http://localhost:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
