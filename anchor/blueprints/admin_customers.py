"""The admin API about customers: how they stand, and verdicts of people."""

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import forms, operators
from anchor.blueprints.describing import described
from anchor.blueprints.limits import costly
from anchor.policies.operators import Operator
from anchor.serializers import admin_customers as words
from anchor.services import customer_desk
from anchor.services.desk import By

bp = Blueprint("customers", __name__, url_prefix="/customers")

_ONE = "/<customer_id>"


@bp.get("")
@described(query=words.CustomersQuery, answer=words.CustomersAnswer, operator=True)
def listing() -> ResponseReturnValue:
    """Show customers with how they stand, the longest unchanged first."""
    operators.by_token()
    query = words.CustomersQuery().load(request.args.to_dict())
    found = customer_desk.listing(
        query.get("status"), query.get("type"), after=query.get("after"), limit=query["limit"]
    )
    return jsonify(words.page(found, query["limit"]))


@bp.get(_ONE)
@described(answer=words.DossierAnswer, operator=True, errors=(404,))
def one(customer_id: str) -> ResponseReturnValue:
    """Show a customer: names and states of what was given, standing and history; no value."""
    return _dossier(words.customer_id_of(customer_id), operators.by_token())


@bp.post(f"{_ONE}/accept")
@costly
@described(body=words.VerdictBody, answer=words.DossierAnswer, operator=True, errors=(404,))
def accept(customer_id: str) -> ResponseReturnValue:
    """Accept a customer with all that was given, unless that is not what was looked at."""
    who, customer_id = _acting(), words.customer_id_of(customer_id)
    body = words.VerdictBody().load(forms.body())
    by = By(who.name, body.get("note"))
    customer_desk.accept(customer_id, body.get("type"), by, version=body["version"])
    return _dossier(customer_id, who)


@bp.post(f"{_ONE}/reject")
@costly
@described(body=words.RejectBody, answer=words.DossierAnswer, operator=True, errors=(404,))
def reject(customer_id: str) -> ResponseReturnValue:
    """Refuse a customer for good: no other verdict can follow."""
    who, customer_id = _acting(), words.customer_id_of(customer_id)
    body = words.RejectBody().load(forms.body())
    by = By(who.name, body.get("note"))
    customer_desk.reject(
        customer_id, body.get("type"), body["message"], by, version=body["version"]
    )
    return _dossier(customer_id, who)


@bp.post(f"{_ONE}/request")
@costly
@described(body=words.RequestBody, answer=words.DossierAnswer, operator=True, errors=(404,))
def ask(customer_id: str) -> ResponseReturnValue:
    """Ask a customer for fields, or for others instead of those that were given."""
    who, customer_id = _acting(), words.customer_id_of(customer_id)
    body = words.RequestBody().load(forms.body())
    customer_desk.request(
        customer_id,
        body.get("type"),
        body["fields_"],
        body.get("message"),
        By(who.name, body.get("note")),
        version=body["version"],
    )
    return _dossier(customer_id, who)


def _acting() -> Operator:
    found = operators.by_token()
    operators.demand_acting(found)
    return found


def _dossier(customer_id: str, who: Operator) -> Response:
    return jsonify(words.dossier(customer_desk.show(customer_id, By(who.name))))
