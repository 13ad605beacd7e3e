"""Secrets that move money: sealed at rest, opened while one signs, and only where one signs."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anchor import config
from anchor.assets import is_secret_key
from anchor.cli import group
from anchor.config.environment import DISTRIBUTION_PREFIX, NAMES, PREFIXES
from anchor.errors import Rejected
from anchor.integrations import registry
from anchor.ledger.keys import account_of, channel_keys
from anchor.sealed_keys import is_sealed, opened, seal
from anchor.services import channels
from anchor.services.remittance_orders import HOUSE, Wanted, demand_payable
from anchor.starter import STARTER
from tests.test_config import GOOD, ISSUER, SEED, environ, problems
from tests.world import World

PASSPHRASE = "correct horse battery staple"
DISTRIBUTION = f"{DISTRIBUTION_PREFIX}USDC"
PAYS = f'{GOOD}\n[assets.USDC.deposit]\nmin_amount = "1"\nmax_amount = "100"\n'


def run(*words: str, **options: str) -> Result:
    env = {"ANCHOR_KEYS_PASSPHRASE": options.pop("passphrase", None)}
    return CliRunner().invoke(group, ["keys", *words], env=env, **options)


def test_what_is_sealed_is_opened_by_its_passphrase_and_by_no_other() -> None:
    sealed = seal(SEED, PASSPHRASE)
    assert is_sealed(sealed)
    assert SEED not in sealed
    assert sealed != seal(SEED, PASSPHRASE)
    assert opened(sealed, PASSPHRASE) == SEED
    assert opened(SEED, "") == SEED
    for text, passphrase in [
        (sealed, "another passphrase"),
        (sealed, ""),
        (sealed[:-4], PASSPHRASE),
        ("sealed1:", PASSPHRASE),
        ("sealed1:ß", PASSPHRASE),
    ]:
        with pytest.raises(ValueError, match="does not open it") as caught:
            opened(text, passphrase)
        assert text.removeprefix("sealed1:") in {"", "ß"} or text not in str(caught.value)


def test_promise_14_a_passphrase_that_opens_nothing_stops_the_start(tmp_path: Path) -> None:
    sealed = {DISTRIBUTION: seal(SEED, PASSPHRASE), "ANCHOR_CHANNEL_SECRET": seal("x", PASSPHRASE)}
    for wrong in ({}, {"ANCHOR_KEYS_PASSPHRASE": "another passphrase"}):
        said = problems(tmp_path, PAYS, **sealed, **wrong)
        assert f"{DISTRIBUTION} is sealed" in said
        assert "ANCHOR_CHANNEL_SECRET is sealed" in said
    said = problems(tmp_path, PAYS, **sealed, ANCHOR_KEYS_PASSPHRASE=PASSPHRASE)
    assert said == "ANCHOR_CHANNEL_SECRET needs 32 bytes or more."


def test_the_settings_keep_what_is_sealed_as_it_is_and_custody_signs_with_it(
    tmp_path: Path,
) -> None:
    sealed = seal(SEED, PASSPHRASE)
    more = {DISTRIBUTION: sealed, "ANCHOR_KEYS_PASSPHRASE": PASSPHRASE}
    found = config.load(environ(tmp_path, PAYS, **more))
    assert found.distribution_secrets == {"USDC": sealed}
    assert PASSPHRASE not in repr(found)
    assert PASSPHRASE not in repr(found.keys)
    custody = registry.load_custody(["local"], {}, found.keys)["local"]
    assert custody.check() == f"signs for 1 accounts, by another key for {ISSUER}"
    assert SEED not in repr(vars(custody))


def test_a_sealed_channel_secret_has_the_same_channels(world: World) -> None:
    clear = world.settings.channel_secret
    house = world.app.extensions["anchor"]
    sealed = config.Secret(seal(clear, PASSPHRASE))
    changed = replace(
        world.settings, channel_secret=sealed, keys_passphrase=config.Secret(PASSPHRASE)
    )
    world.app.extensions["anchor"] = replace(house, settings=changed)
    assert channels.keys_of(3) == channel_keys(clear, 3)
    world.app.extensions["anchor"] = house


def test_promise_15_who_does_not_sign_gets_nothing_that_moves_money(tmp_path: Path) -> None:
    values = environ(
        tmp_path,
        PAYS,
        ANCHOR_CHANNEL_SECRET="x" * 32,
        ANCHOR_KEYS_PASSPHRASE_FILE="/not/for/the/web",
        **{f"{DISTRIBUTION}_FILE": "/not/for/the/web"},
    )
    found = config.load(values, signs=False)
    assert (found.distribution_secrets, dict(found.keys)) == ({}, {})
    assert (found.channel_secret, found.keys_passphrase, found.signs) == ("", "", False)
    assert f"{DISTRIBUTION} is not set" in problems(tmp_path, PAYS)


def test_only_who_signs_can_tell_that_a_remittance_has_no_key(world: World) -> None:
    house, wanted = world.app.extensions["anchor"], Wanted("receiver.example", 1, HOUSE, {})
    keyless = replace(world.settings, distribution_secrets={})
    world.app.extensions["anchor"] = replace(house, settings=keyless)
    with pytest.raises(Rejected, match="there is no key of its account"):
        demand_payable(world.policy, wanted)
    world.app.extensions["anchor"] = replace(house, settings=replace(keyless, signs=False))
    demand_payable(world.policy, wanted)
    world.app.extensions["anchor"] = house


def test_new_secrets_are_written_once_and_for_their_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = run("new", "--asset", "USDC")
    assert said.exit_code == 0, said.output
    made = {}
    for name in ("anchor.env", "keys.env"):
        file = tmp_path / name
        assert file.stat().st_mode & 0o777 == 0o600
        made |= dict(re.findall(r"^(ANCHOR_\w+)=(.*)$", file.read_text(), re.MULTILINE))
    assert account_of(made[DISTRIBUTION]) in said.output
    assert account_of(made["ANCHOR_SIGNING_SECRET"]) in said.output
    given = made | {"ANCHOR_DATABASE_URL": "postgresql://u:p@localhost/x"}
    config.load(environ(tmp_path, PAYS) | given)
    again = run("new")
    assert (again.exit_code, "nothing was written" in again.output) == (1, True)


def test_new_secrets_that_move_money_are_sealed_where_there_is_a_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("new", "--asset", "USDC", passphrase="too short").exit_code == 1
    assert list(tmp_path.iterdir()) == []
    assert run("new", "--asset", "USDC", passphrase=PASSPHRASE).exit_code == 0
    made = dict(re.findall(r"^(ANCHOR_\w+)=(.*)$", (tmp_path / "keys.env").read_text(), re.M))
    assert all(is_sealed(each) for each in made.values())
    assert is_secret_key(opened(made[DISTRIBUTION], PASSPHRASE))


def test_a_secret_is_sealed_from_a_file_or_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "seed").write_text(f"{SEED}\n")
    for done in (
        run("seal", str(tmp_path / "seed"), passphrase=PASSPHRASE),
        run("seal", input=SEED, passphrase=PASSPHRASE),
    ):
        assert opened(done.output.strip(), PASSPHRASE) == SEED
    assert "is not set" in run("seal", input=SEED).output
    assert "no secret to seal" in run("seal", input=" ", passphrase=PASSPHRASE).output


def test_the_starter_file_names_each_setting_of_the_environment() -> None:
    shown = STARTER.partition("[anchor]")[0]
    for name in (*NAMES, *(f"{prefix}<CODE>" for prefix in PREFIXES)):
        assert re.search(rf"{re.escape(name)}\b|{re.escape(name)} ", shown), name


def test_the_page_of_the_configuration_names_each_setting_of_the_environment() -> None:
    page = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"
    for name in (*NAMES, *(f"{prefix}<CODE>" for prefix in PREFIXES)):
        assert f"`{name}`" in page.read_text(encoding="utf-8"), name
