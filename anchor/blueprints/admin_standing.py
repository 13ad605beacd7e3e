"""The admin API about how things stand, and about pauses: what must not leave now."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import forms, operators
from anchor.blueprints.describing import described
from anchor.blueprints.limits import costly
from anchor.serializers import admin_standing as words
from anchor.services import brakes, overview, standing

bp = Blueprint("standing", __name__)


@bp.get("/status")
@described(query=words.StatusQuery, answer=words.StatusAnswer, operator=True)
def status() -> ResponseReturnValue:
    """Show what is wrong, what waits, what is paused, and what of the caps is used."""
    query = words.StatusQuery().load(request.args.to_dict())
    sources = standing.sources() if query["sources"] else None
    return jsonify(words.status(overview.look(), sources))


@bp.get("/pauses")
@described(answer=words.PausesAnswer, operator=True)
def pauses() -> ResponseReturnValue:
    """Show the pauses that are set."""
    return jsonify(words.pauses(brakes.standing()))


@bp.post("/pauses")
@costly
@described(body=words.PauseBody, answer=words.PausesAnswer, operator=True)
def pause() -> ResponseReturnValue:
    """Let no money leave, or some, at once; what is on its way is not called back."""
    who = operators.current()
    body = words.PauseBody().load(forms.body())
    subject = brakes.named(body["scope"], body.get("subject", ""))
    brakes.pause(body["scope"], subject, who.name, body["note"])
    return jsonify(words.pauses(brakes.standing()))


@bp.delete("/pauses")
@costly
@described(query=words.ResumeQuery, answer=words.PausesAnswer, operator=True, errors=(404,))
def resume() -> ResponseReturnValue:
    """Take a pause back, as it was set."""
    who = operators.current()
    query = words.ResumeQuery().load(request.args.to_dict())
    subject = brakes.named(query["scope"], query.get("subject", ""))
    brakes.resume(query["scope"], subject, who.name, query.get("note"), since=query.get("since"))
    return jsonify(words.pauses(brakes.standing()))
