"""The SDK that wallets are built on, against a running anchor: no word of ours in between."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anchor.sandbox.wallet import fill_in, reference_on
from tests.clients.conftest import run, run_in_a_browser
from tests.knowing import PNG
from tests.processes.stage import Stage, staged
from tests.world import ACCOUNT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

CUSTOMERS = """
[customers.types.sep6.fields]
first_name = {}
last_name = {}
[customers.types.with_document.fields]
first_name = {}
last_name = {}
photo_id_front = {}
"""


@dataclass
class Client:
    """The SDK at one anchor, on Node or in a browser."""

    stage: Stage
    flows: Path
    browser: Any = None

    def run(
        self,
        name: str,
        answer: Callable[[dict[str, Any]], Any] | None = None,
        *,
        has_money: bool = False,
        **env: str,
    ) -> Any:
        """Run a flow, with a new account that the flow makes, or with one that has money."""
        if has_money:
            env["SECRET"] = self.stage.wallet().keys.secret
        places = {"HOME_DOMAIN": f"localhost:{self.stage.port}", "NETWORK": self.stage.network}
        if self.browser is None:
            return run(self.flows, name, places | env, answer)
        return run_in_a_browser(self.browser, self.flows, name, places | env, answer)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An anchor under `flask anchor up`, whose bank tells it of what it books."""
    with staged(tmp_path_factory.mktemp("anchor")) as stage:
        file = stage.data / "anchor.toml"
        # The SDK takes the host of WEB_AUTH_ENDPOINT without its port.
        text = file.read_text().replace("[anchor]\n", '[anchor]\nweb_auth_domain = "localhost"\n')
        file.write_text(text + CUSTOMERS)
        stage.up()
        secret = tomllib.loads(text)["rails"]["bank"]["webhook_secret"]
        stage.bank("/webhook", url=f"{stage.url}/rails/bank/webhook", secret=secret)
        yield stage


@pytest.fixture(params=["node", "browser"])
def client(request: pytest.FixtureRequest, stage: Stage, flows: Path) -> Client:
    if request.param == "node":
        return Client(stage, flows)
    return Client(stage, flows, request.getfixturevalue("chromium"))


def test_it_reads_the_toml_and_logs_in(client: Client) -> None:
    found = client.run("log_in")
    assert found["organization"] == "Sandbox Anchor"
    assert found["network"] == "Test SDF Network ; September 2015"
    issuer = f"{client.stage.url}/auth"
    assert found["plain"] == {"account": found["account"], "memo": None, "issuer": issuer}
    assert found["user"] == {"account": found["account"], "memo": "42"}


def test_it_registers_a_customer_and_erases_them(client: Client, tmp_path: Path) -> None:
    photo = tmp_path / "passport.png"
    photo.write_bytes(PNG)
    found = client.run("customer", PHOTO=str(photo))
    assert found["asked"] == {"status": "NEEDS_INFO", "fields": ["last_name", "photo_id_front"]}
    assert found["is_same"]
    given = ["first_name", "last_name", "photo_id_front"]
    assert found["known"] == {"status": "ACCEPTED", "given": given}
    assert found["after"] == "CustomerNotFoundError"


def test_it_deposits_on_the_page(client: Client) -> None:
    def at_the_bank(ask: dict[str, Any]) -> None:
        page = fill_in(ask["page"], {"amount": "100", "rail": "bank"})
        order = {"amount": "100", "reference": reference_on(page), "payer": "Ada Lovelace"}
        client.stage.bank("/deposits", **order)

    found = client.run("deposit_page", at_the_bank)
    assert (found["type"], found["enabled"]) == ("interactive_customer_info_needed", True)
    assert (found["before"], found["statuses"][-1]) == ("incomplete", "completed")
    assert "there is no such transaction" in found["refused"]
    assert found["amount_out"] == "99.5"
    assert found["to"]
    assert found["balance"] == "99.5000000"


def test_it_withdraws_on_the_page(client: Client) -> None:
    def at_the_page(ask: dict[str, Any]) -> None:
        form = {"amount": "100", "rail": "bank", "bank_account_number": ACCOUNT}
        fill_in(ask["page"], form)

    found = client.run("withdraw_page", at_the_page, has_money=True)
    assert found["statuses"][0] == "pending_user_transfer_start"
    assert found["statuses"][-1] == "completed"
    assert found["amounts"] == ["100", "1.5", "98.5"]
    assert found["from"]
    assert found["is_listed"]
    assert found["is_found"]


def test_it_deposits_on_its_own_screens(client: Client) -> None:
    found = client.run("deposit")
    assert found["enabled"]
    assert found["fields"] == ["external_transfer_memo", "organization.bank_account_number"]
    assert found["statuses"][0] == "pending_user_transfer_start"
    assert found["statuses"][-1] == "completed"
    assert (found["amount_out"], found["kind"]) == ("99.5", "deposit")


def test_it_withdraws_on_its_own_screens_once_its_customer_is_known(client: Client) -> None:
    found = client.run("withdraw", has_money=True, ACCOUNT=ACCOUNT)
    assert found["waiting"] == "pending_customer_info_update"
    assert found["statuses"][0] == "pending_user_transfer_start"
    assert found["statuses"][-1] == "completed"
    assert found["amounts"] == ["100", "1.5", "98.5"]
    assert found["is_listed"]


def test_it_withdraws_another_currency_on_a_firm_quote(client: Client) -> None:
    found = client.run("quotes", has_money=True, ACCOUNT=ACCOUNT)
    assert "iso4217:BRL" in found["assets"]
    assert [each["asset"] for each in found["prices"]] == ["iso4217:BRL"]
    price, quote = found["price"], found["quote"]
    assert price["buy_amount"] == quote["buy_amount"]
    assert quote["fee"]["total"] == "0.5"
    assert found["is_same"]
    assert found["withdrawal"] == {
        "kind": "withdrawal-exchange",
        "status": "completed",
        "quote_id": quote["id"],
        "amounts": ["100", quote["buy_amount"]],
    }
