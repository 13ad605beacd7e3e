"""SEP-12: what customers give to be known, as wallets and sending anchors bring it."""

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import forms, speech
from anchor.blueprints.describing import described
from anchor.blueprints.errors import unauthenticated
from anchor.blueprints.guards import current_principal, owner_of
from anchor.blueprints.limits import costly
from anchor.customers.file_types import MAX_BYTES
from anchor.errors import Forbidden, Rejected, Unauthorized
from anchor.serializers import sep12 as words
from anchor.serializers import sep12_answers as answers
from anchor.services import (
    customer_callbacks,
    customer_erasure,
    customer_files,
    customer_uploads,
)
from anchor.services.customer_uploads import Upload
from anchor.web_auth import Principal

bp = Blueprint("sep12", __name__, url_prefix="/kyc")
bp.register_error_handler(Unauthorized, unauthenticated)

#: One file, and the form around it.
_FILE_BODY_BYTES = MAX_BYTES + 100_000


@bp.get("/customer")
@described(query=words.CustomerSchema, answer=answers.CustomerAnswer, token=True, errors=(401, 404))
def customer() -> ResponseReturnValue:
    """Show how a customer stands, and what is asked for."""
    principal = current_principal()
    params = words.CustomerSchema.one().load(request.args.to_dict())
    target = words.target(principal, params)
    view = customer_uploads.look(target, params.get("type"), params.get("transaction_id"))
    return jsonify(words.shown(view, speech.say))


@bp.put("/customer")
@costly
@described(
    body=answers.CustomerBody,
    answer=answers.PutAnswer,
    status=202,
    token=True,
    errors=(401, 404),
)
def put_customer() -> ResponseReturnValue:
    """Register a customer, or take more of one: 202 and the id."""
    principal = current_principal()
    body, files = forms.body_and_files()
    params = words.CustomerSchema.one().load(body)
    upload = Upload(words.fields_in(body), files, params.get("type"), params.get("transaction_id"))
    customer_id = customer_uploads.put(words.target(principal, params), upload)
    return jsonify({"id": customer_id}), 202


@bp.put("/customer/verification")
@costly
@described(body=answers.CustomerBody, answer=answers.CustomerAnswer, token=True, errors=(401, 404))
def verification() -> ResponseReturnValue:
    """Take codes alone, as old clients send them, and show how the customer stands."""
    principal = current_principal()
    body = forms.body()
    target = words.target(principal, words.WhoSchema.one().load(body))
    return jsonify(words.shown(customer_uploads.verify(target, words.fields_in(body)), speech.say))


@bp.delete("/customer/<account>")
@costly
@described(body=words.WhoSchema, answer=answers.NothingAnswer, token=True, errors=(401, 404))
def delete_customer(account: str) -> ResponseReturnValue:
    """Erase all that is held of a customer; for another account that is a 401."""
    principal = current_principal()
    body = forms.body() | {"account": account}
    params: dict[str, Any] = words.WhoSchema.one().load(body)
    params.pop("id", None)
    try:
        target = words.target(principal, params)
    except Forbidden as error:
        raise Unauthorized(error.sentence, **error.values) from error
    customer_erasure.erase(target)
    return jsonify({})


@bp.put("/customer/callback")
@costly
@described(body=words.CallbackSchema, answer=answers.NothingAnswer, token=True, errors=(401, 404))
def callback() -> ResponseReturnValue:
    """Register the address that changes are told at."""
    principal = current_principal()
    params = words.CallbackSchema.one().load(forms.body())
    customer_callbacks.register(words.target(principal, params), params["url"])
    return jsonify({})


@bp.post("/customer/files")
@costly
@described(body=answers.FileBody, answer=answers.FileAnswer, token=True, errors=(401,))
def upload_file() -> ResponseReturnValue:
    """Take one file, to be referred to by its id."""
    principal = current_principal()
    request.max_content_length = _FILE_BODY_BYTES
    found = forms.files().get("file")
    if found is None:
        raise Rejected("a part named file is required")
    return jsonify(words.file(customer_files.upload(owner_of(principal), "file", found)))


@bp.get("/customer/files")
@described(query=words.FilesSchema, answer=answers.FilesAnswer, token=True, errors=(401,))
def list_files() -> ResponseReturnValue:
    """List one file, or those of a customer."""
    principal: Principal = current_principal()
    params = words.FilesSchema.one().load(request.args.to_dict())
    return jsonify(words.files(customer_files.listing(owner_of(principal), **params)))
