"""What SEP-24 shows of a transaction: refunds, balances to claim, fees, languages, owners."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from anchor.extensions import db, transaction
from anchor.integrations.protocols import ReadyForPickup
from anchor.models import Transaction
from anchor.money import parse_amount
from anchor.policies import RefundPolicy
from anchor.services import desk, refunds
from anchor.services.acts import By
from tests.authorizing import authorizing, give_away, lumens, operations
from tests.deposits import Bench
from tests.puppets import puppet
from tests.test_refunds import give_back, settle
from tests.test_refunds import work as work_off
from tests.visiting import Visitor
from tests.waiting import until
from tests.world import ACCOUNT, World

ME = By("ann", "the customer asked")
WITHDRAW = "/sep24/transactions/withdraw/interactive"
DEPOSIT = "/sep24/transactions/deposit/interactive"


@pytest.fixture
def client(world: World) -> Any:
    world.fund()
    return world.app.test_client()


def opened(world: World, client: Any, path: str = WITHDRAW, **body: Any) -> str:
    """Open a transaction and fill in its pages; return its id."""
    asked = {"asset_code": "USDC", "amount": "100"} | body
    answer = client.post(path, json=asked, headers=world.log_in(client))
    assert answer.status_code == 200, answer.text
    Visitor(client, answer.json["url"]).fill_in(bank_account_number=ACCOUNT)
    return str(answer.json["id"])


def paid(world: World, client: Any, **body: Any) -> str:
    row_id = opened(world, client, **body)
    world.pay("100", world.memo(row_id))
    world.read()
    return row_id


@pytest.mark.conforms("SEP24-33")
@pytest.mark.parametrize(
    ("came", "fee", "out"), [("90", "1.45", "88.55"), ("110", "1.55", "108.45")]
)
def test_a_payment_within_so_much_per_cent_is_taken_and_its_fee_reckoned_anew(
    world: World, client: Any, came: str, fee: str, out: str
) -> None:
    _tolerate(world)
    row_id = opened(world, client)
    world.pay(came, world.memo(row_id))
    world.read()
    world.work()
    found = shown(world, client, row_id)
    assert (found["status"], found["amount_in"]) == ("completed", came)
    assert (found["amount_fee"], found["amount_out"]) == (fee, out)


@pytest.mark.conforms("SEP24-33")
@pytest.mark.parametrize(
    ("came", "verdict"), [("89.9999999", "too_small"), ("110.0000001", "too_large")]
)
def test_promise_03_per_cent_end_where_they_say(
    world: World, client: Any, came: str, verdict: str
) -> None:
    _tolerate(world)
    row_id = opened(world, client)
    world.pay(came, world.memo(row_id))
    world.read()
    assert world.verdicts() == [verdict]
    assert world.paid_by_bank() == 0


def _tolerate(world: World) -> None:
    found = world.app.extensions["anchor"]
    policy = replace(world.policy, matching="tolerance", tolerance_percent=Decimal(10))
    settings = replace(found.settings, assets={"USDC": policy})
    world.app.extensions["anchor"] = replace(found, settings=settings)


def shown(world: World, client: Any, row_id: str, **query: str) -> dict[str, Any]:
    answer = client.get(
        "/sep24/transaction", query_string={"id": row_id} | query, headers=world.log_in(client)
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["transaction"]
    return found


@pytest.mark.conforms("SEP24-01", "SEP24-04")
def test_the_endpoints_want_a_session_and_any_origin_may_read_them(
    world: World, client: Any
) -> None:
    origin = {"Origin": "https://wallet.example"}
    info = client.get("/sep24/info", headers=origin)
    assert info.status_code == 200
    headers = world.log_in(client) | origin
    good = [
        client.get("/sep24/transactions?asset_code=USDC", headers=headers),
        client.post(WITHDRAW, json={"asset_code": "USDC"}, headers=headers),
        client.post(DEPOSIT, json={"asset_code": "USDC"}, headers=headers),
    ]
    bad = [
        client.get("/sep24/transactions?asset_code=USDC", headers=origin),
        client.post(WITHDRAW, json={"asset_code": "USDC"}, headers=origin),
        client.post(WITHDRAW, json={"asset_code": "X"}, headers=headers),
    ]
    assert [each.status_code for each in good] == [200] * 3
    assert [each.status_code for each in bad] == [403, 403, 400]
    for answer in (info, *good, *bad):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    asked = {"Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization, content-type"
    for path in (WITHDRAW, DEPOSIT):
        preflight = client.options(path, headers=origin | asked)
        assert preflight.status_code == 200
        assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.conforms("SEP24-30", "SEP24-20", "SEP24-24", "E-11")
def test_a_withdrawal_is_refused_and_answered_as_a_deposit_is(world: World, client: Any) -> None:
    headers = world.log_in(client)
    for body in ({}, {"asset_code": "X"}, {"asset_code": "USDC", "account": "G"}):
        for path in (WITHDRAW, DEPOSIT):
            answer = client.post(path, json=body, headers=headers)
            assert answer.status_code == 400
            assert set(answer.json) == {"error"}
    for path in (WITHDRAW, DEPOSIT):
        answer = client.post(path, json={"asset_code": "USDC"}, headers=headers)
        assert set(answer.json) == {"type", "url", "id"}
        assert answer.json["type"] == "interactive_customer_info_needed"


@pytest.mark.conforms("SEP24-64")
def test_promise_13_nobody_else_sees_a_transaction(world: World, client: Any) -> None:
    row_id = opened(world, client)
    assert shown(world, client, row_id)["id"] == row_id
    for keys, more in ((Keypair.random(), {}), (world.payer, {"memo": "5"})):
        headers = world.log_in(client, keys, **more)
        answer = client.get(f"/sep24/transaction?id={row_id}", headers=headers)
        assert (answer.status_code, set(answer.json)) == (404, {"error"})
        listed = client.get("/sep24/transactions?asset_code=USDC", headers=headers)
        assert listed.json == {"transactions": []}


@pytest.mark.conforms("SEP24-65")
def test_the_message_and_the_page_are_in_the_language_asked_for(world: World, client: Any) -> None:
    row_id = opened(world, client)
    with transaction():
        db.session.get_one(Transaction, row_id).message = "We cannot offer you this service."
    said = {
        "es": "No podemos ofrecerle este servicio.",
        "fr-CA": "Nous ne pouvons pas vous proposer ce service.",
        "en": "We cannot offer you this service.",
    }
    for lang, message in said.items():
        found = shown(world, client, row_id, lang=lang)
        assert found["message"] == message
        page = world.app.test_client().get(found["more_info_url"].removeprefix("http://localhost"))
        assert page.status_code == 200
        assert f'<html lang="{lang[:2]}">' in page.text
        assert message in page.text.replace("&#39;", "'")
    headers = world.log_in(client)
    listed = client.get("/sep24/transactions?asset_code=USDC&lang=es", headers=headers)
    assert listed.json["transactions"][0]["message"] == said["es"]


@pytest.mark.conforms("SEP24-101", "SEP24-102", "V-10")
def test_what_is_paid_out_is_told_early_and_to_whom_is_masked(world: World, client: Any) -> None:
    row_id = opened(world, client)
    found = shown(world, client, row_id)
    assert (found["amount_in"], found["amount_out"]) == ("100", "98.5")
    assert found["to"] == "*" * (len(ACCOUNT) - 4) + ACCOUNT[-4:]
    for name in ("more_info_url", "started_at", "from", "amount_in_asset", "amount_out_asset"):
        assert found[name]
    assert client.get(f"/sep24/transaction?id={row_id}").status_code == 403


@pytest.mark.conforms("SEP24-32")
@pytest.mark.parametrize("strict", ["send", "receive"])
def test_a_path_payment_is_seen_and_a_merge_credits_nothing(
    world: World, client: Any, strict: str
) -> None:
    row_id = opened(world, client)
    builder = world.builder(world.payer.public_key)
    append = getattr(builder, f"append_path_payment_strict_{strict}_op")
    append(world.distribution, world.asset, "100", world.asset, "100", [])
    world.add_memo(builder, world.memo(row_id))
    world.submit(builder, world.payer)
    world.read()
    assert shown(world, client, row_id)["status"] == "pending_anchor"
    other = opened(world, client)
    merging = Keypair.random()
    world.create(merging.public_key)
    builder = world.builder(merging.public_key).append_account_merge_op(world.distribution)
    world.add_memo(builder, world.memo(other))
    world.submit(builder, merging)
    world.read()
    assert shown(world, client, other)["status"] == "pending_user_transfer_start"


@pytest.mark.conforms("SEP24-34", "SEP24-104")
def test_money_that_is_ready_to_be_fetched_is_told(world: World, client: Any) -> None:
    puppet(world, script=[ReadyForPickup("PIN 1234", "Bring your passport.")])
    row_id = paid(world, client)
    world.work()
    assert shown(world, client, row_id)["status"] == "pending_user_transfer_complete"


@pytest.mark.conforms("SEP24-105", "SEP24-104")
def test_what_is_held_says_so(world: World, client: Any) -> None:
    row_id = paid(world, client)
    desk.hold(row_id, ME)
    assert shown(world, client, row_id)["status"] == "on_hold"


@pytest.mark.conforms("SEP24-31")
@pytest.mark.parametrize(
    ("kind", "memo", "found"), [("text", "give back", "give back"), ("id", "77", "77")]
)
def test_a_refund_has_the_memo_that_was_asked_for(
    world: World, client: Any, kind: str, memo: str, found: str
) -> None:
    row_id = paid(world, client, refund_memo=memo, refund_memo_type=kind)
    desk.hold(row_id, ME)
    give_back(row_id)
    settle(world, row_id)
    listed = world.sandbox_get(f"/accounts/{world.payer.public_key}/transactions", order="desc")
    newest = listed["_embedded"]["records"][0]
    assert (newest["memo_type"], newest["memo"]) == (kind, found)
    assert shown(world, client, row_id)["status"] == "refunded"


@pytest.mark.conforms("SEP24-31", "GEN-37")
@pytest.mark.parametrize(
    "body",
    [
        {"refund_memo": "5"},
        {"refund_memo_type": "id"},
        {"refund_memo": "x", "refund_memo_type": "id"},
        {"refund_memo": "x" * 40, "refund_memo_type": "text"},
        {"refund_memo": "5", "refund_memo_type": "return"},
    ],
)
def test_a_refund_memo_that_is_none_is_refused(world: World, client: Any, body: Any) -> None:
    answer = client.post(WITHDRAW, json={"asset_code": "USDC"} | body, headers=world.log_in(client))
    assert answer.status_code == 400
    assert answer.json["error"]


@pytest.mark.conforms(
    "SEP24-80", "SEP24-81", "SEP24-82", "SEP24-83", "SEP24-84", "SEP24-85", "ST-01", "E-09"
)
def test_a_refund_in_part_and_then_the_rest_paid_out(world: World, client: Any) -> None:
    policy = replace(world.policy, refund=RefundPolicy(fee=parse_amount("0.5")))
    Bench(world).serve(policy)
    row_id = paid(world, client)
    desk.hold(row_id, ME)
    for part in ("30", "10"):
        before = world.row(row_id).amount_refunded
        _part(row_id, part)
        until(lambda b=before: work_off(world) or world.row(row_id).amount_refunded > b, 30)
    desk.release(row_id, ME)
    world.work()
    found = shown(world, client, row_id)
    assert (found["status"], found["refunded"]) == ("completed", False)
    told = found["refunds"]
    assert set(told) == {"amount_refunded", "amount_fee", "payments"}
    assert len(told["payments"]) == 2
    for each in told["payments"]:
        assert set(each) == {"id", "id_type", "amount", "fee"}
        assert each["id_type"] == "stellar"
        assert each["id"]
    for name, part in (("amount_refunded", "amount"), ("amount_fee", "fee")):
        assert Decimal(told[name]) == sum(Decimal(p[part]) for p in told["payments"])
    assert Decimal(found["amount_out"]) == (
        Decimal(found["amount_in"])
        - Decimal(found["fee_details"]["total"])
        - Decimal(told["amount_refunded"])
        - Decimal(told["amount_fee"])
    )


def _part(row_id: str, part: str) -> None:
    cause = refunds.of_transaction(row_id).cause
    refunds.begin(refunds.Order(cause, parse_amount(part), "ann", "asked for"))


@pytest.mark.conforms("SEP24-81", "SEP24-82", "SEP24-84")
def test_all_of_it_sent_back_is_refunded(world: World, client: Any) -> None:
    row_id = paid(world, client)
    desk.hold(row_id, ME)
    give_back(row_id)
    settle(world, row_id)
    found = shown(world, client, row_id)
    assert (found["status"], found["refunded"]) == ("refunded", True)
    assert found["refunds"]["amount_refunded"] == found["amount_in"] == "100"
    assert found["refunds"]["amount_fee"] == "0"
    assert found["completed_at"]


@pytest.mark.conforms("E-09", "SEP24-82", "SEP24-84")
def test_all_of_it_sent_back_less_a_fee_is_refunded_too(world: World, client: Any) -> None:
    Bench(world).serve(replace(world.policy, refund=RefundPolicy(fee=parse_amount("0.5"))))
    row_id = paid(world, client)
    desk.hold(row_id, ME)
    give_back(row_id)
    settle(world, row_id)
    found = shown(world, client, row_id)
    assert (found["status"], found["refunded"]) == ("refunded", True)
    told = found["refunds"]
    assert (told["amount_refunded"], told["amount_fee"]) == ("99.5", "0.5")


@pytest.fixture
def bench(world: World, client: Any) -> Bench:
    return Bench(world)


def deposited(bench: Bench, client: Any, account: str, **body: Any) -> str:
    """Open a deposit, fill in its pages, and let its money come; return its id."""
    row_id = opened(bench.world, client, DEPOSIT, account=account, **body)
    bench.fund(row_id)
    return row_id


@pytest.mark.conforms("SEP24-28", "SEP24-71")
@pytest.mark.parametrize("exists", [True, False])
def test_a_deposit_waits_for_its_trust_line_and_then_goes_on(
    bench: Bench, client: Any, exists: bool
) -> None:
    keys = bench.account(trusts=False) if exists else Keypair.random()
    row_id = deposited(bench, client, keys.public_key)
    bench.wait(row_id, "pending_trust", hurry=True)
    waiting = shown(bench.world, client, row_id)
    assert (waiting["status"], waiting["claimable_balance_id"]) == ("pending_trust", None)
    bench.trust(keys)
    bench.wait(row_id, hurry=True)
    done = shown(bench.world, client, row_id)
    assert done["status"] == "completed"
    assert Decimal(bench.held(keys.public_key)) == Decimal(done["amount_out"])


@pytest.mark.conforms("SEP24-28")
@pytest.mark.parametrize("takes", ["true", "false"])
def test_who_lacks_xlm_for_a_line_is_sent_it_and_an_auth_required_line_is_authorized(
    bench: Bench, client: Any, takes: str
) -> None:
    authorizing(bench)
    keys = bench.account(trusts=False)
    give_away(bench, keys, "1.2")
    more = {"claimable_balance_supported": takes}
    if takes == "true":
        policy = bench.world.app.extensions["anchor"].settings.assets["USDC"]
        offers = replace(policy.delivery, claimable_balances=False)
        bench.serve(replace(policy, delivery=offers))
    row_id = deposited(bench, client, keys.public_key, **more)
    bench.wait(row_id, "pending_trust", hurry=True)
    assert shown(bench.world, client, row_id)["status"] == "pending_trust"
    assert lumens(bench, keys.public_key) == "1.5100000"
    bench.trust(keys)
    bench.wait(row_id, hurry=True)
    done = shown(bench.world, client, row_id)
    assert (done["status"], done["amount_fee"]) == ("completed", "2")
    assert Decimal(bench.held(keys.public_key)) == Decimal(done["amount_out"])
    types = [each["type"] for each in operations(bench, row_id)]
    assert types == ["set_trust_line_flags", "payment"]


@pytest.mark.conforms("SEP24-70", "SEP24-72", "SEP24-73", "SEP24-74")
def test_a_balance_to_claim_keeps_the_memo_of_its_deposit(bench: Bench, client: Any) -> None:
    assert client.get("/sep24/info").json["features"]["claimable_balances"] is True
    keys = bench.account(trusts=False)
    more = {"claimable_balance_supported": "true", "memo": "77", "memo_type": "id"}
    row_id = deposited(bench, client, keys.public_key, **more)
    assert bench.world.row(row_id).takes_claimable_balance
    bench.wait(row_id)
    found = shown(bench.world, client, row_id)
    assert found["status"] == "completed"
    balance_id = found["claimable_balance_id"]
    assert len(balance_id) == 72
    assert balance_id.startswith("00000000")
    balance = bench.world.sandbox_get(f"/claimable_balances/{balance_id}")
    [claimant] = [c for c in balance["claimants"] if c["destination"] == keys.public_key]
    assert set(claimant["predicate"]) == {"abs_before", "abs_before_epoch"}, "until it is reclaimed"
    assert balance["asset"] == bench.world.policy.id
    assert Decimal(balance["amount"]) == Decimal(found["amount_out"])
    sent = bench.world.sandbox_get(f"/transactions/{found['stellar_transaction_id']}")
    assert (sent["memo_type"], sent["memo"]) == ("id", "77")
    done = bench.world.sandbox_get(f"/transactions/{found['stellar_transaction_id']}/operations")
    types = [each["type"] for each in done["_embedded"]["records"]]
    assert types == ["create_claimable_balance"]


@pytest.mark.conforms("SEP24-73")
def test_a_muxed_destination_waits_for_its_trust_line_so_that_no_id_is_lost(
    bench: Bench, client: Any
) -> None:
    keys = bench.account(trusts=False)
    muxed = MuxedAccount(keys.public_key, 77).universal_account_id
    row_id = deposited(bench, client, muxed, claimable_balance_supported="true")
    bench.wait(row_id, "pending_trust", hurry=True)
    bench.trust(keys)
    bench.wait(row_id, hurry=True)
    found = shown(bench.world, client, row_id)
    assert (found["to"], found["claimable_balance_id"]) == (muxed, None)
    sent = bench.world.sandbox_get(f"/transactions/{found['stellar_transaction_id']}/operations")
    [payment] = sent["_embedded"]["records"]
    assert payment["to_muxed"] == muxed


def test_the_pages_of_each_status_say_what_comes_next(world: World, client: Any) -> None:
    row_id = paid(world, client)
    page = client.get(
        shown(world, client, row_id)["more_info_url"].removeprefix("http://localhost")
    ).text
    assert "Being processed" in page
    assert '<li class="done"><span>Your payment</span></li>' in page
    assert '<li class="now" aria-current="step"><span>Received</span></li>' in page
    world.work()
    page = client.get(
        shown(world, client, row_id)["more_info_url"].removeprefix("http://localhost")
    ).text
    assert '<h1 class="good">Done</h1>' in page
    assert "http-equiv" not in page, "what is over is not looked at again"
