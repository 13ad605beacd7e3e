"""The books, in the console and at the admin API."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anchor.cli import group
from anchor.extensions import transaction
from anchor.serializers import console_books as words
from anchor.services import books, cases
from tests.operating import Console, bearing
from tests.test_expiry import sql
from tests.world import World

UNIT = 10_000_000


@pytest.fixture
def console(world: World) -> Console:
    return Console(world.app.test_client()).sign_in("vera")


def post(cause: str, amount: int, asset: str) -> None:
    with transaction():
        books.post(cause, [("treasury", asset, amount), ("customer", asset, -amount)])


def test_what_stands_on_each_account_is_shown_by_asset(world: World, console: Console) -> None:
    assert "There are no entries." in console.get("/books").text
    post("one", 1_234 * UNIT + 5_000, world.policy.id)
    post("two", 7 * UNIT, "rail:BRL")
    page = console.get("/books").text
    assert "1,234.0005" in page
    assert "-1,234.0005" in page
    assert "Owed to customers" in page
    assert page.count("In balance") == 2
    told: Any = world.app.test_client().get("/admin/books", headers=bearing("vera")).json
    assert told == {
        "balanced": True,
        "at": None,
        "assets": {
            world.policy.id: {"treasury": "1234.0005", "customer": "-1234.0005"},
            "rail:BRL": {"treasury": "7", "customer": "-7"},
        },
    }


def test_a_day_stands_for_its_end_at_each_door(world: World, console: Console) -> None:
    post("one", UNIT, world.policy.id)
    sql("UPDATE postings SET booked_at = '2026-03-01T23:59:59Z'")
    post("two", UNIT, world.policy.id)
    sql("UPDATE postings SET booked_at = '2026-03-02T00:00:00Z' WHERE cause = 'two'")
    client = world.app.test_client()
    for asked, amount in (
        ("2026-02-28", None),
        ("2026-03-01", "1"),
        ("2026-03-01T23:59:59", None),
        ("2026-03-02T00:00:00Z", "1"),
        ("2026-03-02", "2"),
    ):
        told: Any = client.get(f"/admin/books?at={asked}", headers=bearing()).json
        assert told["assets"].get(world.policy.id, {}).get("treasury") == amount, asked
        page = console.get(f"/books?at={asked}").text
        assert (f"{amount}.00" in page) == (amount is not None)
    assert "at the end of 2026-03-02, UTC" in page
    assert 'value="2026-03-02"' in page
    done = world.app.test_cli_runner().invoke(group, ["books", "--at", "2026-03-01", "--json"])
    assert '"treasury": "1"' in done.output


@pytest.mark.parametrize("at", ["x", "2026-13-01", "9999-12-31", "%00", "x" * 5_000])
def test_a_day_that_is_none_is_refused(world: World, console: Console, at: str) -> None:
    answer = world.app.test_client().get(f"/admin/books?at={at}", headers=bearing())
    assert answer.status_code == 400
    for path in ("/books", "/books/books.csv"):
        assert console.get(f"{path}?at={at}").status_code == 303


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00", "0001-01-01", "9999-12-30"])
def test_the_ends_of_time_are_days_too(world: World, console: Console, at: str) -> None:
    assert console.get(f"/books?at={at}").status_code == 200
    assert console.get(f"/books/books.csv?at={at}").status_code == 200
    answer = world.app.test_client().get(f"/admin/books?at={at}", headers=bearing())
    assert answer.status_code == 200


def test_the_books_are_downloaded_as_a_table(world: World, console: Console) -> None:
    post("one", 5 * UNIT, world.policy.id)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    answer = console.get(f"/books/books.csv?at={tomorrow}")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="books-{tomorrow}.csv"'
    assert list(csv.reader(io.StringIO(answer.text))) == [
        ["asset", "account", "amount"],
        [world.policy.id, "treasury", "5"],
        [world.policy.id, "customer", "-5"],
    ]
    link = console.get(f"/books?at={tomorrow}").text.partition("/console/books/books.csv")[2]
    assert link.startswith("?at=")


def test_books_that_do_not_balance_are_seen() -> None:
    found = {"native": {"treasury": 5, "customer": -4}}
    [book] = words.books(found)
    assert (book.name, book.total, book.is_balanced) == ("XLM", "0.0000001", False)
    assert not books.is_balanced(found)


def test_what_the_daily_comparison_found_is_told_until_its_case_is_closed(
    console: Console,
) -> None:
    with transaction():
        cases.open_case("books_differ", "paid x/2026-03-01", note="x says <b>1</b>, not 2")
        cases.open_case("payment_late", "payment 1/2/3", note="not of the books")
    page = console.get("/books").text
    assert "x says &lt;b&gt;1&lt;/b&gt;, not 2" in page
    assert "not of the books" not in page
    sql("UPDATE cases SET closed_at = now()")
    assert "What the daily comparison found" not in console.get("/books").text
