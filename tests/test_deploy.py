"""The files under deploy/: their commands are there, and each process gets what it needs."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from anchor.blueprints import customer_form, forms
from anchor.cli import group
from anchor.composition import MAX_BODY_BYTES
from tests.test_docs import text_of
from tests.world import World

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
_BIN = "/opt/anchor/bin"
_KEYS = "EnvironmentFile=/etc/anchor/keys.env"


def section(path: Path) -> dict[str, str]:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.read_string(text_of(path))
    return dict(parser["Service"])


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: str(path.stem))
def test_the_command_of_a_unit_is_there(path: Path) -> None:
    program, *words = section(path)["execstart"].split()
    assert program.startswith(f"{_BIN}/")
    found = Path(sys.executable).parent / Path(program).name
    said = subprocess.run([found, "--help"], capture_output=True, text=True, check=False)
    known = said.stdout
    if found.name == "flask":
        command = group.commands[words[1]]
        known = " ".join(each for option in command.params for each in option.opts)
    for word in words:
        assert not word.startswith("--") or word in known, word


def test_who_does_not_sign_gets_no_key_that_moves_money_and_is_another_user() -> None:
    silent = {"anchor-web", "anchor-scheduler"}
    assert {path.stem for path in SERVICES if _KEYS not in text_of(path)} == silent
    for path in SERVICES:
        assert section(path)["user"] == ("anchor-web" if path.stem in silent else "anchor")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS:
        text = text_of(path).replace(_BIN, str(Path(sys.executable).parent))
        (tmp_path / path.name).write_text(text)
    argv = ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_proxy_lets_through_what_the_doors_take(world: World) -> None:
    text = text_of(DEPLOY / "nginx.conf")
    [(places, size)] = re.findall(r"location ~ (\S+) \{\n\s+client_max_body_size (\d+)m;", text)
    for rule in world.app.url_map.iter_rules():
        takes_files = rule.endpoint.startswith(("sep12.", "interactive."))
        if takes_files or rule.rule.endswith("/interactive"):
            assert re.search(places, rule.rule), rule.rule
    assert int(size) * 1024 * 1024 >= max(forms._CUSTOMER_BODY_BYTES, customer_form.MAX_BODY_BYTES)
    assert re.search(r"^    client_max_body_size 1m;", text, re.MULTILINE)
    assert MAX_BODY_BYTES <= 1024 * 1024
    assert world.app.test_client().get("/ready").status_code in {200, 503}


def test_the_script_of_operators_is_one_that_a_shell_takes() -> None:
    script = DEPLOY / "anchor"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0


def test_the_page_of_deploying_names_each_file() -> None:
    page = text_of(ROOT / "docs" / "how-to" / "deploy.md")
    for path in UNITS:
        assert f"`{path.stem}`" in page or f"`{path.name}`" in page, path.name
