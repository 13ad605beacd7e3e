"""What SEP-6 shows of transactions, to whom, and what a wallet is told of by itself."""

import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update
from stellar_sdk import Keypair, MuxedAccount

from anchor.extensions import db, transaction
from anchor.integrations.protocols import NeedsInfo
from anchor.lifecycle import DEPOSITS, WITHDRAWALS, Event, Kind, Status
from anchor.models import Callback, Case, Outflow, Transaction
from anchor.services import refunds, sweeps
from anchor.services.callbacks import CALLBACK
from anchor.services.refunds import Order
from anchor.services.transactions import Happening, happened
from tests.authorizing import authorizing, give_away, lumens, operations
from tests.deposits import Bench
from tests.puppets import LOOKS_UP, puppet
from tests.test_callbacks import NO_CONTENT, listening
from tests.transfers import Wallet
from tests.waiting import until
from tests.world import ACCOUNT

OTHER = "FR7630006000011234567890189"


@pytest.mark.conforms("SEP6-70", "SEP6-71", "SEP6-72", "SEP6-73", "E-24")
def test_the_list_is_walked_from_the_newest_on_and_chosen_from_by_kind(holder: Wallet) -> None:
    holder.known()
    assert holder.listed() == []
    ids = [
        *(holder.deposit()["id"] for _ in range(3)),
        *(holder.withdrawal()["id"] for _ in range(3)),
    ]
    newest = ids[::-1]
    same = {"started_at": func.now()}
    with transaction():
        db.session.execute(update(Transaction).where(Transaction.id.in_(ids[1:5])).values(same))
    order = holder.listed()
    assert sorted(order) == sorted(newest)
    assert order[0] in ids[1:5]
    walked, mark = [], None
    while page := holder.listed(limit=2, paging_id=mark):
        assert len(page) <= 2
        walked += page
        mark = page[-1]
    assert walked == order
    assert holder.listed(kind="withdrawal") == [each for each in order if each in ids[3:]]
    for kinds in (["deposit", "withdrawal"], "deposit,withdrawal", ["deposit", "withdrawal"] * 2):
        assert holder.listed(kind=kinds) == order
    assert holder.listed(kind=["deposit-exchange", "withdrawal-exchange"]) == []
    began = holder.seen(order[2])["started_at"]
    assert order[2] in holder.listed(no_older_than=began)
    assert holder.listed(no_older_than="2099-01-01T00:00:00Z") == []
    assert holder.listed(account=holder.world.payer.public_key, lang="es") == order


@pytest.mark.conforms("SEP6-71", "SEP6-72", "SEP6-63", "SEP6-80", "SEP6-82")
def test_what_cannot_be_listed_or_found_is_refused(holder: Wallet) -> None:
    for query in (
        {"asset_code": None},
        {"asset_code": "NOPE"},
        {"kind": "send"},
        {"kind": ["deposit", "nonsense"]},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "many"},
        {"paging_id": "unknown"},
        {"no_older_than": "yesterday"},
    ):
        answer = holder.get("transactions", **{"asset_code": "USDC"} | query)
        assert answer.status_code == 400, query
        assert answer.json["error"]
    assert holder.get("transaction").status_code == 400
    for name in ("id", "stellar_transaction_id", "external_transaction_id"):
        for value in ("unknown", "%", "' OR 1=1"):
            answer = holder.get("transaction", **{name: value})
            assert answer.status_code == 404
            assert answer.json["error"]


@pytest.mark.conforms("SEP6-74", "SEP6-82", "SEP6-84", "GEN-25", "GEN-26")
def test_promise_13_nobody_sees_corrects_or_lists_what_is_somebody_elses(holder: Wallet) -> None:
    holder.known()
    mine = holder.withdrawal()["id"]
    hosted = holder.client.post(
        "/sep24/transactions/withdraw/interactive",
        json={"asset_code": "USDC"},
        headers=holder.headers,
    ).json["id"]
    assert holder.listed() == [mine]
    assert holder.get("transaction", id=hosted).status_code == 404
    shown = holder.client.get(f"/sep24/transaction?id={mine}", headers=holder.headers)
    assert shown.status_code == 404
    assert (
        holder.client.get("/sep24/transactions?asset_code=USDC", headers=holder.headers).json[
            "transactions"
        ][0]["id"]
        == hosted
    )
    foreign = holder.get("transactions", asset_code="USDC", account=Keypair.random().public_key)
    assert foreign.status_code == 403
    assert "type" not in foreign.json
    for query in ({"memo": "5"}, {"keys": Keypair.random()}):
        holder.log_in(query.pop("keys", None), **query)
        assert holder.listed() == []
        assert holder.get("transaction", id=mine).status_code == 404
        assert holder.get("transactions", asset_code="USDC", paging_id=mine).status_code == 400
        patched = holder.client.patch(
            f"/sep6/transactions/{mine}", json={"transaction": {"a": "b"}}, headers=holder.headers
        )
        assert patched.status_code == 404
    holder.log_in(memo="5")
    own = holder.withdrawal()["id"]
    muxed = MuxedAccount(holder.world.payer.public_key, 5).account_muxed
    holder.log_in(account=muxed or "")
    assert holder.listed(account=muxed) == [own]


@pytest.mark.conforms("SEP6-80", "SEP6-81", "SEP6-83", "SEP6-45", "E-25")
def test_a_transaction_is_found_by_any_of_its_ids_and_looks_as_in_the_list(holder: Wallet) -> None:
    holder.known()
    opened, other = holder.withdrawal()["id"], holder.withdrawal()["id"]
    paid = holder.pay(opened)
    holder.world.work()
    done = holder.seen(opened)
    assert done["stellar_transaction_id"] == paid
    ids = {
        "id": opened,
        "stellar_transaction_id": paid,
        "external_transaction_id": done["external_transaction_id"],
    }
    plain = {name: value for name, value in done.items() if name != "more_info_url"}
    for query in (*({name: value} for name, value in ids.items()), ids):
        found = holder.get("transaction", **query).json["transaction"]
        del found["more_info_url"]
        assert found == plain
    assert holder.get("transaction", **ids | {"id": other}).status_code == 404
    listed = holder.get("transactions", asset_code="USDC").json["transactions"]
    [same] = [each for each in listed if each["id"] == opened]
    del same["more_info_url"]
    assert same == plain


@pytest.mark.conforms("SEP6-45", "CAP27-03")
def test_a_payment_to_a_muxed_address_counts_as_one_with_the_memo(holder: Wallet) -> None:
    holder.known()
    opened = holder.withdrawal()
    to = MuxedAccount(holder.world.distribution, int(opened["memo"]))
    holder.world.pay("100", to=to)
    holder.world.read()
    assert holder.seen(opened["id"])["status"] == "pending_anchor"


@pytest.mark.conforms("SEP6-93", "SEP6-46")
def test_a_payment_that_differs_a_little_is_taken_where_the_asset_says_so(holder: Wallet) -> None:
    holder.known()
    holder.serve(matching="tolerance", tolerance_percent=Decimal(10))
    opened = holder.withdrawal()["id"]
    assert holder.seen(opened)["amount_in"] == "100"
    holder.pay(opened, "92")
    holder.world.work()
    done = holder.seen(opened)
    assert (done["status"], done["amount_in"]) == ("completed", "92")
    assert (done["amount_fee"], done["amount_out"]) == ("1.46", "90.54")
    assert done["fee_details"]["total"] == done["amount_fee"]


@pytest.mark.conforms("SEP6-41")
@pytest.mark.parametrize("asked", [{"refund_memo": "come back", "refund_memo_type": "text"}, {}])
def test_a_refund_carries_the_memo_that_was_asked_for_or_that_of_the_payment(
    holder: Wallet, asked: dict[str, str]
) -> None:
    holder.known()
    opened = holder.withdrawal(**asked)
    holder.pay(opened["id"])
    happened(Happening(opened["id"], Event.HELD, "a test"))
    arrival = refunds.of_transaction(opened["id"])
    refunds.begin(Order(arrival.cause, None, "somebody"))
    bench = Bench(holder.world)
    bench.wait(opened["id"], "refunded")
    payer = holder.world.payer.public_key
    sent = holder.world.sandbox_get(f"/accounts/{payer}/transactions", order="desc")
    newest = sent["_embedded"]["records"][0]
    expected = ("text", "come back") if asked else ("id", opened["memo"])
    assert (newest["memo_type"], newest["memo"]) == expected
    done = holder.seen(opened["id"])
    assert done["refunded"] is True
    assert done["refunds"]["amount_refunded"] == "100"
    assert done["refunds"]["payments"][0]["id_type"] == "stellar"


def needing(holder: Wallet, *answers: NeedsInfo) -> str:
    """Bring a withdrawal to where its rail wants details again; return its id."""
    opened: str = holder.withdrawal()["id"]
    puppet(holder.world, LOOKS_UP, script=[*answers])
    holder.pay(opened)
    holder.world.work()
    assert holder.world.status(opened) == "pending_transaction_info_update"
    return opened


def patch(holder: Wallet, opened: str, **fields: Any) -> Any:
    return holder.client.patch(
        f"/sep6/transactions/{opened}", json={"transaction": fields}, headers=holder.headers
    )


@pytest.mark.conforms("SEP6-91", "SEP6-110", "SEP6-111", "SEP6-112", "GEN-11")
def test_details_that_the_rail_wants_again_are_corrected_and_it_is_paid_out(
    holder: Wallet,
) -> None:
    holder.known()
    early = holder.withdrawal()["id"]
    wrong = {"bank_account_number": "The bank does not know this account"}
    opened = needing(holder, NeedsInfo(wrong, "Please look at it again"))
    shown = holder.seen(opened)
    assert shown["required_info_message"] == "Please look at it again"
    told = {"bank_account_number": {"description": wrong["bank_account_number"]}}
    assert shown["required_info_updates"] == {"transaction": told}
    for fields in ({}, {"bank_account_number": ""}, {"bank_account_number": "x" * 600}):
        assert patch(holder, opened, **fields).status_code == 400
    for fields in ({"bank_account_number": OTHER, "more": "x"}, {"bank_account_number": 5}):
        assert patch(holder, opened, **fields).status_code == 400
    for body in ({}, {"transaction": []}, [], {"transaction": {"bank_account_number": None}}):
        answer = holder.client.patch(
            f"/sep6/transactions/{opened}", json=body, headers=holder.headers
        )
        assert answer.status_code == 400
    assert holder.world.row(opened).details == {"bank_account_number": ACCOUNT}
    assert patch(holder, early, bank_account_number=OTHER).status_code == 400
    assert patch(holder, "unknown", bank_account_number=OTHER).status_code == 404
    answer = patch(holder, opened, bank_account_number=OTHER)
    assert answer.status_code == 200
    assert answer.json["transaction"]["status"] == "pending_anchor"
    assert "required_info_updates" not in answer.json["transaction"]
    again = patch(holder, opened, bank_account_number=ACCOUNT)
    assert again.status_code == 400
    holder.world.work()
    assert holder.seen(opened)["status"] == "completed"
    first, second = holder.world.outflows(opened)
    assert (first.state, second.state) == ("refused", "done")
    assert {first.key, second.key} == {f"{opened}-1", f"{opened}-2"}
    assert holder.world.row(opened).details == {"bank_account_number": OTHER}
    with transaction():
        assert db.session.scalar(select(Case.id).where(Case.closed_at.is_(None))) is None


@pytest.mark.conforms("SEP6-111")
def test_details_may_be_wanted_a_second_time(holder: Wallet) -> None:
    holder.known()
    wrong = NeedsInfo({"bank_account_number": "no such account"})
    opened = needing(holder, wrong, wrong)
    for status in ("pending_transaction_info_update", "completed"):
        assert patch(holder, opened, bank_account_number=OTHER).status_code == 200
        holder.world.work()
        assert holder.seen(opened)["status"] == status


def test_promise_05_nothing_is_corrected_while_money_is_on_its_way(holder: Wallet) -> None:
    holder.known()
    opened = needing(holder, NeedsInfo({"bank_account_number": "no such account"}))
    arrival = refunds.of_transaction(opened)
    refunds.begin(Order(arrival.cause, None, "somebody"))
    answer = patch(holder, opened, bank_account_number=OTHER)
    assert answer.status_code == 400
    assert "on its way" in answer.json["error"]
    holder.world.work()
    with transaction():
        payouts = Outflow.transaction_id == opened, Outflow.kind == "payout"
        assert db.session.scalar(select(func.count()).where(*payouts)) == 1


@pytest.mark.conforms("SEP6-102", "CB-01", "CB-04", "CB-06")
def test_each_change_of_status_is_told_once_signed_as_the_door_shows_it(holder: Wallet) -> None:
    with listening(NO_CONTENT) as told:
        url = f"http://127.0.0.1:{told.port}/told"
        opened = holder.withdrawal(on_change_callback=url, lang="es")["id"]
        holder.known()
        holder.pay(opened)
        holder.world.work()
        sweeps.work_off([CALLBACK])
        found = [(headers, json.loads(body)["transaction"]) for headers, body in told.requests]
    assert [each["status"] for _, each in found] == [
        "pending_customer_info_update",
        "pending_user_transfer_start",
        "pending_anchor",
        "completed",
    ]
    for headers, _ in found:
        assert headers["Signature"].startswith("t=")
    shown = holder.get("transaction", id=opened, lang="es").json
    last, now = found[-1][1], shown["transaction"]
    assert {**last, "more_info_url": ""} == {**now, "more_info_url": ""}
    with transaction():
        assert db.session.scalar(select(func.count(Callback.id))) == 4


@pytest.mark.conforms("SEP6-28", "SEP6-29", "SEP6-30")
@pytest.mark.parametrize("balances", ["true", "false"])
def test_without_a_trust_line_it_waits_or_is_a_claimable_balance_where_the_wallet_takes_them(
    holder: Wallet, balances: str
) -> None:
    holder.known()
    bench = Bench(holder.world)
    nobody, newcomer = bench.account(trusts=False), Keypair.random()
    opened = holder.deposit(account=nobody.public_key, claimable_balance_supported=balances)["id"]
    holder.pay_in(opened)
    if balances == "true":
        until(lambda: holder.worked(opened) == "completed", 40)
        assert len(holder.seen(opened)["claimable_balance_id"]) == 72
        return
    created = holder.deposit(account=newcomer.public_key)["id"]
    holder.pay_in(created)
    for one, keys in ((opened, nobody), (created, newcomer)):
        until(lambda one=one: holder.worked(one) == "pending_trust", 40)
        assert "user_action_required_by" in holder.seen(one)
        bench.trust(keys)
        bench.wait(one, hurry=True)
        done = holder.seen(one)
        assert (done["status"], done["to"]) == ("completed", keys.public_key)


@pytest.mark.conforms("SEP6-29")
def test_who_lacks_xlm_for_a_line_is_sent_it_and_an_auth_required_line_is_authorized(
    holder: Wallet,
) -> None:
    holder.known()
    bench = Bench(holder.world)
    authorizing(bench)
    keys = bench.account(trusts=False)
    give_away(bench, keys, "1.2")
    opened = holder.deposit(account=keys.public_key)["id"]
    assert lumens(bench, keys.public_key) == "1.2000000"
    holder.pay_in(opened)
    until(lambda: holder.worked(opened) == "pending_trust", 40)
    assert lumens(bench, keys.public_key) == "1.5100000"
    bench.trust(keys)
    bench.wait(opened, hurry=True)
    assert holder.seen(opened)["status"] == "completed"
    types = [each["type"] for each in operations(bench, opened)]
    assert types == ["set_trust_line_flags", "payment"]


@pytest.mark.conforms("SEP6-92", "SEP6-90", "ST-06", "V-14")
@pytest.mark.parametrize("kind", [*DEPOSITS, *WITHDRAWALS])
def test_every_status_is_shown_in_its_own_word_with_the_fields_of_its_kind(
    holder: Wallet, kind: Kind
) -> None:
    from anchor import lifecycle

    deposits = (Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE)
    for status in lifecycle.statuses_of(kind):
        more: dict[str, Any] = {"reference": f"REF{status}{kind}"} if kind in deposits else {}
        row_id = holder.world.of_kind(kind, Status(status), **more)
        seen = holder.seen(row_id)
        assert (seen["kind"], seen["status"]) == (kind, status)
        assert {"from", "to"} <= seen.keys()
        assert seen["refunded"] is (status == "refunded")
        if kind in deposits:
            assert not [name for name in seen if name.startswith("withdraw_")]
            assert ("instructions" in seen) is (status == "pending_user_transfer_start")
        else:
            assert seen["withdraw_anchor_account"] == holder.world.distribution
            assert not {"deposit_memo", "claimable_balance_id", "instructions"} & seen.keys()
