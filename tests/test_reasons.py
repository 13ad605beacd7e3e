"""Each reason that a service opens a case with is explained, and nothing else is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import anchor
from anchor.lifecycle import Event
from anchor.matching import FOR_THE_DESK
from anchor.reasons import Reason
from tests.test_commands import run
from tests.world import World

SERVICES = [
    ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((Path(anchor.__file__).parent / "services").glob("*.py"))
]
#: What stands between braces in a name that is put together, by how it is written.
PARTS = {
    "judgement.verdict": [verdict.value for verdict in FOR_THE_DESK],
    "outflow.kind": ["payout", "refund"],
    "what": ["deposit", "remittance"],
}
#: What a rail may say of a payout that it does not make.
NEGATIVE = [Event.PAYOUT_REFUSED, Event.PAYOUT_NEEDS_INFO, Event.PAYOUT_RETURNED, Event.HELD]


def given() -> set[str]:
    """Return every reason in the sources of services, wherever it is written."""
    return {name for tree in SERVICES for node in ast.walk(tree) for name in _of(tree, node)}


def _of(tree: ast.Module, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and _name(node.func) == "open_case":
        yield from _values(tree, node.args[0])
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "reason":
                yield from _values(tree, value)


def _values(tree: ast.Module, node: ast.expr) -> Iterator[str]:
    """Yield what an expression may be; one that cannot be told fails."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from [*_values(tree, node.body), *_values(tree, node.orelse)]
    elif isinstance(node, ast.JoinedStr):
        yield from _joined(node)
    elif ast.unparse(node) == "event.value":
        yield from NEGATIVE
    elif isinstance(node, ast.Name):
        yield from _named(tree, node.id)
    else:
        raise AssertionError(f"which reasons is {ast.unparse(node)}?")


def _joined(node: ast.JoinedStr) -> Iterator[str]:
    found = [""]
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            choices = PARTS[ast.unparse(part.value)]
        else:
            assert isinstance(part, ast.Constant)
            choices = [str(part.value)]
        found = [f"{head}{choice}" for head in found for choice in choices]
    yield from found


def _named(tree: ast.Module, name: str) -> Iterator[str]:
    """Yield what a name may be: a constant of the module, an argument, a row of `_TOLD`."""
    if name == "_PARTLY":
        yield from _constant(tree, name)
        return
    assert name == "reason", name
    takers = [
        (each.name, [arg.arg for arg in each.args.args].index("reason"))
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef)
        and each.name not in {"open_case", "hold", "refuse"}
        and "reason" in [arg.arg for arg in each.args.args]
        and any(list(_opens(node)) for node in ast.walk(each))
    ]
    told = [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    rows = [node.value for node in told if ast.unparse(node.target) == "_TOLD"]
    assert takers or rows or "open_cases" in ast.unparse(tree), name
    for table in rows:
        assert isinstance(table, ast.Dict)
        for row in table.values:
            assert isinstance(row, ast.Tuple)
            yield from _values(tree, row.elts[0])
    for taker, place in takers:
        yield from _passed(tree, taker, place)


def _opens(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and _name(node.func) == "open_case":
        if ast.unparse(node.args[0]) == "reason":
            yield node.args[0]
    elif isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        yield from (v for k, v in pairs if k and ast.unparse(k) == "'reason'")


def _passed(own: ast.Module, taker: str, place: int) -> Iterator[str]:
    """Yield what is handed to a function: one of its module, or one that others know by name."""
    for tree in [own] if taker.startswith("_") else SERVICES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) == taker:
                yield from _values(tree, node.args[place])


def _constant(tree: ast.Module, name: str) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            yield from _values(tree, node.value)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)


def test_every_reason_that_a_service_opens_a_case_with_is_explained() -> None:
    found = given()
    assert found - set(Reason) == set()
    assert {reason.value for reason in Reason} - found == set()


@pytest.mark.parametrize("reason", Reason)
def test_an_explanation_is_a_sentence_and_what_a_person_does(reason: Reason) -> None:
    assert reason.means[0].isupper()
    assert reason.means.endswith(".")
    assert reason.answer
    assert "|" not in reason.means + reason.answer


def test_a_case_is_shown_with_what_its_reason_means(world: World) -> None:
    world.pay("10", "id:5")
    world.read()
    assert world.cases() == ["payment_unmatched"]
    said = run(world, "cases", "1").output
    assert Reason.PAYMENT_UNMATCHED.means in said
    assert Reason.PAYMENT_UNMATCHED.answer in said
