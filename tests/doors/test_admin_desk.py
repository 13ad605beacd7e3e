"""The desk in the admin API: cases are looked at and answered, once, and it is on record."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from anchor.integrations.protocols import RailTraits, Returned
from anchor.money import parse_amount
from anchor.reasons import Reason
from anchor.services import brakes, desk
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench
from tests.doors.test_admin import acts
from tests.operating import bearing
from tests.puppets import puppet
from tests.test_acts import unmatched
from tests.test_after_the_end import paid, told
from tests.test_refunds import again, on_hold
from tests.world import World


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


def send(client: FlaskClient, path: str, key: str | None = None, **body: Any) -> Any:
    """Send an act of Ada's; return status and body."""
    headers = bearing() | ({} if key is None else {"Idempotency-Key": key})
    method = "DELETE" if path.startswith("/refunds/") else "POST"
    answer = client.open(f"/admin{path}", method=method, json=body, headers=headers)
    return answer.status_code, json.loads(answer.text)


def shown(client: FlaskClient, path: str, **query: Any) -> Any:
    answer = client.get(f"/admin{path}", query_string=query, headers=bearing("vera"))
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text)


# -- looking ----------------------------------------------------------------------------------


def test_cases_come_in_pages_by_reason_and_with_what_they_mean(
    world: World, client: FlaskClient
) -> None:
    ids = []
    for amount in ("25", "30"):
        world.pay(amount, "id:12345")
        world.read()
        ids.append(desk.listing()[-1].id)
    page = shown(client, "/cases", limit=1)
    assert ([each["id"] for each in page["cases"]], page["next"]) == ([ids[0]], ids[0])
    page = shown(client, "/cases", limit=2, after=ids[0])
    assert ([each["id"] for each in page["cases"]], page["next"]) == ([ids[1]], None)
    assert shown(client, "/cases", reason="held")["cases"] == []
    found = shown(client, f"/cases/{ids[0]}")
    assert (found["reason"], found["amount_owed"], found["asset_code"]) == (
        "payment_unmatched",
        "25",
        "USDC",
    )
    assert found["means"] == Reason.PAYMENT_UNMATCHED.means
    assert (found["acts"], found["done"]) == (["close", "credit", "refund"], [])
    assert send(client, f"/cases/{ids[0]}/close", note="by hand")[0] == 200
    assert [each["id"] for each in shown(client, "/cases")["cases"]] == [ids[1]]
    assert [each["id"] for each in shown(client, "/cases", closed="true")["cases"]] == ids


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cases/99", 404),
        ("/cases/0", 404),
        ("/cases/x", 404),
        ("/cases/%00", 404),
        ("/cases/" + "9" * 400, 404),
        ("/cases?limit=201", 400),
        ("/cases?after=x", 400),
        ("/cases?reason=" + "x" * 101, 400),
        ("/cases?reason=%00", 400),
        ("/cases?reeson=held", 400),
    ],
)
def test_what_is_not_there_is_said(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(f"/admin{path}", headers=bearing())
    assert (answer.status_code, bool(json.loads(answer.text)["error"])) == (status, True)


# -- acting -----------------------------------------------------------------------------------


def test_promise_05_a_refund_that_is_sent_six_times_at_once_is_begun_once(world: World) -> None:
    case_id = unmatched(world)

    def refund(_: int) -> Any:
        client = world.app.test_client()
        status, body = send(client, "/refunds", "r 1", case_id=case_id, amount="10", note="asked")
        return status, body["key"], body["amount"], body["fee"]

    with ThreadPoolExecutor(6) as pool:
        [found] = set(pool.map(refund, range(6)))
    assert (found[0], found[2:]) == (201, ("10", "0"))
    assert refund(0) == found
    assert acts() == [("refund", "ada", "asked")]
    client = world.app.test_client()
    other = send(client, "/refunds", "r 1", case_id=case_id, amount="11")
    assert other[0] == 400
    assert "another act was done under this key" in other[1]["error"]


def test_money_is_credited_and_the_case_is_closed(world: World, client: FlaskClient) -> None:
    case_id, row_id = unmatched(world), world.withdrawal("25")
    for _ in range(2):
        status, found = send(client, f"/cases/{case_id}/credit", "c", transaction_id=row_id)
        assert (status, found["acts"]) == (200, [])
        assert [each["what"] for each in found["done"]] == ["credit"]
    assert world.status(row_id) == "pending_anchor"


def test_a_transaction_is_held_released_and_failed(world: World, client: FlaskClient) -> None:
    row_id = world.paid_withdrawal()
    path = f"/transactions/{row_id}"
    status, found = send(client, f"{path}/hold", note="looks odd")
    assert (status, found["status"], found["acts"]) == (200, "on_hold", ["refund", "release"])
    assert send(client, f"{path}/hold")[0] == 400
    for _ in range(2):
        status, found = send(client, f"{path}/release", "let go")
        assert (status, found["status"]) == (200, "pending_anchor")
    status, found = send(client, f"{path}/fail")
    assert (status, "refund them first" in found["error"]) == (400, True)
    status, found = send(client, f"/transactions/{world.withdrawal()}/fail", note="no")
    assert (status, found["status"]) == (200, "error")
    assert [what for what, _, _ in acts()] == ["hold", "release", "fail"]


def test_promise_05_what_came_back_is_paid_again_once(world: World, client: FlaskClient) -> None:
    row_id = paid(world)
    told(world, row_id, Returned("no such account"))
    answers = [send(client, f"/transactions/{row_id}/pay-again", "again") for _ in range(2)]
    assert [(status, found["key"]) for status, found in answers] == [(201, f"{row_id}-2")] * 2
    assert len(world.outflows(row_id)) == 2


def test_a_refund_is_taken_back(world: World, client: FlaskClient) -> None:
    brakes.pause("all", "", "ann", None)
    row_id = on_hold(world)
    key = send(client, "/refunds", "r", transaction_id=row_id)[1]["key"]
    for _ in range(2):
        status, found = send(client, f"/refunds/{key}", "back", note="wrong one")
        assert (status, found["state"], found["transaction_id"]) == (200, "refused", row_id)
    assert send(client, f"/refunds/{key}")[0] == 400
    assert ("cancel refund", "ada", "wrong one") in acts()


def test_promise_07_what_became_of_an_order_is_told_by_a_person(
    world: World, client: FlaskClient
) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        again()
        world.work()
    path = f"/outflows/{row_id}-1/settle"
    status, found = send(client, path, "s", paid=True, paid_by="ab" * 32)
    assert (status, "no custodian's" in found["error"]) == (400, True)
    for _ in range(2):
        status, found = send(client, path, "s", paid=True, note="the bank said so")
        assert (status, found["state"]) == (200, "done")
    assert world.status(row_id) == "completed"


def test_work_is_done_again(world: World, client: FlaskClient) -> None:
    bench = Bench(world)
    row_id = bench.deposit("MNONSENSE")
    bench.work()
    job = {"kind": PAY_ON_LEDGER, "subject": row_id}
    assert send(client, "/jobs/retry", **job) == (200, {"due": 1})
    bench.work()
    for due in (1, 0):
        found = send(client, "/jobs/retry", "all", kind=PAY_ON_LEDGER, parked=True)
        assert found == (200, {"due": due})
    assert send(client, "/jobs/retry", **job | {"subject": "nobody"})[0] == 404
    assert len(acts()) == 2


NEEDS_A_KEY = [
    ("/refunds", {"case_id": 1}),
    ("/cases/1/credit", {"transaction_id": "x"}),
    ("/transactions/x/release", {}),
    ("/transactions/x/pay-again", {}),
    ("/outflows/x/settle", {"paid": True}),
]


@pytest.mark.parametrize(("path", "body"), NEEDS_A_KEY)
def test_promise_06_what_moves_money_needs_a_key(
    client: FlaskClient, path: str, body: dict[str, Any]
) -> None:
    for key in (None, "", " x", "é", "x" * 256):
        status, found = send(client, path, key, **body)
        assert (status, found["error"].partition(":")[0]) == (400, "Idempotency-Key")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/cases/1/close", {}, 400),
        ("/cases/1/close", {"note": ""}, 400),
        ("/cases/1/close", {"note": "x" * 501}, 400),
        ("/cases/1/close", {"note": "\x00"}, 400),
        ("/cases/99/close", {"note": "x"}, 404),
        ("/cases/x/close", {"note": "x"}, 404),
        ("/cases/1/credit", {"transaction_id": "none"}, 404),
        ("/cases/1/credit", {"transaction_id": "\x00"}, 400),
        ("/cases/99/credit", {"transaction_id": "none"}, 404),
        ("/refunds", {}, 400),
        ("/refunds", {"case_id": 1, "transaction_id": "x"}, 400),
        ("/refunds", {"case_id": 99}, 404),
        ("/refunds", {"case_id": 1, "amount": "26"}, 400),
        ("/refunds", {"case_id": 1, "amount": "-1"}, 400),
        ("/refunds", {"case_id": 1, "amount": "1e3"}, 400),
        ("/refunds", {"cause": "payment 1/2/3"}, 404),
        ("/refunds", {"cause": "payment 99999/2/3"}, 404),
        ("/refunds", {"cause": "payment 1/9999999999999999999/3"}, 404),
        ("/refunds", {"cause": "payment 1/2/99999"}, 404),
        ("/refunds", {"cause": "nonsense"}, 400),
        ("/refunds", {"cause": "1"}, 400),
        ("/refunds", {"transaction_id": "1"}, 400),
        ("/refunds", {"transaction_id": "none"}, 400),
        ("/refunds/none", {}, 404),
        ("/refunds/%00", {}, 404),
        ("/transactions/none/hold", {}, 404),
        ("/transactions/%00/hold", {}, 404),
        ("/transactions/none/release", {}, 404),
        ("/transactions/none/fail", {}, 404),
        ("/transactions/none/pay-again", {}, 404),
        ("/outflows/none/settle", {"paid": True}, 404),
        ("/outflows/none/settle", {"paid": True, "paid_by": "x"}, 400),
        ("/outflows/none/settle", {"paid": False, "paid_by": "ab" * 32}, 400),
        ("/outflows/none/settle", {}, 400),
        ("/jobs/retry", {"kind": "x"}, 400),
        ("/jobs/retry", {"kind": "x", "subject": "y", "parked": True}, 400),
        ("/jobs/retry", {"kind": "x", "subject": "y", "because": "z"}, 400),
        ("/jobs/retry", {"kind": "x", "subject": "\x00"}, 400),
        ("/jobs/retry", {"kind": "x", "subject": "y"}, 404),
        ("/jobs/retry", {"kind": "x", "subject": "y", "why": "z"}, 400),
    ],
)
def test_what_cannot_be_done_is_refused_with_one_sentence(
    world: World, client: FlaskClient, path: str, body: dict[str, Any], status: int
) -> None:
    unmatched(world)
    found = send(client, path, "key", **body)
    assert (found[0], bool(found[1]["error"])) == (status, True), found
    assert acts() == []
    assert parse_amount("25") == desk.listing()[0].amount_owed
