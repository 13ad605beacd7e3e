"""The page of conformance is what the tests say, and no test cites what is not stated."""

from scripts import make_conformance as maker


def test_every_number_that_a_test_carries_is_a_statement() -> None:
    assert maker.problems(maker.statements(), maker.marked(), is_strict=False) == []


def test_every_statement_that_is_wanted_has_a_test_or_a_reason() -> None:
    assert maker.problems(maker.statements(), maker.marked(), is_strict=True) == []


def test_a_table_of_fields_is_held_by_a_test_or_has_a_reason_row_by_row() -> None:
    """A row that is not met has a number and a reason of its own, and is not among the others."""
    known = maker.statements()
    for each in known.values():
        assert len(set(each.rows)) == len(each.rows), each.number
        section = each.number.removesuffix("*")
        apart = [number for number in known if number.startswith(section)]
        assert not each.rows or not {number.removeprefix(section) for number in apart} & {
            *each.rows
        }


def test_an_unknown_number_and_an_open_statement_are_told() -> None:
    known = {"GEN-01": maker.Statement("GEN-01", "M", "a thing", "1.1")}
    tests = {"GEN-99": ["tests/test_x.py::test_y"]}
    said = maker.problems(known, tests, is_strict=True)
    assert len(said) == 2
    assert "GEN-99" in said[0]
    assert "GEN-01" in said[1]
    assert maker.problems(known, {}, is_strict=False) == []


def test_the_page_says_what_holds_a_statement_and_why_one_is_not_met() -> None:
    known = {
        "GEN-01": maker.Statement("GEN-01", "M", "a `<b>` and <c>", "1.1"),
        "GEN-02": maker.Statement("GEN-02", "S", "another", "1.1", "it comes later"),
        "5.2/*": maker.Statement("5.2/*", "M", "fields", "5.2", rows=["id", "status"]),
    }
    page = maker.page(known, {"GEN-01": ["tests/test_x.py::test_y"]})
    assert "| What all have in common | 2 | 1 | 1 | 0 |" in page
    assert "| SEP-12: customers | 1 | 0 | 0 | 1 |" in page
    assert "| GEN-01 | M | a `<b>` and &lt;c> | `test_x.py::test_y` |" in page
    assert "not met: it comes later" in page
    assert "| 5.2/* | M | fields: `id`, `status` | - |" in page
