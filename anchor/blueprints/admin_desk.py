"""The desk in the admin API: cases, and what operators do about them and about transactions."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from anchor.blueprints import forms, operators
from anchor.blueprints.describing import View, described
from anchor.blueprints.limits import costly
from anchor.serializers import admin_desk as words
from anchor.serializers import admin_desk_answers as answers
from anchor.serializers.admin import IdempotencyHeader, known_row
from anchor.serializers.admin_desk import OptionalIdempotencyHeader
from anchor.serializers.fields import known_id
from anchor.services import act_views, attesting, crediting, desk, refund_orders, retries
from anchor.services.acts import By
from anchor.services.jobs import Address

bp = Blueprint("desk", __name__)


def _act(
    rule: str,
    body: type[Schema],
    answer: type[Schema],
    *,
    keyed: bool = False,
    status: int = 200,
    method: str = "POST",
) -> Callable[[View], View]:
    """Route and describe an act: done once under its key, which one that moves money needs."""
    told = described(
        body=body,
        headers=IdempotencyHeader if keyed else OptionalIdempotencyHeader,
        answer=answer,
        status=status,
        operator=True,
        errors=(404,),
    )

    def routed(view: View) -> View:
        return bp.route(rule, methods=[method])(costly(told(view)))

    return routed


@bp.get("/cases")
@described(query=words.CasesQuery, answer=answers.CasesAnswer, operator=True)
def listing() -> ResponseReturnValue:
    """Show what waits for a person, the oldest first."""
    query: dict[str, Any] = words.CasesQuery().load(request.args.to_dict())
    return jsonify(words.cases(desk.listing(**{"after": 0} | query), query["limit"]))


@bp.get("/cases/<case_id>")
@described(answer=answers.CaseStoryAnswer, operator=True, errors=(404,))
def case(case_id: str) -> ResponseReturnValue:
    """Show a case with what its reason means, what may be done about it and what was done."""
    return _case(known_row(case_id))


@_act("/cases/<case_id>/close", words.CloseBody, answers.CaseStoryAnswer)
def close(case_id: str) -> ResponseReturnValue:
    """Close a case that was answered otherwise; the note says how."""
    body, found = words.CloseBody().load(forms.body()), known_row(case_id)
    desk.close(found, _by(body, OptionalIdempotencyHeader))
    return _case(found)


@_act("/cases/<case_id>/credit", words.CreditBody, answers.CaseStoryAnswer, keyed=True)
def credit(case_id: str) -> ResponseReturnValue:
    """Credit the money of a case to a transaction, which then goes on."""
    body, found = words.CreditBody().load(forms.body()), known_row(case_id)
    crediting.credit(found, known_id(body["transaction_id"]), _by(body))
    return _case(found)


@_act("/refunds", words.RefundBody, answers.BegunRefundAnswer, keyed=True, status=201)
def refund() -> ResponseReturnValue:
    """Send money back to who paid it; the same key again sends nothing anew."""
    body = words.RefundBody().load(forms.body())
    begun = refund_orders.begin(words.named(body), _by(body), words.terms(body))
    return jsonify(words.refund(begun)), 201


@_act("/refunds/<key>", words.NoteBody, answers.ActedOutflowAnswer, method="DELETE")
def cancel_refund(key: str) -> ResponseReturnValue:
    """Take back a refund of which nobody outside has heard."""
    refund_orders.cancel(known_id(key), _by(_note(), OptionalIdempotencyHeader))
    return jsonify(words.outflow(act_views.outflow(key)))


@_act("/transactions/<transaction_id>/hold", words.NoteBody, answers.ActedTransactionAnswer)
def hold(transaction_id: str) -> ResponseReturnValue:
    """Let nothing go out for a transaction until it is released."""
    desk.hold(known_id(transaction_id), _by(_note(), OptionalIdempotencyHeader))
    return _transaction(transaction_id)


@_act(
    "/transactions/<transaction_id>/release",
    words.NoteBody,
    answers.ActedTransactionAnswer,
    keyed=True,
)
def release(transaction_id: str) -> ResponseReturnValue:
    """Let a transaction that rests go on: what is left of it is paid out."""
    desk.release(known_id(transaction_id), _by(_note()))
    return _transaction(transaction_id)


@_act("/transactions/<transaction_id>/fail", words.NoteBody, answers.ActedTransactionAnswer)
def fail(transaction_id: str) -> ResponseReturnValue:
    """End a transaction that will not be paid; its customer is shown the note."""
    desk.fail(known_id(transaction_id), _by(_note(), OptionalIdempotencyHeader))
    return _transaction(transaction_id)


@_act(
    "/transactions/<transaction_id>/pay-again",
    words.NoteBody,
    answers.PaidAgainAnswer,
    keyed=True,
    status=201,
)
def pay_again(transaction_id: str) -> ResponseReturnValue:
    """Pay again what came back after the end; the same key again pays nothing anew."""
    key = desk.pay_again(known_id(transaction_id), _by(_note()))
    return jsonify(words.transaction(act_views.transaction(transaction_id)) | {"key": key}), 201


@_act("/outflows/<key>/settle", words.SettleBody, answers.ActedOutflowAnswer, keyed=True)
def settle(key: str) -> ResponseReturnValue:
    """Say what became of an order to pay, on the word of whoever had it."""
    body = words.SettleBody().load(forms.body())
    attesting.settle_any(
        known_id(key), _by(body), is_paid=body["paid"], paid_by=body.get("paid_by")
    )
    return jsonify(words.outflow(act_views.outflow(key)))


@_act("/jobs/retry", words.RetryBody, answers.RetriedAnswer)
def retry() -> ResponseReturnValue:
    """Do parked or postponed work again: one job, or all parked ones of a kind."""
    body = words.RetryBody().load(forms.body())
    by = _by(body, OptionalIdempotencyHeader)
    if body["parked"]:
        due = retries.ask_parked(body["kind"], body.get("because", ""), by)
        return jsonify({"due": due})
    retries.ask(Address(body["kind"], body["subject"]), by)
    return jsonify({"due": 1})


def _by(body: dict[str, Any], header: Any = IdempotencyHeader) -> By:
    key = operators.idempotency_key(header)
    return By(operators.current().name, body.get("note"), key)


def _note() -> dict[str, Any]:
    """Return the body of a request that may say why."""
    loaded: dict[str, Any] = words.NoteBody().load(forms.body())
    return loaded


def _case(case_id: int) -> Response:
    return jsonify(words.case(desk.show(case_id)))


def _transaction(transaction_id: str) -> Response:
    return jsonify(words.transaction(act_views.transaction(transaction_id)))
