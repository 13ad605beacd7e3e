"""The desk in the console: cases are read, each act is a page that says what it does, and once."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from anchor.integrations.protocols import RailTraits, Returned
from anchor.money import parse_amount
from anchor.policies import RefundPolicy
from anchor.reasons import Reason
from anchor.services import arrivals, brakes, desk, refund_orders
from anchor.services.acts import By
from anchor.services.receipts import observe
from anchor.services.refund_orders import Terms
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench
from tests.doors.test_admin import acts
from tests.doors.test_console import COOKIE
from tests.operating import Console
from tests.puppets import puppet
from tests.receiving import booked
from tests.test_acts import unmatched
from tests.test_after_the_end import paid, told
from tests.test_refunds import again, on_hold
from tests.world import World

ACTS = (
    *("close", "credit", "refund", "cancel-refund", "hold", "release", "fail", "pay-again"),
    *("settle", "settle-order", "retry"),
)


@pytest.fixture
def console(world: World) -> Console:
    return Console(world.app.test_client())


def said(page: Any) -> str:
    """Return the text of a page as people read it."""
    text = re.sub(r"<[^>]*>", " ", page.text)
    for entity, letter in (("&#39;", "'"), ("&#34;", '"'), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(entity, letter)
    return " ".join(text.split())


def do(console: Console, act: str, where: str, **fields: Any) -> Any:
    """Open an act and send its form."""
    page = console.sign_in().get(f"/acts/{act}?{where}")
    assert page.status_code == 200, page.text
    there = re.search(r'action="/console(/acts/[^"]*)"', page.text)
    assert there is not None
    fields = {"key": console.hidden("key"), "step": "do"} | fields
    for name in ("kind", "subject"):
        if f'name="{name}"' in page.text:
            fields[name] = console.hidden(name)
    return console.send(there[1].replace("&amp;", "&"), **fields)


# -- looking ----------------------------------------------------------------------------------


def test_cases_are_chosen_by_reasons_that_are_open(world: World, console: Console) -> None:
    first, row_id = unmatched(world), world.withdrawal()
    world.pay("5", "id:12345")
    world.pay("7", world.memo(row_id))
    world.read()
    page = said(console.sign_in("vera").get("/cases"))
    assert "Payment unmatched (2)" in page
    assert "Payment too small (1)" in page
    assert "Outcome unknown" not in page
    assert "25.00 USDC" in page
    assert "7 is below 100" in said(console.get(f"/cases/{desk.listing()[-1].id}"))
    page = said(console.get("/cases?reason=payment_too_small"))
    assert "7.00 USDC" in page
    assert "25.00 USDC" not in page
    page = console.get("/cases?limit=1").text
    assert f"after={first}" in page
    assert "25.00 USDC" not in said(console.get(f"/cases?after={first}"))
    desk.close(first, By("ann", "by hand"))
    assert "25.00 USDC" not in said(console.get("/cases"))
    assert "25.00 USDC" in said(console.get("/cases?closed=true"))
    assert "Nothing waits" not in said(console.get("/cases"))


def test_where_nothing_waits_that_is_said(console: Console) -> None:
    assert "Nothing waits for you." in said(console.sign_in().get("/cases"))
    assert "No case fits." in said(console.get("/cases?reason=held"))
    for query in ("after=x", "limit=0", "reason=%00", "closed=perhaps"):
        assert console.get(f"/cases?{query}").status_code == 303
    for case_id in ("99", "0", "x", "%00", "9" * 400):
        assert console.get(f"/cases/{case_id}").status_code == 404


def test_a_case_says_what_it_means_and_what_answers_it(world: World, console: Console) -> None:
    case_id = unmatched(world)
    page = console.sign_in().get(f"/cases/{case_id}")
    assert Reason.PAYMENT_UNMATCHED.means in said(page)
    assert "<code>credit</code> where you know whose it is, else <code>refund</code>" in page.text
    assert world.payer.public_key in page.text
    for act in ("close", "credit", "refund"):
        assert f'href="/console/acts/{act}?case={case_id}"' in page.text
    assert "acts/hold" not in page.text
    desk.close(case_id, By("ann", "by hand"))
    page = console.get(f"/cases/{case_id}")
    assert "/console/acts/" not in page.text
    assert "Closed by ann" in said(page)


def test_a_case_and_its_money_and_its_transaction_lead_to_each_other(
    world: World, console: Console
) -> None:
    row_id = world.withdrawal()
    world.pay("7", world.memo(row_id))
    world.read()
    [found] = desk.listing()
    page = console.sign_in("vera").get(f"/cases/{found.id}").text
    assert f'href="/console/transactions/{row_id}"' in page
    there = re.search(r'href="/console(/money\?q=[0-9a-f]{64})"', page)
    assert there is not None
    money = console.get(there[1])
    assert "7.00 USDC" in said(money)
    form = console.sign_in().get(f"/acts/credit?case={found.id}").text
    assert f'name="to" value="{row_id}"' in form, "what it was paid for is filled in"
    back = f'href="/console/cases/{found.id}"'
    assert back in money.text
    assert back in console.get(f"/transactions/{row_id}").text


def test_a_filter_that_finds_nothing_leads_back_to_all(console: Console) -> None:
    console.sign_in("vera")
    lists = ("cases?reason=held", "transactions?q=none", "money?q=none", "remittances?domain=x")
    for asked in (*lists, "money/outflows?q=none", "callbacks?transaction_id=none"):
        path = asked.partition("?")[0]
        assert f'<a href="/console/{path}">Show all</a>' in console.get(f"/{asked}").text, path


def test_who_may_only_look_sees_cases_and_no_acts(world: World, console: Console) -> None:
    case_id = unmatched(world)
    page = console.sign_in("vera").get(f"/cases/{case_id}")
    assert (page.status_code, "/console/acts/" in page.text) == (200, False)
    token = console.hidden("form_token")
    for act in ACTS:
        path = f"/acts/{act}?case={case_id}"
        assert console.get(path).status_code == 403
        assert console.send(path, token=token, note="x").status_code == 403
    assert acts() == []


def test_what_others_wrote_runs_nowhere_and_what_a_bank_says_of_payers_is_not_shown(
    world: World, console: Console
) -> None:
    bad = "<script>alert(1)</script>"
    observe("bank", [booked(reference="for my holidays", payer=f"Grace Hopper {bad}")])
    [case] = desk.listing()
    page = console.sign_in().get(f"/cases/{case.id}").text
    assert "Grace" not in page
    do(console, "close", f"case={case.id}", note=bad)
    page = console.get(f"/cases/{case.id}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


# -- acting -----------------------------------------------------------------------------------


def test_a_case_is_closed_once_and_leads_back_to_it(world: World, console: Console) -> None:
    case_id = unmatched(world)
    answer = do(console, "close", f"case={case_id}", note="by hand")
    assert answer.headers["Location"] == f"/console/cases/{case_id}?done=close"
    assert "The case is closed." in said(console.get(f"/cases/{case_id}?done=close"))
    assert "<" not in said(console.get(f"/cases/{case_id}?done=<b>")).split("Case")[0]
    page = do(console, "close", f"case={case_id}", note="again")
    assert (page.status_code, "is closed already" in said(page)) == (400, True)
    assert acts() == [("close", "ada", "by hand")]


def test_promise_05_a_refund_is_reviewed_and_sent_once_however_often(
    world: World, console: Console
) -> None:
    Bench(world).serve(replace(world.policy, refund=RefundPolicy(fee=parse_amount("0.5"))))
    case_id = unmatched(world)
    page = do(console, "refund", f"case={case_id}", step="", amount="10", note="asked")
    assert "Is everything right?" in said(page)
    for part in ("9.50 USDC", "0.50 USDC", "10.00 USDC", world.payer.public_key):
        assert part in page.text
    assert acts() == []
    form = {name: console.hidden(name) for name in ("form_token", "key", "amount", "note")}
    session = console.client.get_cookie(COOKIE).value

    def send(_: int) -> tuple[int, str]:
        client = world.app.test_client()
        client.set_cookie(COOKIE, session)
        path = f"/console/acts/refund?case={case_id}"
        answer = client.post(path, data=form | {"step": "do"})
        return answer.status_code, answer.headers.get("Location", answer.text)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(4))) == {(303, f"/console/cases/{case_id}?done=refund")}
    assert send(0)[0] == 303
    assert acts() == [("refund", "ada", "asked")]


def test_what_a_review_showed_is_what_is_done(world: World, console: Console) -> None:
    case_id = unmatched(world)
    do(console, "refund", f"case={case_id}", step="")
    assert console.hidden("amount") == "25"
    refund_orders.begin(str(case_id), By("vic"), Terms(parse_amount("5")))
    form = {name: console.hidden(name) for name in ("key", "amount")}
    page = console.send(f"/acts/refund?case={case_id}", **form, step="do")
    assert (page.status_code, "No more than 20 can be sent back." in said(page)) == (400, True)


def test_of_several_payments_one_is_chosen_to_go_back(world: World, console: Console) -> None:
    Bench(world).serve(replace(world.policy, matching="collect"))
    row_id = world.withdrawal("100")
    for part in ("60", "40"):
        world.pay(part, world.memo(row_id))
        world.read()
    desk.hold(row_id, By("ann"))
    first, second = (each.cause for each in arrivals.of_transaction(row_id))
    where = f"transaction={row_id}"
    page = do(console, "refund", where, step="")
    assert (page.status_code, "Several payments were credited" in said(page)) == (400, True)
    assert f'value="{second}"' in page.text
    page = do(console, "refund", where, step="", cause=f"{second}0")
    assert (page.status_code, "Choose among what came for it." in said(page)) == (400, True)
    page = do(console, "refund", where, step="", cause=second)
    assert "40.00 USDC" in said(page)
    form = {name: console.hidden(name) for name in ("key", "amount", "cause")}
    assert form["cause"] == second
    token = console.hidden("form_token")
    for _ in range(2):
        answer = console.send(f"/acts/refund?{where}", token=token, **form, step="do")
        assert answer.status_code == 303, "also when its answer was lost"
    [refund] = world.outflows(row_id)
    assert (refund.amount, arrivals.find(first).left) == (parse_amount("40"), parse_amount("60"))


def test_money_is_credited_after_its_transaction_was_shown(world: World, console: Console) -> None:
    case_id, row_id = unmatched(world), world.withdrawal("25")
    page = do(console, "credit", f"case={case_id}", step="", to=row_id)
    assert (page.status_code, row_id in page.text) == (200, True)
    assert "Waits for its money" in page.text
    assert "25.00 USDC" in said(page)
    assert acts() == []
    key = console.hidden("key")
    edit = console.send(f"/acts/credit?case={case_id}", key=key, to=row_id, step="edit")
    assert f'value="{row_id}"' in edit.text
    assert console.hidden("key") == key
    answer = console.send(f"/acts/credit?case={case_id}", key=key, to=row_id, step="do")
    assert answer.status_code == 303
    assert world.status(row_id) == "pending_anchor"
    assert row_id in console.get(f"/cases/{case_id}").text, "whose it was said to be"


def test_a_transaction_is_held_released_and_failed(world: World, console: Console) -> None:
    row_id = world.paid_withdrawal()
    for act, status in (("hold", "on_hold"), ("release", "pending_anchor")):
        assert do(console, act, f"transaction={row_id}", note="why").status_code == 303
        assert world.status(row_id) == status
    page = do(console, "fail", f"transaction={row_id}", note="kept <b>")
    assert (page.status_code, "refund them first" in said(page)) == (400, True)
    assert "kept &lt;b&gt;</textarea>" in page.text, "what was typed is kept"
    open_one = world.withdrawal()
    assert do(console, "fail", f"transaction={open_one}").status_code == 303
    assert world.status(open_one) == "error"


def test_promise_06_a_page_that_is_sent_again_late_undoes_nothing(
    world: World, console: Console
) -> None:
    row_id = on_hold(world)
    there = f"/acts/release?transaction={row_id}"
    console.sign_in().get(there)
    form = {"key": console.hidden("key"), "token": console.hidden("form_token"), "step": "do"}
    assert console.send(there, **form).status_code == 303
    desk.hold(row_id, By("vic", "wait"))
    assert console.send(there, **form).status_code == 303
    assert world.status(row_id) == "on_hold"


def test_promise_06_a_page_that_stood_open_ends_no_newer_hold(
    world: World, console: Console
) -> None:
    row_id = on_hold(world)
    there = f"/acts/release?transaction={row_id}"
    console.sign_in().get(there)
    form = {name: console.hidden(name) for name in ("key", "seen")}
    desk.release(row_id, By("vic"))
    desk.hold(row_id, By("vic", "the bank calls"))
    page = console.send(there, **form, step="do")
    assert (page.status_code, "has changed since it was looked at" in said(page)) == (400, True)
    assert world.status(row_id) == "on_hold"
    form = {name: console.hidden(name) for name in ("key", "seen")}
    assert console.send(there, **form, step="do").status_code == 303
    assert world.status(row_id) == "pending_anchor"
    for seen in ("0", "x", "9" * 30):
        assert do(console, "pay-again", f"transaction={row_id}", seen=seen).status_code == 400


def test_what_nothing_calls_for_is_said_before_it_is_tried(world: World, console: Console) -> None:
    row_id = on_hold(world)
    warning = "As things stand nothing calls for this."
    assert warning not in console.sign_in().get(f"/acts/release?transaction={row_id}").text
    assert warning in console.get(f"/acts/hold?transaction={row_id}").text


def test_promise_13_a_page_shows_what_its_button_acts_on(world: World, console: Console) -> None:
    shown, other, case_id = on_hold(world), on_hold(world), unmatched(world)
    brakes.pause("all", "", "ann", None)
    key = refund_orders.begin(shown, By("ann"), Terms()).key
    of_other = f"transaction={other}"
    console.sign_in()
    for where in (f"{of_other}&outflow={key}", f"{of_other}&case={case_id}"):
        assert console.get(f"/acts/release?{where}").status_code == 404
        console.get(f"/acts/release?{of_other}")
        form = {"key": console.hidden("key"), "step": "do"}
        assert console.send(f"/acts/release?{where}", **form).status_code == 404
    assert console.get(f"/acts/cancel-refund?case={case_id}&outflow={key}").status_code == 404
    assert console.get(f"/acts/cancel-refund?transaction={shown}&outflow={key}").status_code == 200
    assert world.status(other) == "on_hold"


def test_what_came_back_is_paid_again(world: World, console: Console) -> None:
    row_id = paid(world)
    told(world, row_id, Returned("no such account"))
    [case] = desk.listing()
    answer = do(console, "pay-again", f"case={case.id}")
    assert answer.headers["Location"] == f"/console/cases/{case.id}?done=pay-again"
    assert len(world.outflows(row_id)) == 2


def test_a_refund_is_taken_back_from_its_transaction_and_from_its_case(
    world: World, console: Console
) -> None:
    brakes.pause("all", "", "ann", None)
    row_id, case_id = on_hold(world), unmatched(world)
    for what, where in ((row_id, f"transaction={row_id}"), (str(case_id), f"case={case_id}")):
        begun = refund_orders.begin(what, By("ann"), Terms())
        assert do(console, "cancel-refund", where).status_code == 303
        refund_orders.begin(what, By("ann"), Terms())
        assert do(console, "cancel-refund", f"outflow={begun.key}").status_code == 400


@pytest.mark.parametrize(("is_paid", "status"), [("true", "completed"), ("false", "resting")])
def test_promise_07_what_became_of_an_order_is_said_by_who_is_certain(
    world: World, console: Console, is_paid: str, status: str
) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        again()
        world.work()
    [case] = desk.listing()
    for fields, wrong in (
        ({"paid": is_paid}, "certain"),
        ({"sure": "true"}, "Say which."),
        ({"paid": "x", "sure": "true"}, "Not a valid boolean."),
    ):
        page = do(console, "settle", f"case={case.id}", **fields)
        assert (page.status_code, wrong in said(page)) == (400, True)
    assert acts() == []
    there = f"/acts/settle?case={case.id}&outflow={row_id}-1"
    form = {"key": console.hidden("key"), "token": console.hidden("form_token")}
    for _ in range(2):
        page = console.send(there, paid=is_paid, sure="true", step="do", **form)
        assert page.status_code == 303, "also when its answer was lost"
    row = world.row(row_id)
    assert status == ("resting" if row.is_resting else row.status)
    assert len(acts()) == 1


def test_an_order_of_no_custodian_is_settled_by_nobody_as_one(
    world: World, console: Console
) -> None:
    row_id = world.paid_withdrawal()
    world.work()
    key = world.outflows(row_id)[0].key
    page = do(console, "settle-order", f"outflow={key}", paid="true", sure="true")
    assert "Name the transaction that paid it." in said(page)
    page = do(
        console, "settle-order", f"outflow={key}", paid="true", sure="true", paid_by="ab" * 32
    )
    assert (page.status_code, "No custodian was given" in said(page)) == (404, True)


def test_parked_work_is_done_again(world: World, console: Console) -> None:
    bench = Bench(world)
    row_id = bench.deposit("MNONSENSE")
    bench.work()
    [case] = desk.listing()
    assert do(console, "retry", f"case={case.id}").status_code == 303
    assert acts() == [(f"retry {PAY_ON_LEDGER} {row_id}", "ada", None)]
    page = do(console, "retry", f"case={unmatched(world)}")
    assert (page.status_code, "There is no such work any more" in said(page)) == (400, True)


# -- what cannot be done ----------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
def test_a_form_without_the_key_of_its_page_does_nothing(
    world: World, console: Console, act: str
) -> None:
    case_id = unmatched(world)
    console.sign_in().get(f"/acts/{act}?case={case_id}")
    for key in ("", "order 17", "console \x00", "console " + "x" * 24):
        fields = {"note": "x", "to": "x", "paid": "true", "sure": "true", "paid_by": "ab" * 32}
        page = console.send(f"/acts/{act}?case={case_id}", key=key, step="do", **fields)
        assert page.status_code == 400
    assert acts() == []


@pytest.mark.parametrize("act", ACTS)
def test_what_is_not_there_cannot_be_acted_on(console: Console, act: str) -> None:
    console.sign_in()
    for where in ("case=99", "case=x", "transaction=none", "transaction=%00", "outflow=none"):
        assert console.get(f"/acts/{act}?{where}").status_code == 404, where
        console.get("/cases")
        assert console.send(f"/acts/{act}?{where}", note="x").status_code == 404, where
    assert console.get(f"/acts/{act}").status_code == 400
    assert console.get("/acts/nothing?case=1").status_code == 404


@pytest.mark.parametrize(
    ("act", "fields", "wrong"),
    [
        ("close", {}, "Say how it was answered."),
        ("close", {"note": "x" * 501}, "Length must be between 1 and 500."),
        ("close", {"note": "a\x00b"}, "control characters"),
        ("credit", {}, "Name the transaction."),
        ("credit", {"to": "none"}, "There is no transaction none."),
        ("credit", {"to": "x" * 101}, "Must be a transaction's id."),
        ("refund", {"amount": "26"}, "No more than 25 can be sent back."),
        ("refund", {"amount": "a lot"}, "An amount is written as a plain number"),
        ("refund", {"amount": "-1"}, "amount"),
        ("refund", {"to_contract": "x" * 57}, "Length must be between 1 and 56."),
        ("cancel-refund", {}, "name the key"),
        ("hold", {}, "Name a transaction."),
        ("settle", {"paid": "true", "sure": "true"}, "name the key"),
    ],
)
def test_what_is_wrong_is_said_on_the_same_page_and_what_was_typed_is_kept(
    world: World, console: Console, act: str, fields: dict[str, str], wrong: str
) -> None:
    case_id = unmatched(world)
    page = do(
        console, act, f"case={case_id}", **{"note": "" if act == "close" else "typed"} | fields
    )
    assert page.status_code in {400, 404}
    assert wrong in said(page)
    if "note" not in fields and act != "close":
        assert "typed</textarea>" in page.text
    assert acts() == []


def test_the_ledger_that_is_away_is_named(world: World, console: Console) -> None:
    case_id = unmatched(world)
    world.sandbox.stop()
    page = do(console, "refund", f"case={case_id}", note="typed")
    assert page.status_code == 503
    assert "typed</textarea>" in page.text
