"""What the pages say is there: commands, options, settings, links, code."""

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import SkipTest

import click
import pytest

from anchor.cli import group
from anchor.config.file import FileSchema

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_COMMAND = re.compile(r"flask (?:--app \S+ )?anchor ([a-z][a-z-]*)((?: +(?:--[a-z-]+|-[a-z]))*)")
#: Code behind this mark is run on a live anchor, by tests/processes/test_tutorial.py.
LIVE = "<!-- needs: a running anchor -->\n"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(language: str) -> list[tuple[Path, str]]:
    return [
        (page, body)
        for page in PAGES
        for found, body in _BLOCK.findall(text_of(page).replace(f"{LIVE}```python", "```live"))
        if found == language
    ]


def test_each_command_that_the_pages_name_is_there_with_its_options() -> None:
    seen = set()
    for page in PAGES:
        for name, options in _COMMAND.findall(text_of(page)):
            command = group.commands.get(name)
            assert command is not None, (page, name)
            seen.add(name)
            known = {opt for each in command.params for opt in (*each.opts, *each.secondary_opts)}
            assert set(options.split()) <= known | {"--help"}, (page, name)
    assert "doctor" in seen


def test_each_command_is_on_the_page_of_commands_and_has_a_help_text() -> None:
    page = text_of(ROOT / "docs" / "reference" / "commands.md")
    for name, command in group.commands.items():
        assert f"`{name}" in page, name
        assert command.help, name
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (name, option.name)


def test_each_setting_of_the_file_is_on_the_page_of_the_configuration() -> None:
    page = text_of(ROOT / "docs" / "reference" / "configuration.md")
    for name, field in FileSchema().fields.items():
        assert f"[{name}" in page, name
        nested = getattr(field, "schema", None)
        for key in nested.fields if nested else ():
            assert f"`{key}`" in page, (name, key)


@pytest.mark.parametrize("page", sorted({page for page, _ in blocks("python")}))
def test_the_python_of_a_page_runs(page: Path) -> None:
    names: dict[str, object] = {"__name__": "page"}
    sys.modules["page"] = type(sys)("page")
    for found, body in blocks("python"):
        if found == page:
            exec(compile(body, str(page), "exec"), names)
    for name, found in names.items():
        if name.startswith("Test"):
            run_tests_of(found)


def run_tests_of(kind: Any) -> None:
    """Run the tests of a class as pytest does."""
    for name in dir(kind):
        if name.startswith("test_"):
            with suppress(SkipTest):
                getattr(kind(), name)()


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text_of(page)):
            assert (page.parent / target).exists(), (page, target)


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    argv = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "docs", str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
