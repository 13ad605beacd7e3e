"""Operators: read from the environment or a file, made by a command, on record with each act."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from anchor import config
from anchor.config import Settings
from anchor.errors import Unauthorized
from anchor.extensions import db, transaction
from anchor.models import Act
from anchor.policies.operators import Operator, Role, hash_of
from anchor.web_auth import operators as web_auth
from tests.remitting import Pair
from tests.test_commands import run
from tests.test_config import environ, problems
from tests.world import World

HASH = hash_of("a token")


def loaded(folder: Path, text: str) -> Settings:
    return config.load(environ(folder, ANCHOR_OPERATORS=text))


def test_operators_are_lines_of_a_name_a_role_and_a_hash(tmp_path: Path) -> None:
    file = tmp_path / "operators"
    file.write_text(f"# who may\n\nada act {HASH}\n  vera@desk.example  view  {hash_of('other')}\n")
    found = config.load(environ(tmp_path, ANCHOR_OPERATORS_FILE=str(file))).operators
    assert found["ada"] == Operator("ada", Role.ACT, HASH)
    assert [each.may_act for each in found.values()] == [True, False]


def test_promise_14_without_a_line_nobody_is_an_operator(tmp_path: Path) -> None:
    assert config.load(environ(tmp_path)).operators == {}
    assert loaded(tmp_path, "# nobody yet").operators == {}
    with pytest.raises(Unauthorized):
        web_auth.recognise([], "")


@pytest.mark.parametrize(
    "line",
    [
        "ada",
        "ada act",
        f"ada admin {HASH}",
        f"ada act {HASH.upper()}",
        f"ada act {HASH[1:]}",
        f"ada act {HASH} more",
        f"-ada act {HASH}",
        f"a da act {HASH}",
        f"{'a' * 65} act {HASH}",
        f"ada act anchor-operator-{'x' * 43}",
    ],
)
def test_promise_15_a_line_that_is_none_stops_the_start_and_is_not_repeated(
    tmp_path: Path, line: str
) -> None:
    said = problems(tmp_path, ANCHOR_OPERATORS=f"vera view {hash_of('x')}\n{line}")
    assert "ANCHOR_OPERATORS, line 2, is not a name" in said
    assert line not in said
    assert HASH[1:].lower() not in said.lower()


@pytest.mark.parametrize("second", [f"ada view {hash_of('other')}", f"eve view {HASH}"])
def test_a_name_or_a_token_twice_stops_the_start(tmp_path: Path, second: str) -> None:
    said = problems(tmp_path, ANCHOR_OPERATORS=f"ada act {HASH}\n{second}")
    assert said == "ANCHOR_OPERATORS, line 2, has a name or a token twice."


def test_a_new_operator_gets_a_token_of_256_bits_and_a_line(world: World, tmp_path: Path) -> None:
    done = run(world, "operators", "new", "ada", "--role", "act")
    assert done.exit_code == 0
    token, line = done.stdout.splitlines()
    assert len(token.removeprefix("anchor-operator-")) == 43, "32 bytes in base 64"
    assert web_auth.recognise(loaded(tmp_path, line).operators.values(), token).name == "ada"
    assert token not in line
    assert run(world, "operators", "new", "vera").stdout.split()[-2] == "view"
    assert run(world, "operators", "new", "a b").exit_code == 2
    assert run(world, "operators", "list").stdout == "act   ada\nview  vera\n"


def test_the_command_line_acts_on_callbacks_in_a_name_too(world: World) -> None:
    words = ("callbacks", "replay", "--since", "2026-01-01", "--by", "ada", "--note", "they asked")
    assert run(world, *words).exit_code == 0
    with transaction():
        [act] = db.session.scalars(select(Act))
    assert (act.who, act.note) == ("ada", "they asked")
    assert act.what == "replay callbacks since 2026-01-01T00:00:00+00:00"


def test_the_command_line_lists_what_is_sent_in_pages(pair: Pair) -> None:
    ids = [pair.begin(amount, rail="bank") for amount in ("1", "2", "3")]

    def listed(*words: str) -> list[str]:
        done = run(pair.ours, "sends", "--json", *words)
        return [each["id"] for each in json.loads(done.stdout)]

    assert listed("--limit", "2") == [ids[2], ids[1]]
    assert listed("--after", ids[1], "--to", pair.domain) == [ids[0]]
    assert listed("--resting") == listed("--to", "other.example") == []
    assert f"--after {ids[1]}" in run(pair.ours, "sends", "--limit", "2").output
    assert run(pair.ours, "sends", "--after", "none").exit_code == 1
