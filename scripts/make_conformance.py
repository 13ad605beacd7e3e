"""Writes docs/conformance.md: which statement of the SEP texts is held by which test.

It reads `@pytest.mark.conforms("SEP12-44", …)` out of the tests without running them, and
`tests/conformance/statements.toml`, which says what each number states, and why one is not met. A
number that is not there is an error. With `--check` nothing is written, and the exit status is 1
where the page is stale. With `--strict` a statement that is wanted (M, S, D or V) and has neither
test nor reason is an error too.
"""

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "conformance.md"
STATEMENTS = ROOT / "tests" / "conformance" / "statements.toml"
MARKER = "conforms"
WANTED = frozenset("MSDV")
_TITLES = {
    "GEN": "What all have in common",
    "CB": "Signed callbacks",
    "ST": "Moves from status to status",
    "SEP1": "SEP-1: stellar.toml",
    "SEP2": "SEP-2: federation",
    "SEP6": "SEP-6: deposits and withdrawals",
    "SEP9": "SEP-9: fields of customers",
    "SEP10": "SEP-10: web authentication",
    "SEP12": "SEP-12: customers",
    "SEP23": "SEP-23: addresses",
    "SEP24": "SEP-24: hosted deposits and withdrawals",
    "SEP31": "SEP-31: payments between anchors",
    "SEP38": "SEP-38: quotes",
    "SEP45": "SEP-45: web authentication of contracts",
    "CAP27": "CAP-27: muxed accounts",
    "CAP67": "CAP-67: events of all movements",
    "CAP71": "CAP-71: credentials bound to an address",
    "V": "What the validator wants besides",
    "E": "Where the texts contradict themselves",
}
#: Rows of tables are cited by their section, which belongs to a text.
_SECTIONS = {
    "1": "GEN",
    "2": "SEP1",
    "3": "SEP10",
    "4": "SEP45",
    "5": "SEP12",
    "7": "SEP6",
    "8": "SEP24",
    "9": "SEP31",
    "10": "SEP38",
    "16": "SEP9",
}
_INTRODUCTION = """\
# Conformance

Made by `scripts/make_conformance.py` from the tests. Numbers are those of our own list of what the
texts of the SEPs say; a test that carries a number fails where the statement does not hold. Tags:
**M** must, **S** should, **D** follows from the text, **V** wanted by the validator of the
Stellar Development Foundation, **O** optional, **X** deprecated, **C** the client's
duty, **!** unclear in the text. A number such as `7.3/*` is a whole table of fields, whose rows its
test goes over by name.
"""


@dataclass(frozen=True)
class Statement:
    """What one number says; `reason` is why it is not met, or not by a test.

    A whole table of fields is one number, such as ``7.3/*``, with the names of its rows in `rows`.
    """

    number: str
    tag: str
    text: str
    section: str
    reason: str = ""
    rows: list[str] = field(default_factory=list)

    @property
    def group(self) -> str:
        """The text it is of, such as ``SEP12``."""
        head, slash, _ = self.number.partition("/")
        return _SECTIONS.get(head.partition(".")[0], head) if slash else head.partition("-")[0]

    @property
    def is_wanted(self) -> bool:
        """Tell whether it binds a server."""
        return bool(WANTED & set(self.tag))


def statements() -> dict[str, Statement]:
    """Return all statements."""
    data = tomllib.loads(STATEMENTS.read_text(encoding="utf-8"))
    return {key: Statement(key, **table) for key, table in data["statements"].items()}


def rows(number: str) -> list[str]:
    """Return the names of the rows of a table of fields, for the test that goes over them."""
    return statements()[number].rows


def marked() -> dict[str, list[str]]:
    """Return the tests by the number that they carry, as ``tests/file.py::test``."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name, number in _marks(tree):
            found[number].add(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return {number: sorted(tests) for number, tests in found.items()}


def _marks(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for call in node.decorator_list:
                yield from ((node.name, number) for number in _numbers(call))
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            calls = node.value.elts if isinstance(node.value, ast.List) else [node.value]
            for call in calls:
                yield from (("*", number) for number in _numbers(call))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.param":
            for keyword in node.keywords:
                if keyword.arg == "marks":
                    yield from (("*", number) for number in _numbers(keyword.value))


def _numbers(call: ast.expr) -> Iterator[str]:
    if isinstance(call, ast.Call) and ast.unparse(call.func) == f"pytest.mark.{MARKER}":
        for argument in call.args:
            spread = argument.value if isinstance(argument, ast.Starred) else None
            for each in spread.elts if isinstance(spread, ast.Tuple) else [argument]:
                if isinstance(each, ast.Constant):
                    yield str(each.value)


def page(known: dict[str, Statement], tests: dict[str, list[str]]) -> str:
    """Return the page: counts first, then a table for each text."""
    groups: dict[str, list[Statement]] = defaultdict(list)
    for statement in known.values():
        groups[statement.group].append(statement)
    lines = [
        _INTRODUCTION,
        "| text | must or should | held by a test | not met, for a reason | open |",
        "| --- | --- | --- | --- | --- |",
    ]
    for group, members in groups.items():
        wanted = [each for each in members if each.is_wanted]
        held = sum(each.number in tests for each in wanted)
        excused = sum(each.number not in tests and bool(each.reason) for each in wanted)
        rest = len(wanted) - held - excused
        title = _TITLES.get(group, group)
        lines.append(f"| {title} | {len(wanted)} | {held} | {excused} | {rest} |")
    for group, members in groups.items():
        lines += ["", f"## {_TITLES.get(group, group)}", "", "| | | what | held by |"]
        lines.append("| --- | --- | --- | --- |")
        lines += [_row(each, tests.get(each.number, [])) for each in members]
    return "\n".join(lines) + "\n"


def _row(statement: Statement, tests: list[str]) -> str:
    names = [f"`{test.removeprefix('tests/')}`" for test in tests]
    if statement.reason:
        names.append(statement.reason if tests else f"not met: {statement.reason}")
    said = "<br>".join(names) or "-"
    text = statement.text.replace("|", "\\|").replace("<", "&lt;")
    if statement.rows:
        text += ": " + ", ".join(f"`{name}`" for name in statement.rows)
    return f"| {statement.number} | {statement.tag} | {_code(text)} | {said} |"


def _code(text: str) -> str:
    """Undo the escape inside of code, where Markdown shows it as it is."""
    parts = text.split("`")
    parts[1::2] = [part.replace("&lt;", "<") for part in parts[1::2]]
    return "`".join(parts)


def problems(
    known: dict[str, Statement], tests: dict[str, list[str]], *, is_strict: bool
) -> list[str]:
    """Return what is wrong, as sentences."""
    found = [
        f"{number} of {', '.join(names)} is not in {STATEMENTS.relative_to(ROOT)}"
        for number, names in sorted(tests.items())
        if number not in known
    ]
    for each in known.values() if is_strict else ():
        if each.is_wanted and not (each.reason or each.number in tests):
            found.append(f"{each.number} ({each.tag}) has neither a test nor a reason: {each.text}")
    return found


def main() -> int:
    """Write the page, or check it."""
    known, tests = statements(), marked()
    wrong = problems(known, tests, is_strict="--strict" in sys.argv[1:])
    made = page(known, tests)
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
            wrong.append(f"{PAGE} is stale: run scripts/make_conformance.py")
    else:
        PAGE.write_text(made, encoding="utf-8")
    for sentence in wrong:
        print(sentence)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
