"""The admin API about customers: how they stand, and verdicts of people."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from anchor.blueprints import forms, operators, verdicts
from anchor.blueprints.describing import described
from anchor.blueprints.limits import costly
from anchor.policies.operators import Operator
from anchor.serializers import admin_customers as words
from anchor.services import customer_desk
from anchor.services.acts import By

bp = Blueprint("customers", __name__, url_prefix="/customers")

_ONE = "/<customer_id>"


@bp.get("")
@described(query=words.CustomersQuery, answer=words.CustomersAnswer, operator=True)
def listing() -> ResponseReturnValue:
    """Show customers with how they stand, the longest unchanged first."""
    query = words.CustomersQuery().load(request.args.to_dict())
    found = customer_desk.listing(
        query.get("status"), query.get("type"), after=query.get("after"), limit=query["limit"]
    )
    return jsonify(words.page(found, query["limit"]))


@bp.get(_ONE)
@described(answer=words.DossierAnswer, operator=True, errors=(404,))
def one(customer_id: str) -> ResponseReturnValue:
    """Show a customer: names and states of what was given, standing and history; no value."""
    return _dossier(words.customer_id_of(customer_id), operators.current())


@bp.post(f"{_ONE}/accept")
@costly
@described(body=words.VerdictBody, answer=words.DossierAnswer, operator=True, errors=(404,))
def accept(customer_id: str) -> ResponseReturnValue:
    """Accept a customer with all that was given, unless that is not what was looked at."""
    return _decided(customer_id, words.VerdictBody(), verdicts.accept)


@bp.post(f"{_ONE}/reject")
@costly
@described(body=words.RejectBody, answer=words.DossierAnswer, operator=True, errors=(404,))
def reject(customer_id: str) -> ResponseReturnValue:
    """Refuse a customer for good: no other verdict can follow."""
    return _decided(customer_id, words.RejectBody(), verdicts.reject)


@bp.post(f"{_ONE}/request")
@costly
@described(body=words.RequestBody, answer=words.DossierAnswer, operator=True, errors=(404,))
def ask(customer_id: str) -> ResponseReturnValue:
    """Ask a customer for fields, or for others instead of those that were given."""
    return _decided(customer_id, words.RequestBody(), verdicts.request)


def _decided(customer_id: str, schema: Schema, decide: Callable[..., None]) -> Response:
    who = operators.current()
    customer_id = words.customer_id_of(customer_id)
    decide(customer_id, schema.load(forms.body()), who.name)
    return _dossier(customer_id, who)


def _dossier(customer_id: str, who: Operator) -> Response:
    return jsonify(words.dossier(customer_desk.show(customer_id, By(who.name))))
