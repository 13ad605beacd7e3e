"""The console finds transactions and money, and leads from each to all that belongs to it."""

import csv
import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from anchor.blueprints import console_lists
from anchor.integrations.protocols import RailTraits
from anchor.lifecycle import Kind, Status
from anchor.policies.pages import PagesPolicy
from anchor.services import desk
from anchor.services.desk import By
from anchor.services.receipts import observe
from tests.deposits import Bench
from tests.operating import Console
from tests.puppets import due_now, puppet
from tests.quoted import Trade
from tests.receiving import booked, deposit
from tests.remitting import Pair
from tests.test_callback_replays import told_to
from tests.test_callbacks import NO_CONTENT, listening
from tests.test_expiry import sql
from tests.test_refunds import give_back, on_hold
from tests.world import ACCOUNT, World

EVIL = "<script>alert('&')</script>"
BY = By("ann", "the bank asked us to wait")


@pytest.fixture
def console(world: World) -> Console:
    return Console(world.app.test_client()).sign_in("vera")


def shown(page: Any, status: int = 200) -> str:
    """Return what a page says, in one line without tags."""
    assert page.status_code == status, page.text
    main = page.text.partition("<main")[2]
    return " ".join(unescape(re.sub("<[^>]*>", " ", main)).split())


def links(page: Any) -> list[str]:
    return [unescape(each) for each in re.findall(r'href="([^"]*)"', page.text)]


def rows(page: Any) -> list[str]:
    """Return the rows of the first table."""
    body = page.text.partition("<tbody")[2].partition("</tbody>")[0]
    return [
        " ".join(unescape(re.sub("<[^>]*>", " ", each)).split())
        for each in body.split('<tr role="row">')[1:]
    ]


# -- finding ----------------------------------------------------------------------------------


def test_transactions_are_shown_and_lead_to_their_own_pages(world: World, console: Console) -> None:
    row_id = world.paid_withdrawal("1250")
    page = console.get("/transactions")
    [row] = rows(page)
    for word in ("Withdrawal", "1,250.00 USDC", "In our hands", "Bank", row_id[:12]):
        assert word in row
    assert f"/console/transactions/{row_id}" in links(page)
    assert world.payer.public_key in page.text, "all of the address is told somewhere"


def test_a_search_keeps_what_was_asked_and_pages_through_it(world: World, console: Console) -> None:
    ids = [world.withdrawal() for _ in range(3)]
    page = console.get(f"/transactions?kind=withdrawal&limit=2&q={world.payer.public_key}")
    assert len(rows(page)) == 2
    [older] = [each for each in links(page) if "after=" in each]
    assert f"after={ids[1]}" in older
    for kept in ("kind=withdrawal", "limit=2", f"q={world.payer.public_key}"):
        assert kept in older
    assert f'value="{world.payer.public_key}"' in page.text
    page = console.get(older.removeprefix("/console"))
    assert [ids[0][:12] in each for each in rows(page)] == [True]
    assert any("kind=withdrawal" in each and "after" not in each for each in links(page))


def test_where_nothing_fits_the_search_leads_on_to_the_money(console: Console) -> None:
    hash_ = "ab" * 32
    page = console.get(f"/transactions?q={hash_}")
    assert "No transaction fits." in shown(page)
    assert f"/console/money?q={hash_}" in links(page)
    assert "There are no transactions yet." in shown(console.get("/transactions"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/transactions?kind=loan", 400),
        ("/transactions?q=a%00b", 400),
        ("/transactions?q=" + "x" * 201, 400),
        ("/transactions?since=soon", 400),
        ("/transactions?limit=100000", 400),
        ("/transactions?nonsense=1", 400),
        ("/transactions?after=nobody", 404),
        ("/money?of=cash", 400),
        ("/money?verdict=%3Cscript%3E", 400),
        ("/money?of=rail&account=x", 400),
        ("/money?after=-1", 400),
        ("/money/outflows?state=lost", 400),
        ("/money/outflows?q=%00", 400),
    ],
)
def test_what_cannot_be_asked_is_said_above_the_form(
    console: Console, path: str, status: int
) -> None:
    page = console.get(path)
    assert (page.status_code, 'role="alert"' in page.text) == (status, True)
    assert 'role="search"' in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize("path", ["/transactions/nobody", "/transactions/a%00b", "/transactions/é"])
def test_a_transaction_that_is_none_is_not_found(console: Console, path: str) -> None:
    assert console.get(path).status_code == 404


def test_what_strangers_wrote_is_no_markup(world: World, console: Console) -> None:
    world.pay("7", "text:<script>alert(1)</script>")
    world.read()
    row_id = deposit(world)
    observe("bank", [booked("B<script>", reference=EVIL), booked("B2")])
    sql(f"UPDATE transactions SET message = '{EVIL.replace(chr(39), chr(39) * 2)}'")
    desk.hold(row_id, By("ann", EVIL))
    for path in (
        f"/transactions?q={EVIL}",
        f"/transactions/{row_id}",
        "/money",
        "/money?of=rail",
        f"/money?q={EVIL}",
        f"/money/outflows?q={EVIL}",
    ):
        page = console.get(path)
        assert page.status_code == 200
        assert "<script>" not in page.text, path
    assert EVIL in shown(console.get("/money?of=rail"))


# -- one transaction --------------------------------------------------------------------------


def test_a_transaction_is_told_whole_and_leads_to_its_parts(world: World, console: Console) -> None:
    with listening(NO_CONTENT) as wallet:
        row_id = told_to(world, wallet)
        world.pay("100", world.memo(row_id))
        world.pay("5", world.memo(row_id))
        world.read()
        desk.hold(row_id, BY)
    begun = give_back(row_id, "40")
    page = console.get(f"/transactions/{row_id}")
    told = shown(page)
    for sentence in (
        "Withdrawal of 100.00 USDC On hold",
        "It rests: nothing is paid out for it until a person acts.",
        "A payment came once more for a transaction that has its money.",
        "Held by ann",
        "the bank asked us to wait",
        "Known of customer bank_account_number",
        "Paid twice",
        "Refund",
        "2 waiting , 0 delivered",
        world.memo(row_id),
        begun.key[-6:],
    ):
        assert sentence in told, sentence
    assert ACCOUNT not in page.text
    [case] = desk.listing()
    for link in (
        f"/console/cases/{case.id}",
        f"/console/callbacks?transaction_id={row_id}",
        f"/console/callbacks?delivered=true&transaction_id={row_id}",
    ):
        assert link in links(page), link
    assert "/console/acts/" not in page.text, "vera looks only"


def test_who_may_act_is_led_to_the_acts_of_the_moment(world: World) -> None:
    console = Console(world.app.test_client()).sign_in("ada")
    held = on_hold(world)
    acts = [each for each in links(console.get(f"/transactions/{held}")) if "/acts/" in each]
    assert [each.partition("?")[0].rpartition("/")[2] for each in acts] == ["refund", "release"]
    assert all(each.endswith(f"?transaction={held}") for each in acts)
    begun = give_back(held)
    page = console.get(f"/transactions/{held}")
    assert f"/console/acts/cancel-refund?outflow={begun.key}" in links(page)
    assert f"/console/acts/cancel-refund?outflow={begun.key}" in links(
        console.get("/money/outflows")
    )


def test_work_that_was_given_up_is_told_with_why(world: World, console: Console) -> None:
    row_id = world.paid_withdrawal()
    assert "Execute outgoing transaction Due 0" in shown(console.get(f"/transactions/{row_id}"))
    sql("UPDATE jobs SET attempts = 3, parked_at = now(), last_error = 'the bank says no'")
    told = shown(console.get(f"/transactions/{row_id}"))
    assert "What keeps it Execute outgoing transaction: the bank says no" in told
    assert "The bank says no Given up 3" in told


def test_a_hash_leads_to_the_explorer_where_there_is_one(world: World, console: Console) -> None:
    row_id = world.paid_withdrawal()
    hash_ = world.row(row_id).stellar_transaction_id
    for path in (f"/transactions/{row_id}", "/money"):
        assert "https://explorer.example" not in console.get(path).text
    policy = PagesPolicy(explorer_url="https://explorer.example/tx/{hash}")
    app = world.app
    app.extensions["anchor"] = replace(
        app.extensions["anchor"], settings=replace(world.settings, pages=policy)
    )
    for path in (f"/transactions/{row_id}", "/money"):
        assert f"https://explorer.example/tx/{hash_}" in links(console.get(path)), path


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_transaction_has_a_page(world: World, console: Console, kind: Kind) -> None:
    row_id = world.of_kind(kind, Status.ON_HOLD, amount=None)
    assert "USDC" in shown(console.get(f"/transactions/{row_id}"))
    assert len(rows(console.get(f"/transactions?kind={kind}"))) == 1


@pytest.mark.parametrize("status", Status)
def test_every_status_has_words(world: World, console: Console, status: Status) -> None:
    world.of_kind(Kind.SEND, status)
    [row] = rows(console.get(f"/transactions?status={status}"))
    assert "_" not in row


def test_a_remittance_and_its_transaction_lead_to_each_other(pair: Pair) -> None:
    console = Console(pair.ours.app.test_client()).sign_in("vera")
    row_id = pair.begin()
    page = console.get(f"/transactions/{row_id}")
    assert f"/console/remittances/{row_id}" in links(page)
    assert "Known of receiver first_name, bank_account_number" in shown(page)
    assert ACCOUNT not in page.text
    assert f"/console/transactions/{row_id}" in links(console.get(f"/remittances/{row_id}"))


def test_each_amount_of_an_exchange_has_its_own_unit(world: World, console: Console) -> None:
    trade = Trade(world)
    row_id = trade.withdrawal()
    trade.pay(row_id)
    world.work()
    told = shown(console.get(f"/transactions/{row_id}"))
    for line in (
        "Withdrawal with exchange of 100.00 USDC Completed",
        "Came 100.00 USDC Fee 2.00 USDC To be paid out 490.00 BRL",
        "Paid out, with the fee 100.00 USDC",
        "490.00 BRL fee 2.00 USDC Done",
    ):
        assert line in told, line


def test_a_deposit_on_the_ledger_is_told_with_what_carried_it(
    world: World, console: Console
) -> None:
    bench = Bench(world)
    taker = bench.account().public_key
    row_id = bench.deposit(taker)
    bench.wait(row_id)
    hash_ = world.row(row_id).stellar_transaction_id
    page = console.get(f"/transactions/{row_id}")
    told = shown(page)
    for line in ("Deposit of 100.00 USDC Completed", f"Pays {taker}", "Payment on the ledger"):
        assert line in told, line
    assert [row_id[:12] in each for each in rows(console.get(f"/transactions?q={hash_}"))] == [True]
    left = rows(console.get(f"/money/outflows?q={hash_}"))
    assert len(left) == 1
    assert "Done" in left[0]


# -- money ------------------------------------------------------------------------------------


def test_payments_lead_to_their_transaction_or_their_case(world: World, console: Console) -> None:
    row_id = world.paid_withdrawal()
    world.pay("7", "text:who is this")
    world.read()
    page = console.get("/money")
    odd, credited = rows(page)
    for word in ("7.00 USDC", "Nobody’s", "text: who is this", "Case 1"):
        assert word in odd
    for word in ("100.00 USDC", "Credited", row_id[:12]):
        assert word in credited
    assert {f"/console/transactions/{row_id}", "/console/cases/1"} <= set(links(page))
    assert rows(console.get("/money?verdict=unmatched")) == [odd]
    assert rows(console.get("/money?verdict=late")) == []
    page = console.get("/money?limit=1&asset=USDC")
    [older] = [each for each in links(page) if "after=" in each]
    assert rows(console.get(older.removeprefix("/console"))) == [credited]


def test_what_banks_booked_is_shown_without_who_paid_it(world: World, console: Console) -> None:
    deposit(world)
    observe("bank", [booked(), booked("B2", "3", reference="for my holidays", payer="Ada, DE55")])
    odd, credited = rows(console.get("/money?of=rail"))
    for word in ("3.00 USD", "Nobody’s", "Bank", "for my holidays", "B2", "Case 1"):
        assert word in odd
    assert "Credited" in credited
    assert "Ada" not in console.page.text
    page = console.get("/money?of=rail&limit=1&verdict=unmatched")
    assert rows(page) == [odd]
    assert any("of=rail" in each and "after=" in each for each in links(page))


def test_what_nobody_can_read_and_what_was_taken_back_is_shown(
    world: World, console: Console
) -> None:
    deposit(world)
    observe("bank", [booked()])
    observe("bank", [replace(booked(), is_reversed=True)])
    [row] = rows(console.get("/money?of=rail"))
    assert "Taken back" in row
    sql("UPDATE receipts SET reversed_at = NULL, amount = NULL, verdict = 'unreadable'")
    [row] = rows(console.get("/money?of=rail"))
    assert "Unreadable" in row


def test_all_that_is_unknown_is_one_click_away(world: World) -> None:
    console = Console(world.app.test_client()).sign_in("ada")
    puppet(world, RailTraits(), script=["take and fall over"])
    unknown = world.paid_withdrawal()
    world.work()
    due_now()
    world.work()
    world.paid_withdrawal()
    world.work()
    assert len(rows(console.get("/money/outflows"))) == 2
    page = console.get("/money/outflows?state=unknown")
    [row] = rows(page)
    for word in ("Payout", "Unknown", "Bank", "Settle"):
        assert word in row
    assert f"/console/acts/settle?outflow={unknown}-1" in links(page)
    assert f"/console/transactions/{unknown}" in links(page)


# -- downloads --------------------------------------------------------------------------------


def table(page: Any) -> list[dict[str, str]]:
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/csv")
    assert page.headers["Content-Disposition"].startswith("attachment; filename=")
    assert page.headers["Cache-Control"] == "no-store"
    return list(csv.DictReader(page.text.splitlines()))


def test_each_list_is_downloaded_as_it_was_chosen(world: World, console: Console) -> None:
    row_id = world.paid_withdrawal()
    world.work()
    other = deposit(world)
    observe("bank", [booked(), booked("B2", "3")])
    for path, name, expected in (
        ("/transactions", "id", [other, row_id]),
        ("/transactions?kind=withdrawal", "id", [row_id]),
        ("/money", "transaction_id", [row_id]),
        ("/money?of=rail&verdict=credited", "transaction_id", [other]),
        ("/money/outflows?state=done", "key", [f"{row_id}-1"]),
        ("/money/outflows?state=unknown", "key", None),
    ):
        found = [each for each in links(console.get(path)) if "/download" in each]
        assert len(found) == (expected is not None), path
        for link in found:
            rows = table(console.get(link.removeprefix("/console")))
            assert [each[name] for each in rows] == expected, path
    [row] = table(console.get("/money/download"))
    assert (row["amount"], row["asset"]) == ("100", f"stellar:{world.policy.id}")


def test_no_cell_of_a_download_is_a_formula(world: World, console: Console) -> None:
    said = ["=1+1", "+1", "-1", "@SUM(A1)", 'a "b", c', "plain"]
    observe("bank", [booked(f"B{at}", reference=each) for at, each in enumerate(said)])
    found = table(console.get("/money/download?of=rail"))
    assert [each["reference"] for each in found[::-1]] == [
        *("'=1+1", "'+1", "'-1", "'@SUM(A1)", 'a "b", c', "plain")
    ]


def test_a_download_goes_through_all_pages_up_to_its_bound(
    world: World, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [world.withdrawal() for _ in range(5)]
    monkeypatch.setattr(console_lists, "_PAGE", 2)
    found = table(console.get("/transactions/found/download?limit=1"))
    assert [each["id"] for each in found] == ids[::-1]
    monkeypatch.setattr(console_lists, "MOST", 4)
    assert len(table(console.get("/transactions/found/download"))) == 4


@pytest.mark.parametrize(
    "path",
    [
        "/transactions/found/download?kind=loan",
        "/money/download?verdict=fine",
        "/money/outflows/download?state=lost",
    ],
)
def test_a_download_of_what_cannot_be_asked_says_so_on_a_page(console: Console, path: str) -> None:
    there = console.get(path).headers["Location"].removeprefix("/console")
    assert there == path.replace("/found", "").replace("/download", "")
    page = console.get(there)
    assert (page.status_code, 'role="alert"' in page.text) == (400, True)


@pytest.mark.parametrize("path", ["/transactions", "/money", "/money/outflows"])
def test_nothing_but_its_own_fields_goes_into_an_address(console: Console, path: str) -> None:
    evil = "after=1&endpoint=x&found=y&_external=1&_scheme=javascript&_anchor=z"
    page = console.get(f"{path}?{evil}")
    assert page.status_code == 400
    assert not any("javascript" in each or "endpoint" in each for each in links(page))
