"""The other anchor misbehaves, or says no: what we send is paid once, or owed to its sender."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text
from stellar_sdk import Asset
from werkzeug.wrappers import Response

from anchor.extensions import db, settings, transaction
from anchor.ledger.keys import account_of
from anchor.models import Payment
from anchor.services import brakes, desk, passes, refunds, remitting, restore
from anchor.services.acts import By
from anchor.services.policy_refunds import owe as owe_policy
from anchor.services.refunds import Order
from tests.remitting import Pair

BY = By("an operator", "because")
_POST = "POST /sep31/transactions"
_GET = "GET /sep31/transactions"


def once(pair: Pair, begins: str, status: int, body: Any = None) -> list[int]:
    """Let the next answer to such a request be another one, though it was acted on."""
    left = [1]

    def twist(method: str, path: str, told: int, found: Any) -> tuple[int, Any]:
        if left[0] and f"{method} {path}".startswith(begins):
            left[0] -= 1
            return status, found if body is None else body
        return told, found

    pair.mask.twist = twist
    return left


def changed(pair: Pair, **changes: Any) -> None:
    """Let their transactions be shown with what is changed."""

    def change(_path: str, found: Any) -> Any:
        if "transaction" in found:
            found["transaction"] |= changes
        return found

    pair.answer(change, of=_GET)


def there(pair: Pair) -> list[str]:
    return [row.status for row in pair.received()]


# -- before it is paid -------------------------------------------------------------------------


def test_promise_06_a_transaction_whose_making_timed_out_is_made_anew_and_one_is_paid(
    pair: Pair,
) -> None:
    left = once(pair, _POST, 504)
    row_id = pair.paid()
    assert left == [0]
    assert len(pair.received()) == 2
    pair.deliver()
    assert sorted(there(pair)) == ["completed", "pending_sender"]
    pair.until(row_id, "completed")
    assert pair.delivered() == [100_00]
    assert pair.notes() == []
    pair.agree()


class Killed(BaseException):
    """What no handler catches."""


def die_at(step: str, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work until this step of bringing a remittance on, and be gone there."""

    def dies(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(remitting, step, dies)
        with pytest.raises(Killed):
            pair.work()


def test_promise_06_what_was_agreed_and_not_stored_is_agreed_anew(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = pair.begin()
    die_at("_agreed", pair, monkeypatch)
    pair.until(row_id, "pending_external")
    assert len(pair.received()) == 2
    assert pair.mask.count("PUT") == 4
    pair.deliver()
    assert pair.delivered() == [100_00]


def test_promise_06_what_was_stored_and_not_paid_is_paid_as_it_was_stored(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = pair.begin()
    die_at("_pay", pair, monkeypatch)
    assert pair.ours.row(row_id).destination == pair.theirs.distribution
    pair.until(row_id, "pending_external")
    assert len(pair.received()) == 1


def test_customers_are_known_there_once_however_often_they_are_given(pair: Pair) -> None:
    once(pair, _POST, 504)
    pair.paid()
    with pair.theirs.app.app_context(), transaction():
        assert db.session.execute(text("SELECT count(*) FROM customers")).scalar_one() == 2


def test_promise_03_an_account_that_changes_after_it_was_stored_is_not_paid(pair: Pair) -> None:
    row_id = pair.begin()
    changed(pair, stellar_account_id=pair.theirs.payer.public_key)
    pair.work()
    assert pair.ours.status(row_id) == "on_hold"
    [(reason, note, owed)] = pair.notes()
    assert (reason, owed) == ("remittance_refused", 100_0000000)
    assert "names another account or memo than it did before" in str(note)
    assert pair.ours.outflows(row_id) == []
    pair.mask.twist = None
    desk.release(row_id, BY)
    pair.until(row_id, "pending_external")
    assert pair.ours.row(row_id).destination == pair.theirs.distribution


@pytest.mark.parametrize(
    "changes", [{"amount_in_asset": "stellar:USDC:OTHER"}, {"amount_in": "101"}]
)
def test_promise_03_another_asset_or_amount_than_was_agreed_is_not_paid(
    pair: Pair, changes: Any
) -> None:
    row_id = pair.begin()
    changed(pair, **changes)
    pair.work()
    assert pair.ours.status(row_id) == "on_hold"
    assert "another asset or amount" in str(pair.notes()[0][1])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"stellar_memo": None, "stellar_memo_type": None}, "it names no memo to pay under"),
        ({"stellar_account_id": "ours"}, "it names an account of ours to pay to"),
        ({"stellar_account_id": "GNOBODY"}, "account must be a Stellar address"),
        ({"stellar_memo": "9" * 30}, "an id memo is a whole number of 64 bits"),
        ({"id": "../../kyc/customer"}, "gave no id"),
        ({"id": None}, "gave no id"),
    ],
)
def test_promise_14_an_answer_that_cannot_be_paid_is_a_persons(
    pair: Pair, answer: Any, said: str
) -> None:
    if answer.get("stellar_account_id") == "ours":
        answer = {"stellar_account_id": pair.ours.distribution}
    pair.answer(lambda _path, found: found | answer, of=_POST)
    row_id = pair.begin()
    pair.work()
    assert pair.ours.status(row_id) == "on_hold"
    assert said in str(pair.notes()[0][1])
    assert pair.ours.outflows(row_id) == []


def test_an_account_that_cannot_take_the_asset_is_not_paid(pair: Pair) -> None:
    stranger = {"stellar_account_id": pair.theirs.payer.public_key}

    def both(method: str, path: str, status: int, found: Any) -> tuple[int, Any]:
        if f"{method} {path}".startswith(_POST):
            found |= stranger
        elif f"{method} {path}".startswith(_GET):
            found["transaction"] |= stranger
        return status, found

    pair.mask.twist = both
    row_id = pair.begin()
    pair.work()
    assert pair.ours.status(row_id) == "on_hold"
    [(reason, note, _)] = pair.notes()
    assert reason == "remittance_cannot_be_paid"
    assert "op_no_destination" in str(note)


def test_an_account_that_cannot_take_it_any_more_as_it_is_paid_is_a_persons(pair: Pair) -> None:
    row_id = pair.begin()
    brakes.pause("all", "", "an operator", None)
    pair.work(2)
    assert [each.state for each in pair.ours.outflows(row_id)] == ["prepared"]
    pair.authorize(authorized=False)
    brakes.resume("all", "", "an operator", None)
    pair.until(row_id, "on_hold")
    assert [each.state for each in pair.ours.outflows(row_id)] == ["refused"]
    assert [reason for reason, *_ in pair.notes()] == ["ledger_refused"]
    pair.authorize(authorized=True)
    desk.release(row_id, BY)
    pair.until(row_id, "pending_external")
    assert len(pair.received()) == 1
    pair.agree()


@pytest.mark.parametrize(
    ("begins", "body", "said"),
    [
        ("PUT /kyc/customer", {"error": "Ada may not send"}, "answered 400 about a sep31-sender"),
        (_POST, {"error": "not today"}, "answered 400 about the transaction: not today"),
        ("POST /auth", {"error": "who are you"}, "answered 400 about the log-in: who are you"),
    ],
)
def test_what_they_refuse_waits_for_a_person_with_their_reason(
    pair: Pair, begins: str, body: Any, said: str
) -> None:
    once(pair, begins, 400, body)
    row_id = pair.begin()
    pair.work()
    assert pair.ours.status(row_id) == "on_hold"
    [(reason, note, owed)] = pair.notes()
    assert (reason, owed) == ("remittance_refused", 100_0000000)
    assert said in str(note)
    assert "Ada" not in str(note)
    desk.release(row_id, BY)
    pair.until(row_id, "pending_external")


def test_one_that_is_down_for_a_day_is_paid_when_it_is_back(pair: Pair) -> None:
    row_id = pair.begin()
    pair.mask.is_down = True
    pair.work(3)
    with transaction():
        db.session.execute(text("UPDATE transactions SET funded_at = now() - interval '25 hours'"))
    pair.work()
    assert pair.ours.status(row_id) == "pending_anchor"
    assert [reason for reason, *_ in pair.notes()] == ["remittance_waits"]
    pair.mask.is_down = False
    pair.until(row_id, "pending_external")


def test_one_that_runs_out_there_before_it_is_paid_is_agreed_anew(pair: Pair) -> None:
    left = [1]

    def expired(_path: str, found: Any) -> Any:
        if left[0]:
            left[0] -= 1
            found["transaction"]["status"] = "expired"
        return found

    pair.answer(expired, of=_GET)
    pair.paid()
    assert len(pair.received()) == 2


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('NETWORK_PASSPHRASE = "Another network"\n', "is on another network"),
        ('SIGNING_KEY = "{ours}"\n', "is this anchor itself"),
        ('[[CURRENCIES]]\ncode = "USDC"\nissuer = "GOTHER"\n', "means another asset by USDC"),
        ("", "has no SIGNING_KEY"),
    ],
)
def test_promise_14_a_stellar_toml_that_does_not_fit_is_believed_in_nothing(
    pair: Pair, toml: str, said: str
) -> None:
    ours = account_of(settings().signing_secret)
    rest = 'WEB_AUTH_ENDPOINT = "http://x/auth"\nDIRECT_PAYMENT_SERVER = "http://x/sep31"\n'
    lines = toml.format(ours=ours)
    body = lines + rest if not lines.startswith("[[") else f'SIGNING_KEY = "G"\n{rest}{lines}'
    pair.mask.app = Response(body, mimetype="text/plain")
    row_id = pair.begin()
    pair.work()
    assert pair.ours.status(row_id) == "on_hold"
    assert said in str(pair.notes()[0][1])


# -- after it was paid -------------------------------------------------------------------------


def test_promise_06_what_is_paid_is_not_paid_again_whatever_they_say(pair: Pair) -> None:
    row_id = pair.paid()
    changed(pair, status="pending_sender", stellar_account_id=pair.theirs.payer.public_key)
    pair.work(5)
    assert [each.state for each in pair.ours.outflows(row_id)] == ["done"]
    assert pair.ours.status(row_id) == "pending_external"


def test_a_late_refusal_owes_nothing_before_the_money_is_here(pair: Pair) -> None:
    row_id = pair.paid()
    changed(pair, status="error")
    pair.work(3)
    assert pair.ours.status(row_id) == "pending_external"
    [(reason, _, owed)] = pair.notes()
    assert (reason, owed) == ("remittance_failed", None)
    with pytest.raises(Exception, match="waits for nobody"):
        desk.release(row_id, BY)
    pair.send_back("100", pair.ours.memo(row_id))
    assert pair.ours.status(row_id) == "pending_anchor"
    assert pair.ours.row(row_id).is_resting
    assert pair.notes()[-1][::2] == ("remittance_returned", 100_0000000)
    pair.agree()


def test_promise_01_a_refund_is_known_by_its_memo_and_owed_to_the_sender(pair: Pair) -> None:
    row_id = pair.paid()
    pair.deliver_refused()
    assert pair.received()[0].status == "refunded"
    pair.ours.read()
    pair.work()
    assert pair.ours.verdicts() == ["returned"]
    assert pair.ours.row(row_id).amount_paid == 0
    assert pair.ours.status(row_id) == "pending_anchor"
    pair.agree()
    refunds.begin(Order(refunds.of_transaction(row_id).cause, None, "an operator"))
    assert pair.ours.status(row_id) == "refunded"
    pair.agree()


def test_what_came_back_is_sent_anew_when_a_person_says_so(pair: Pair) -> None:
    row_id = pair.paid()
    pair.send_back("100", pair.ours.memo(row_id))
    desk.release(row_id, BY)
    pair.until(row_id, "pending_external")
    assert [each.state for each in pair.ours.outflows(row_id)] == ["done", "done"]
    assert len(pair.received()) == 2
    pair.deliver()
    pair.until(row_id, "completed")
    pair.agree()


def test_a_refund_in_part_is_owed_and_the_rest_goes_on(pair: Pair) -> None:
    row_id = pair.paid()
    pair.send_back("30", pair.ours.memo(row_id))
    assert pair.ours.row(row_id).amount_paid == 70_0000000
    assert pair.ours.status(row_id) == "pending_external"
    assert pair.notes()[-1][::2] == ("remittance_returned", 30_0000000)
    pair.agree()
    changed(pair, status="completed")
    pair.until(row_id, "completed")
    refunds.begin(Order(refunds.of_transaction(row_id).cause, None, "an operator"))
    assert pair.ours.row(row_id).amount_refunded == 30_0000000
    pair.agree()


def test_a_refund_less_what_they_kept_ends_the_wait_and_is_never_sent_anew(pair: Pair) -> None:
    row_id = pair.paid()
    pair.send_back("99", pair.ours.memo(row_id))
    changed(pair, status="refunded")
    pair.work()
    assert pair.ours.status(row_id) == "pending_anchor"
    desk.release(row_id, BY)
    pair.work()
    assert pair.ours.status(row_id) == "on_hold"
    assert [each.state for each in pair.ours.outflows(row_id)] == ["done"]
    refunds.begin(Order(refunds.of_transaction(row_id).cause, None, "an operator"))
    assert pair.ours.row(row_id).amount_refunded == 99_0000000
    pair.agree()


def test_promise_03_a_second_refund_above_what_was_paid_is_a_persons(pair: Pair) -> None:
    row_id = pair.paid()
    pair.send_back("60", pair.ours.memo(row_id))
    pair.send_back("60", pair.ours.memo(row_id))
    assert pair.ours.verdicts() == ["returned", "unmatched"]
    assert pair.notes()[-1][::2] == ("payment_unmatched", 60_0000000)
    assert pair.ours.row(row_id).amount_paid == 40_0000000
    pair.agree()


def test_promise_03_a_refund_in_another_asset_is_a_persons(pair: Pair) -> None:
    row_id = pair.paid()
    pair.send_back("1", pair.ours.memo(row_id), asset=Asset.native())
    assert pair.ours.verdicts() == ["wrong_asset"]
    assert pair.ours.row(row_id).amount_paid == 100_0000000


def test_promise_03_money_under_the_memo_of_one_that_was_never_paid_is_a_persons(
    pair: Pair,
) -> None:
    row_id = pair.begin(rail="bank")
    pair.send_back("100", pair.ours.memo(row_id))
    assert pair.ours.verdicts() == ["unmatched"]
    assert pair.ours.status(row_id) == "pending_user_transfer_start"
    pair.agree()


def test_promise_14_no_policy_sends_back_what_came_back(pair: Pair) -> None:
    found = pair.ours.app.extensions["anchor"]
    code, policy = next(iter(found.settings.assets.items()))
    eager = replace(policy.refund, automatic=frozenset({"unmatched", "late", "second"}))
    assets = {code: replace(policy, refund=eager)}
    pair.ours.app.extensions["anchor"] = replace(
        found, settings=replace(found.settings, assets=assets)
    )
    row_id = pair.paid()
    pair.send_back("100", pair.ours.memo(row_id))
    pair.send_back("100", pair.ours.memo(row_id))
    owe_policy()
    passes.work_off("work", "refunds")
    assert [each.kind for each in pair.ours.outflows(row_id)] == ["submission"]
    with transaction():
        back = db.session.execute(text("SELECT count(*) FROM outflows WHERE kind = 'refund'"))
        assert back.scalar_one() == 0


def test_what_came_back_is_refunded_by_its_own_way_alone(pair: Pair) -> None:
    row_id = pair.paid()
    pair.send_back("100", pair.ours.memo(row_id))
    with transaction():
        payment = db.session.scalars(select(Payment).where(Payment.direction == "in")).one()
    cause = f"payment {payment.network_id}/{payment.operation_id}/{payment.index}"
    with pytest.raises(Exception, match="came back to us: refund what paid for the remittance"):
        refunds.begin(Order(cause, None, "an operator"))


def test_one_that_nobody_answers_about_for_days_is_told(pair: Pair) -> None:
    row_id = pair.paid()
    pair.mask.is_down = True
    with transaction():
        db.session.execute(text("UPDATE transactions SET updated_at = now() - interval '4 days'"))
    pair.work(3)
    assert [reason for reason, *_ in pair.notes()] == ["remittance_undelivered"]
    pair.mask.is_down = False
    pair.deliver()
    pair.until(row_id, "completed")


def test_a_status_that_nobody_knows_ends_nothing(pair: Pair) -> None:
    row_id = pair.paid()
    changed(pair, status="delivered! <b>")
    pair.work(2)
    assert pair.ours.status(row_id) == "pending_external"
    pair.mask.twist = None
    pair.deliver()
    pair.until(row_id, "completed")


# -- a backup is restored ----------------------------------------------------------------------


def test_promise_06_what_was_agreed_and_paid_after_the_backup_is_not_paid_again(
    pair: Pair, backup: Any
) -> None:
    row_id = pair.begin()
    backup.take()
    pair.until(row_id, "pending_external")
    backup.restore()
    found = restore.look("ann")
    [line] = found.unexplained
    assert "nothing here explains it" in line
    assert pair.ours.status(row_id) == "on_hold"
    restore.resume("ann")
    pair.work(2)
    assert pair.ours.outflows(row_id) == []
    assert "restored_unclear" in [reason for reason, *_ in pair.notes()]
