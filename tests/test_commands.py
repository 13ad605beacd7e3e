"""The operator's commands: what they say, and what they exit with."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import text
from stellar_sdk import Keypair

from anchor import schema
from anchor.cli import group
from anchor.config.file import FileSchema
from anchor.extensions import db, transaction
from anchor.integrations.protocols import Outcome, RailTraits, Receipt, ReceiptPage
from anchor.policies import FlowPolicy
from anchor.policies.quotes import QuotePolicy
from anchor.services import networks
from tests.puppets import Puppet
from tests.receiving import Teller
from tests.world import World


def run(world: World, *words: str) -> Result:
    return world.app.test_cli_runner().invoke(group, list(words))


def test_the_starter_file_is_a_configuration_and_is_never_written_over(
    tmp_path: Path, world: World
) -> None:
    file = tmp_path / "anchor.toml"
    assert run(world, "init", str(file)).exit_code == 0
    assert FileSchema().validate(tomllib.loads(file.read_text())) == {}
    file.write_text("mine")
    again = run(world, "init", str(file))
    assert (again.exit_code, file.read_text()) == (1, "mine")
    assert "is there already; nothing was written." in again.output


def test_the_starter_file_cannot_be_written_into_a_folder_that_is_not_there(world: World) -> None:
    done = run(world, "init", "/no/such/folder/anchor.toml")
    assert done.exit_code == 1
    assert "cannot be written" in done.output


def test_the_doctor_is_content_with_a_healthy_anchor(world: World) -> None:
    with transaction():  # the tests' server trades it for speed
        name = db.engine.url.database
        db.session.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = on'))
    db.engine.dispose()
    done = run(world, "doctor", "--json")
    found = {each["name"]: each for each in json.loads(done.output)}
    assert done.exit_code == 0, done.output
    assert set(found) == {
        "database",
        "database clock",
        "broker",
        "signing key",
        "network",
        "ledger clock",
        "account of USDC",
        "custody local",
        "pages forms",
        "rail bank",
        "rates fixed",
        "price of USDC, BRL, deposit",
        "price of USDC, BRL, withdrawal",
    }


def test_the_doctor_names_each_thing_that_is_missing(world: World) -> None:
    policy = world.policy
    object.__setattr__(policy, "distribution", Keypair.random().public_key)
    object.__setattr__(world.settings, "broker_url", "redis://127.0.0.1:1/0")
    schema.downgrade(world.settings.database_url, "base")
    world.app.extensions["anchor"].rails["bank"]._url = "http://127.0.0.1:1"
    try:
        done = run(world, "doctor")
    finally:
        schema.upgrade(world.settings.database_url)  # the next test has the same database
    assert done.exit_code == 1
    lines = done.output.splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    for name in ("database ", "broker", "account of USDC", "rail bank"):
        assert any(name in line for line in failed), (name, done.output)
    assert "does not exist on the ledger" in done.output


@dataclass
class Mute(Puppet):
    """A rail that pays out and never tells that money came."""


@dataclass
class Lister(Mute):
    """It could list what came, and says so or not."""

    def receipts_since(self, cursor: str | None) -> ReceiptPage:
        raise AssertionError(cursor)


@dataclass
class Half(Mute):
    """It knows who sends an event, and reads none."""

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        raise AssertionError(headers)


@dataclass
class Listener(Half):
    """It reads events."""

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes
    ) -> Sequence[Receipt | tuple[str, Outcome]]:
        raise AssertionError(headers)


LISTS = RailTraits(lists_receipts=True)


@pytest.mark.parametrize(
    ("rail", "is_fine"),
    [
        (Mute("bank"), False),
        (Mute("bank", traits=LISTS), False),
        (Lister("bank"), False),
        (Lister("bank", traits=LISTS), True),
        (Half("bank"), False),
        (Listener("bank"), True),
        (Teller("bank"), True),
    ],
    ids=["mute", "only says so", "says nothing", "lists", "half", "listens", "polled"],
)
def test_the_doctor_names_a_rail_that_could_never_tell_of_a_deposit(
    world: World, rail: Puppet, is_fine: bool
) -> None:
    found = said_of_the_rail(world, rail)
    assert found["is_good"] is is_fine
    assert is_fine or "deposits of USDC are offered, and" in found["sentence"]


@pytest.mark.parametrize("is_exchanged", [False, True])
def test_a_rail_by_which_nobody_pays_in_need_not_tell_of_deposits(
    world: World, is_exchanged: bool
) -> None:
    object.__setattr__(world.policy, "deposit", FlowPolicy())
    if not is_exchanged:
        object.__setattr__(world.settings, "quotes", QuotePolicy())
    assert said_of_the_rail(world, Mute("bank"))["is_good"] is not is_exchanged


def said_of_the_rail(world: World, rail: Puppet) -> dict[str, Any]:
    world.app.extensions["anchor"].rails["bank"] = rail
    told = json.loads(run(world, "doctor", "--json").output)
    found: dict[str, Any] = next(each for each in told if each["name"] == "rail bank")
    return found


def test_the_status_tells_how_far_each_account_was_read(world: World) -> None:
    world.paid_withdrawal()
    found = json.loads(run(world, "status", "--json").output)
    assert [each["account"] for each in found["accounts"]] == [world.distribution]
    assert (found["jobs_due"], found["cases_open"]) == (1, 0)
    assert "jobs due: 1" in run(world, "status").output


def test_a_pass_from_the_command_line_does_the_work_and_says_how_much(world: World) -> None:
    row_id = world.paid_withdrawal()
    done = run(world, "execute-outgoing-transactions", "--json")
    assert done.exit_code == 0
    summary = {"service": "execute_outgoing_transactions", "done": 1, "postponed": 0, "parked": 0}
    assert json.loads(done.output) == summary | {"failed": False}
    assert world.status(row_id) == "completed"


def test_rewinding_reads_again_and_loses_nothing(world: World) -> None:
    row_id = world.paid_withdrawal()
    newest = world.sandbox.network.core.sequence
    done = run(world, "rewind", world.distribution, "--from-ledger", str(newest - 1))
    assert done.exit_code == 0, done.output
    world.read()
    assert world.verdicts() == ["credited"]
    assert world.events(row_id).count("funds_received") == 1


def test_rewinding_what_is_not_watched_is_refused(world: World) -> None:
    done = run(world, "rewind", Keypair.random().public_key, "--from-ledger", "2")
    assert done.exit_code == 1
    assert "is not watched" in done.output


def test_a_network_that_was_reset_is_adopted_by_hand_alone(world: World) -> None:
    before = networks.current()
    assert before is not None
    assert run(world, "adopt-network").exit_code == 1
    done = run(world, "adopt-network", "--yes")
    assert done.exit_code == 0, done.output
    after = networks.current()
    assert after is not None
    assert after.id != before.id
    assert networks.watched() == []


def test_the_rails_are_listed_with_their_package(world: World) -> None:
    done = run(world, "rails")
    assert "bank" in done.output
    assert "stellar-anchor" in done.output


@pytest.mark.parametrize(
    "words",
    [
        ["watch-transactions", "--use-dramatiq"],
        ["execute-outgoing-transactions", "--interval", "0"],
        ["rewind"],
        ["nonsense"],
    ],
)
def test_wrong_usage_is_said_with_status_2(words: list[str], world: World) -> None:
    assert run(world, *words).exit_code == 2
