"""Habits that a machine can hold: owners, contracts, pages that are made from the code."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "anchor"
SOURCES = [
    (path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(PACKAGE.rglob("*.py"))
]
NETWORK = PACKAGE / "sandbox"


def outside(*owners: str) -> Iterator[tuple[Path, set[str]]]:
    """Yield each module but the owners', and those of the network, with its attributes' names."""
    for path, tree in SOURCES:
        if path.relative_to(PACKAGE).as_posix() not in owners and NETWORK not in path.parents:
            yield path, {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}


def test_nobody_commits_but_the_transaction_manager() -> None:
    for path, names in outside("extensions.py"):
        assert not names & {"commit", "rollback"}, path


def test_nobody_assigns_a_status_of_a_transaction() -> None:
    for path, tree in SOURCES:
        assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
        names = {t.attr for node in assigned for t in node.targets if isinstance(t, ast.Attribute)}
        assert "status" not in names or NETWORK in path.parents, path


def test_only_the_settings_read_the_environment() -> None:
    for path, names in outside("config/__init__.py"):
        assert not names & {"environ", "getenv"}, path


def test_money_is_never_a_float() -> None:
    money = ("money.py", "assets.py", "matching.py", "pricing.py")
    for path, tree in SOURCES:
        name = path.relative_to(PACKAGE).as_posix()
        if name in money or name.startswith(
            (
                "services/",
                "serializers/",
                "ledger/",
                "integrations/",
                "models/",
                "customers/",
                "lifecycle/",
            )
        ):
            for node in ast.walk(tree):
                assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path
                assert not (
                    isinstance(node, ast.Call) and getattr(node.func, "id", "") == "float"
                ), path


def test_every_module_and_public_function_says_what_it_promises() -> None:
    for path, tree in SOURCES:
        assert ast.get_docstring(tree) or not tree.body, path
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), (path, node.name)


def test_functions_fit_on_a_screen_and_files_hold_one_concept() -> None:
    for path, tree in SOURCES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 450, path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, (path, node.name)


SERVICES = {path.stem: tree for path, tree in SOURCES if path.parent == PACKAGE / "services"}


def test_every_service_has_its_place_on_the_map() -> None:
    told = ast.get_docstring(SERVICES["__init__"]) or ""
    lines = [line for line in told.splitlines() if line.startswith("    ")]
    assert sorted(" ".join(lines).replace(",", " ").split()) == sorted(
        SERVICES.keys() - {"__init__"}
    )


def test_services_import_each_other_in_one_direction() -> None:
    imported = {name: set(_services_in(tree)) for name, tree in SERVICES.items()}
    TopologicalSorter(imported).prepare()  # raises CycleError, which shows the way round


def _services_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "anchor.services":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "anchor.services."
        ):
            yield (node.module or "").split(".")[2]


@pytest.mark.parametrize("script", ["make_state_diagram.py", "make_reasons.py"])
def test_what_is_made_from_the_code_is_not_stale(script: str) -> None:
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / script), "--check"], check=False)
    assert done.returncode == 0


def test_importing_the_actors_is_silent_and_needs_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import anchor.actors"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "argv",
    [
        ["flask", "--app", "anchor:create_app()", "anchor", "status"],
        ["dramatiq", "anchor.actors", "-p", "1"],
        ["periodiq", "anchor.actors"],
    ],
)
def test_a_broken_configuration_ends_each_command_with_its_sentences(
    argv: list[str], tmp_path: Path
) -> None:
    (tmp_path / "anchor.toml").write_text("[nonsense]\n")
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        [str(scripts / argv[0]), *argv[1:]],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "nonsense is not a setting that the anchor knows." in said
    assert "Traceback" not in said


#: In a process of its own: whoever imports the actors has jobs ring through a broker from then on.
_ACTORS = """
from anchor.actors.jobs import ACTORS
from anchor.services import jobs, passes
assert set(jobs.kinds()) == set(ACTORS)
assert set(jobs.kinds()) == {each for service in passes.SERVICES.values() for each in service.kinds}
"""


def test_every_kind_of_job_has_an_actor_that_does_it() -> None:
    subprocess.run([sys.executable, "-c", _ACTORS], check=True, cwd=ROOT)
