"""`flask anchor toml` and what it compares; the doctor on contract accounts."""

import json
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import Result
from stellar_sdk import Keypair, TransactionBuilder

from anchor.cli import group
from anchor.config import TESTNET_PASSPHRASE
from anchor.services import contract_logins
from tests.contracts import dispose, with_contracts
from tests.world import World, _keys


class Site(ThreadingHTTPServer):
    """A home domain with one page."""

    def __init__(self) -> None:
        self.page, self.status = "", 200
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def domain(self) -> str:
        return f"localhost:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.domain}/.well-known/stellar.toml"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = self.server.page.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        return


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def run(world: World, *words: str) -> Result:
    return world.app.test_cli_runner().invoke(group, list(words))


def at(world: World, *homes: str) -> None:
    house = world.app.extensions["anchor"]
    settings = replace(world.settings, home_domains=homes)
    world.app.extensions["anchor"] = replace(house, settings=settings)


def set_home_domain(world: World, home: str) -> None:
    issuer = Keypair.from_secret(_keys[world.distribution].issuer)
    builder: TransactionBuilder = world.builder(issuer.public_key)
    builder.append_set_options_op(home_domain=home)
    world.submit(builder, issuer)


def test_it_is_printed_as_it_is_served(world: World) -> None:
    served = world.app.test_client().get("/.well-known/stellar.toml").text
    done = run(world, "toml")
    assert (done.exit_code, done.output) == (0, served)


@pytest.mark.conforms("SEP1-01", "SEP1-28")
def test_what_is_right_is_said_to_be(world: World, site: Site) -> None:
    at(world, site.domain, "*.anchor.example")
    site.page = run(world, "toml").output
    set_home_domain(world, site.domain)
    for words in (["toml", "--check"], ["toml", "--check", site.url]):
        done = run(world, *words)
        assert (done.exit_code, done.output.strip()) == (
            0,
            f"{site.url} and the ledger agree with the configuration.",
        )


@pytest.mark.conforms("SEP1-28")
def test_each_difference_is_one_sentence(world: World, site: Site) -> None:
    at(world, site.domain)
    right = run(world, "toml").output
    known = tomllib.loads(right)
    key = Keypair.random().public_key
    site.page = (
        right.replace(known["SIGNING_KEY"], key)
        .replace('TRANSFER_SERVER_SEP0024 = "', 'OTHER = "')
        .replace("redeemed by", "as given by")
    )
    done = run(world, "toml", "--check")
    assert done.exit_code == 1
    for sentence in (
        f"{site.url}: SIGNING_KEY is {key}, and ought to be {known['SIGNING_KEY']}.",
        f"{site.url}: TRANSFER_SERVER_SEP0024 is missing.",
        f"{site.url}: OTHER is served, and the configuration does not have it.",
        f"{site.url}: CURRENCIES USDC:{world.policy.issuer}.desc is ",
        f"USDC: the home domain of the issuer is none, and ought to be {site.domain}.",
    ):
        assert sentence in done.output
    assert len(done.output.strip().splitlines()) == 5


@pytest.mark.parametrize(
    ("page", "status", "word"),
    [("x = = 1", 200, "is not TOML"), ("", 404, "cannot be read"), ("\xff" * 60_000, 200, "read")],
)
def test_what_is_no_such_file_is_told(
    world: World, site: Site, page: str, status: int, word: str
) -> None:
    at(world, site.domain)
    site.page, site.status = page, status
    done = run(world, "toml", "--check")
    assert done.exit_code == 1
    assert word in done.output


def test_accounts_that_are_not_on_the_ledger_are_told(world: World, site: Site) -> None:
    at(world, site.domain)
    lost = replace(
        world.policy, issuer=Keypair.random().public_key, distribution=Keypair.random().public_key
    )
    bare = replace(world.policy, code="EURC")
    house = world.app.extensions["anchor"]
    settings = replace(house.settings, assets={"USDC": lost, "EURC": bare})
    world.app.extensions["anchor"] = replace(house, settings=settings)
    site.page = run(world, "toml").output
    told = run(world, "toml", "--check").output
    assert f"USDC: the issuer {lost.issuer} does not exist" in told
    assert f"USDC: the account {lost.distribution} does not exist" in told
    assert f"EURC: the account {bare.distribution} has no trust line" in told
    world.sandbox.stop()
    assert "the ledger cannot be asked" in run(world, "toml", "--check").output


# -- the doctor ---------------------------------------------------------------------------


def findings(world: World) -> dict[str, Any]:
    found = json.loads(run(world, "doctor", "--json").output)
    return {each["name"]: each for each in found}


@pytest.mark.conforms("SEP45-42")
def test_the_doctor_looks_at_the_web_auth_contract(world: World) -> None:
    anchor = with_contracts(world)
    contract = anchor.settings.web_auth.contract_id or ""
    with anchor.app.app_context():
        found = findings(anchor)
        assert found["rpc"]["is_good"]
        assert found["web auth contract"]["is_good"], found
        anchor.sandbox.network.contracts.archived.add(contract)
        assert "archived" in findings(anchor)["web auth contract"]["sentence"]
        anchor.sandbox.network.contracts.archived.clear()
        anchor.sandbox.network.contracts.made_in[contract] = -2_000_000
        assert "extend its life" in findings(anchor)["web auth contract"]["sentence"]
    dispose()


@pytest.mark.conforms("SEP6-31")
def test_the_doctor_looks_whether_contract_accounts_can_be_paid(world: World) -> None:
    name = f"contract of {world.policy.code}"
    assert name not in findings(world), "without an RPC they are not served"
    anchor = with_contracts(world)
    contract = anchor.asset.contract_id(TESTNET_PASSPHRASE)
    with anchor.app.app_context():
        found = findings(anchor)[name]
        assert (found["is_good"], found["sentence"]) == (True, f"{contract} is there")
        anchor.sandbox.network.contracts.archived.add(contract)
        found = findings(anchor)[name]
        assert not found["is_good"]
        assert "deploy it" in found["sentence"]
    dispose()
    away = with_contracts(world, "http://127.0.0.1:1", fund=False)
    with away.app.app_context():
        assert not findings(away)[name]["is_good"]
    dispose()


@pytest.mark.conforms("SEP45-42", "SEP45-43")
def test_the_doctor_tells_an_rpc_of_another_network_or_none(world: World) -> None:
    anchor = with_contracts(world)
    with anchor.app.app_context():
        house = anchor.app.extensions["anchor"]
        settings = replace(anchor.settings, network_passphrase=TESTNET_PASSPHRASE + "!")
        anchor.app.extensions["anchor"] = replace(house, settings=settings)
        assert "another network" in findings(anchor)["rpc"]["sentence"]
    dispose()
    away = with_contracts(world, "http://127.0.0.1:1", fund=False)
    with away.app.app_context():
        found = findings(away)
        assert not found["rpc"]["is_good"]
        assert not found["web auth contract"]["is_good"]
    dispose()


@pytest.mark.conforms("SEP45-42")
def test_the_doctor_asks_for_the_account_of_the_signing_key(world: World) -> None:
    anchor = with_contracts(world, fund=False)
    with anchor.app.app_context():
        found = findings(anchor)["web auth contract"]
        assert "signing key does not exist" in found["sentence"]
        assert contract_logins.begin(anchor.settings.web_auth.contract_id or "", "localhost")
    dispose()
