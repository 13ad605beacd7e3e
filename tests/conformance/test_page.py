"""The page of conformance is what the tests say, and no test cites what is not stated."""

from scripts import make_conformance as maker


def test_every_number_that_a_test_carries_is_a_statement() -> None:
    known, strict = maker.statements()
    assert maker.problems(known, strict, maker.marked(), is_strict=False) == []
    assert set(strict) <= {each.group for each in known.values()}


def test_an_unknown_number_and_an_open_statement_are_told() -> None:
    known = {"GEN-01": maker.Statement("GEN-01", "M", "a thing", "1.1")}
    tests = {"GEN-99": ["tests/test_x.py::test_y"]}
    said = maker.problems(known, ["GEN"], tests, is_strict=True)
    assert len(said) == 2
    assert "GEN-99" in said[0]
    assert "GEN-01" in said[1]
    assert maker.problems(known, [], {}, is_strict=True) == []


def test_the_page_says_what_holds_a_statement_and_why_one_is_not_met() -> None:
    known = {
        "GEN-01": maker.Statement("GEN-01", "M", "a `<b>` and <c>", "1.1"),
        "GEN-02": maker.Statement("GEN-02", "S", "another", "1.1", "it comes later"),
        "5.2/id": maker.Statement("5.2/id", "M", "a field", "5.2"),
    }
    page = maker.page(known, {"GEN-01": ["tests/test_x.py::test_y"]})
    assert "| What all have in common | 2 | 1 | 1 | 0 |" in page
    assert "| SEP-12: customers | 1 | 0 | 0 | 1 |" in page
    assert "| GEN-01 | M | a `<b>` and &lt;c> | `test_x.py::test_y` |" in page
    assert "not met: it comes later" in page
