"""The admin API finds transactions and money by any word, and tells all but what is secret."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from stellar_sdk import Keypair, MuxedAccount

from anchor import references
from anchor.extensions import db, transaction
from anchor.integrations.protocols import Done, RailTraits
from anchor.lifecycle import Kind, Status
from anchor.services import attesting, desk, transaction_search
from anchor.services.acts import By
from anchor.services.receipts import observe
from tests.operating import Console, bearing
from tests.puppets import due_now, puppet
from tests.receiving import booked, deposit
from tests.remitting import Pair
from tests.test_callback_replays import told_to
from tests.test_callbacks import NO_CONTENT, deliver, listening
from tests.test_expiry import sql
from tests.test_refunds import give_back, on_hold
from tests.world import ACCOUNT, World

BY = By("ann", "the bank asked us to wait")


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


def asked(client: FlaskClient, path: str, **query: Any) -> Any:
    answer = client.get(f"/admin/{path}", query_string=query, headers=bearing("vera"))
    assert answer.status_code == 200, answer.text
    return answer.json


def found(client: FlaskClient, **query: Any) -> list[str]:
    return [each["id"] for each in asked(client, "transactions", **query)["transactions"]]


# -- finding ----------------------------------------------------------------------------------


def test_transactions_are_listed_the_newest_first_in_pages(
    world: World, client: FlaskClient
) -> None:
    ids = [world.withdrawal() for _ in range(5)]
    seen: list[str] = []
    after: dict[str, str] = {}
    for count in (2, 2, 1):
        page = asked(client, "transactions", limit=2, **after)
        assert len(page["transactions"]) == count
        seen += [each["id"] for each in page["transactions"]]
        after = {"after": page["next"]}
    assert (seen, page["next"]) == (ids[::-1], None)


def test_a_transaction_is_found_by_whatever_it_is_known_by(
    world: World, client: FlaskClient
) -> None:
    world.withdrawal()
    row_id = world.withdrawal()
    hash_ = world.pay("100", world.memo(row_id))
    world.read()
    world.work()
    [outflow] = world.outflows(row_id)
    for word in (row_id, world.memo(row_id), hash_, hash_.upper(), outflow.key, outflow.reference):
        assert found(client, q=word) == [row_id], word
    for word in ("nobody's", row_id[:-1], "' OR 1=1 --", "%", "0" * 64, "é" * 200):
        assert found(client, q=word) == [], word


def test_a_deposit_is_found_by_its_reference_however_it_is_written_and_by_its_booking(
    world: World, client: FlaskClient
) -> None:
    reference = references.make()
    row_id = deposit(world, reference=reference)
    observe("bank", [booked("BOOKING 77", reference=reference)])
    for word in (reference, references.grouped(reference).lower(), "BOOKING 77"):
        assert found(client, q=word) == [row_id], word


def test_what_we_sent_is_found_by_its_hash(world: World, client: FlaskClient) -> None:
    row_id = on_hold(world)
    begun = give_back(row_id)
    assert found(client, q=begun.key) == [row_id]
    sql("INSERT INTO channels (network_id, account_id) SELECT network_id, account_id FROM accounts")
    sql(
        "INSERT INTO submissions (channel_id, source, sequence, state)"
        " SELECT id, account_id, 1, 'submitted' FROM channels"
    )
    sql(
        "INSERT INTO envelopes (submission_id, hash, envelope_xdr, max_time, fee)"
        " SELECT id, repeat('ab', 32), '', 1, 1 FROM submissions"
    )
    sql("UPDATE outflows SET submission_id = (SELECT id FROM submissions)")
    assert found(client, q="AB" * 32) == [row_id]


def test_an_address_finds_what_is_its_owners(world: World, client: FlaskClient) -> None:
    other = world.of_kind(Kind.WITHDRAWAL, Status.PENDING_ANCHOR)
    row_id = world.of_kind(Kind.WITHDRAWAL, Status.PENDING_ANCHOR)
    sql(f"UPDATE transactions SET owner_subaccount = 18446744073709551615 WHERE id = '{row_id}'")
    owner = world.payer.public_key
    muxed = MuxedAccount(owner, 2**64 - 1).account_muxed
    assert found(client, q=owner) == [row_id, other]
    assert found(client, q=muxed) == [row_id]
    assert found(client, q=f"{owner}:{2**64 - 1}") == [row_id]
    for nobodys in (f"{owner}:1", f"{owner}:", Keypair.random().public_key, owner[:-1]):
        assert found(client, q=nobodys) == []
    answer = client.get(f"/admin/transactions?q={owner}:{2**64}", headers=bearing())
    assert answer.status_code == 400


def test_what_waits_for_a_person_is_found_and_what_waits_for_its_customer_is_not(
    world: World, client: FlaskClient
) -> None:
    held = on_hold(world)
    customers = world.of_kind(Kind.SEND, Status.PENDING_TRANSACTION_INFO_UPDATE, is_resting=True)
    over = world.of_kind(Kind.WITHDRAWAL, Status.REFUNDED, is_resting=True)
    assert found(client, is_resting="true") == [held]
    assert found(client, is_resting="false") == [over, customers]
    with transaction():
        for row_id in (held, customers, over):
            row = world.row(row_id)
            assert transaction_search.rests(row) == (row_id == held)


def test_transactions_are_chosen_by_kind_status_asset_and_age(
    world: World, client: FlaskClient
) -> None:
    send = world.of_kind(Kind.SEND, Status.PENDING_RECEIVER)
    old = world.of_kind(Kind.DEPOSIT, Status.ON_HOLD)
    sql(f"UPDATE transactions SET started_at = '2020-01-01' WHERE id = '{old}'")
    assert found(client, kind="send") == [send]
    assert found(client, status="on_hold") == [old]
    assert found(client, asset_code="USDC") == [send, old]
    assert found(client, asset_code="EURC") == []
    assert found(client, since="2020-01-01") == [send, old]
    assert found(client, since="2020-01-01T00:00:01Z") == [send]
    assert found(client, kind="send", status="on_hold") == []


@pytest.mark.parametrize(
    "query",
    [
        "transactions?kind=loan",
        "transactions?status=done",
        "transactions?q=a%00b",
        "transactions?q=" + "x" * 201,
        "transactions?since=yesterday",
        "transactions?limit=0",
        "transactions?limit=201",
        "transactions?owner=x",
        "money?of=cash",
        "money?verdict=fine",
        "money?after=x",
        "money?of=rail&account=G",
        "money?rail=bank",
        "money?q=%00",
        "outflows?state=lost",
        "outflows?kind=gift",
        "outflows?after=9223372036854775808",
        "outflows?rail=%00",
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/admin/{query}", headers=bearing())
    assert answer.status_code == 400
    assert answer.json is not None
    assert len(answer.json["error"]) > 10


@pytest.mark.parametrize(
    "path", ["transactions?after=nobody", "transactions/nobody", "transactions/a%00b"]
)
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(f"/admin/{path}", headers=bearing()).status_code == 404


# -- one transaction --------------------------------------------------------------------------


def test_a_transaction_is_told_with_its_money_its_cases_and_who_did_what(
    world: World, client: FlaskClient
) -> None:
    with listening(NO_CONTENT) as wallet:
        row_id = told_to(world, wallet)
        hash_ = world.pay("100", world.memo(row_id))
        world.pay("5", world.memo(row_id))
        world.read()
        desk.hold(row_id, BY)
        deliver()
        begun = give_back(row_id, "40")
        story = asked(client, f"transactions/{row_id}")
    assert (story["status"], story["is_resting"], story["amount"]) == ("on_hold", True, "100")
    assert (story["amount_received"], story["amount_fee"]) == ("100", "1.5")
    assert story["amount_asset"] == f"stellar:{world.policy.id}"
    assert (story["memo_type"], story["memo"]) == ("id", world.memo(row_id))
    assert (story["account"], story["payer"]) == (world.distribution, world.payer.public_key)
    [came, second] = story["arrivals"]
    assert (came["verdict"], came["hash"], came["amount"]) == ("credited", hash_, "100")
    assert (second["verdict"], second["amount"], came["case_id"]) == ("second", "5", None)
    [case] = story["cases"]
    assert (case["id"], case["reason"]) == (second["case_id"], "payment_second")
    [outflow] = story["outflows"]
    assert (outflow["key"], outflow["kind"], outflow["state"]) == (begun.key, "refund", "prepared")
    assert outflow["acts"] == ["cancel-refund"]
    assert [each["what"] for each in story["events"]][:3] == [
        "opened",
        "details_given",
        "funds_received",
    ]
    [act] = [each for each in story["events"] if each["what"] == "hold"]
    assert (act["who"], act["note"]) == (BY.who, BY.note)
    assert next(each for each in story["events"] if each["what"] == "held")["cause"].startswith(
        "act"
    )
    assert story["callbacks"] == {"delivered": 2, "waiting": 0}
    assert story["is_remittance"] is False


def test_details_are_told_by_name_and_no_value_of_them(world: World, client: FlaskClient) -> None:
    row_id = world.paid_withdrawal()
    answer = client.get(f"/admin/transactions/{row_id}", headers=bearing())
    assert answer.json is not None
    assert answer.json["details"] == {"customer": ["bank_account_number"]}
    assert ACCOUNT not in answer.text


def test_whom_a_bank_names_as_payer_is_told_nowhere(world: World, client: FlaskClient) -> None:
    row_id = deposit(world)
    observe("bank", [booked(payer="Grace Hopper DE55")])
    assert world.row(row_id).from_account == "Grace Hopper DE55"
    story = asked(client, f"transactions/{row_id}")
    assert (story["amount_received"], story["payer"]) == ("100", None)
    assert "Grace" not in str(story)
    console = Console(client).sign_in("vera")
    assert "Grace" not in console.get(f"/transactions/{row_id}").text


def test_work_that_waits_is_told_with_what_keeps_it(world: World, client: FlaskClient) -> None:
    row_id = world.paid_withdrawal()
    sql("UPDATE jobs SET attempts = 3, parked_at = now(), last_error = 'the bank says no'")
    [job] = asked(client, f"transactions/{row_id}")["jobs"]
    assert (job["kind"], job["attempts"]) == ("execute_outgoing_transaction", 3)
    assert (job["is_parked"], job["trouble"]) == (True, "the bank says no")
    assert asked(client, f"transactions/{row_id}")["acts"] == sorted(["hold", "refund"])


def test_a_case_that_was_closed_is_told_with_who_closed_it(
    world: World, client: FlaskClient
) -> None:
    row_id = world.paid_withdrawal()
    world.pay("5", world.memo(row_id))
    world.read()
    [case] = desk.listing()
    desk.close(case.id, By("bo", "it was a gift"))
    story = asked(client, f"transactions/{row_id}")
    assert story["cases"][0]["closed_at"] is not None
    assert ("close", "bo", "it was a gift") in [
        (each["what"], each["who"], each["note"]) for each in story["events"]
    ]


def test_a_remittance_is_a_transaction_like_others(pair: Pair) -> None:
    client = pair.ours.app.test_client()
    row_id = pair.begin(key="invoice 17")
    assert found(client, q="invoice 17") == found(client, kind="remittance") == [row_id]
    story = asked(client, f"transactions/{row_id}")
    assert story["is_remittance"] is True
    assert story["details"]["receiver"] == ["first_name", "bank_account_number"]
    assert ACCOUNT not in str(story)


# -- money ------------------------------------------------------------------------------------


def test_payments_are_listed_by_verdict_account_asset_and_hash(
    world: World, client: FlaskClient
) -> None:
    world.paid_withdrawal()
    hash_ = world.pay("7", "text:who is this")
    world.read()
    every = asked(client, "money")["arrivals"]
    assert [each["verdict"] for each in every] == ["unmatched", "credited"]
    odd = every[0]
    assert (odd["memo_type"], odd["memo"], odd["hash"]) == ("text", "who is this", hash_)
    assert (odd["asset"], odd["transaction_id"]) == (f"stellar:{world.policy.id}", None)
    assert [case.id for case in desk.listing()] == [odd["case_id"]]
    assert desk.show(odd["case_id"]).cause == odd["name"]
    for query in (
        {"verdict": "unmatched"},
        {"q": hash_.upper()},
        {"account": world.distribution, "asset": "USDC", "verdict": "unmatched"},
        {"asset": world.policy.id, "limit": 1},
    ):
        assert asked(client, "money", **query)["arrivals"] == [odd], query
    for query in ({"account": "G"}, {"asset": "native"}, {"asset": "?"}, {"verdict": "late"}):
        assert asked(client, "money", **query)["arrivals"] == [], query
    page = asked(client, "money", limit=1)
    assert asked(client, "money", limit=1, after=page["next"])["arrivals"] == every[1:]


def test_what_banks_booked_is_listed_without_who_paid_it(world: World, client: FlaskClient) -> None:
    row_id = deposit(world)
    observe("bank", [booked(), booked("B2", "3", reference="for my holidays")])
    odd, credited = asked(client, "money", of="rail")["arrivals"]
    assert (credited["transaction_id"], credited["verdict"]) == (row_id, "credited")
    assert (odd["rail"], odd["reference"], odd["amount"]) == ("bank", "for my holidays", "3")
    assert (odd["asset"], odd["payer"]) == ("iso4217:USD", None)
    assert odd["case_id"] is not None
    for query in (
        {"verdict": "unmatched"},
        {"q": "B2"},
        {"rail": "bank", "asset": "USD", "limit": 1},
    ):
        assert asked(client, "money", of="rail", **query)["arrivals"] == [odd], query
    assert asked(client, "money", of="rail", rail="post")["arrivals"] == []


def test_what_left_on_the_ledger_is_listed_where_it_is_asked_for(
    world: World, client: FlaskClient
) -> None:
    world.paid_withdrawal()
    sql("UPDATE payments SET direction = 'out', verdict = 'outgoing'")
    assert asked(client, "money")["arrivals"] == []
    [left] = asked(client, "money", verdict="outgoing")["arrivals"]
    assert left["is_outgoing"] is True
    assert asked(client, "money", q=left["hash"])["arrivals"] == [left]


def test_outflows_are_listed_by_kind_state_rail_and_any_word(
    world: World, client: FlaskClient
) -> None:
    puppet(world, RailTraits(), script=["take and fall over", Done(reference="T 5")])
    unknown = world.paid_withdrawal()
    world.work()
    due_now()
    world.work()
    done = world.paid_withdrawal()
    world.work()
    refund = give_back(on_hold(world))
    every = asked(client, "outflows")["outflows"]
    assert [each["kind"] for each in every] == ["refund", "payout", "payout"]
    by_key = {each["key"]: each for each in every}
    assert by_key[f"{unknown}-1"]["acts"] == ["settle"]
    assert by_key[f"{done}-1"]["acts"] == []
    for query, key in (
        ({"state": "unknown"}, f"{unknown}-1"),
        ({"state": "done", "kind": "payout"}, f"{done}-1"),
        ({"q": "T 5"}, f"{done}-1"),
        ({"kind": "refund"}, refund.key),
        ({"rail": "stellar"}, refund.key),
        ({"q": refund.key, "rail": "stellar"}, refund.key),
    ):
        keys = [each["key"] for each in asked(client, "outflows", **query)["outflows"]]
        assert keys == [key], query
    page = asked(client, "outflows", limit=2)
    rest = asked(client, "outflows", limit=2, after=page["next"])
    assert page["outflows"] + rest["outflows"] == every


def test_the_acts_of_an_outflow_are_those_that_the_desk_does(
    world: World, client: FlaskClient
) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    world.paid_withdrawal()
    world.work()
    [left] = asked(client, "outflows")["outflows"]
    assert (left["state"], left["acts"]) == ("unknown", [])
    due_now()
    world.work()
    assert world.cases() == ["outcome_unknown"]
    assert asked(client, "outflows")["outflows"][0]["acts"] == ["settle"]
    attesting.settle(left["key"], BY, is_paid=True)
    assert asked(client, "outflows")["outflows"][0]["acts"] == []


def test_what_operators_look_for_is_found_by_indexes(world: World, client: FlaskClient) -> None:
    """Plans are those of a table that is too large to be read through."""
    row_id = world.paid_withdrawal()
    asked_of: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "FROM transactions" in statement and "ORDER BY" in statement:
            asked_of.append((statement, values))

    db.event.listen(db.engine, "before_cursor_execute", note)
    for query in (
        {},
        {"after": row_id},
        {"is_resting": "true"},
        {"q": row_id},
        {"since": "2020-01-01"},
    ):
        asked(client, "transactions", **query)
    db.event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked_of) == 5
    with transaction():
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        db.session.execute(text("SET LOCAL enable_sort = off"))
        for statement, values in asked_of:
            told = db.session.connection().exec_driver_sql(f"EXPLAIN {statement}", values)
            plan = "\n".join(line for (line,) in told)
            assert "Index Scan" in plan, plan
            assert "Seq Scan on transactions" not in plan, plan
