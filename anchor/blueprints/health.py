"""Health: whether the process lives, and whether it can do its work."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from anchor.blueprints.describing import described
from anchor.serializers.answers import HealthAnswer, ReadyAnswer
from anchor.services import standing

bp = Blueprint("health", __name__)


@bp.get("/health")
@described(answer=HealthAnswer)
def live() -> ResponseReturnValue:
    """Say that the process answers."""
    return jsonify({"status": "ok"})


@bp.get("/ready")
@described(answer=ReadyAnswer, others={503: ReadyAnswer})
def ready() -> ResponseReturnValue:
    """Say whether the database answers and every account is followed; 503 where not."""
    found = standing.look()
    return jsonify(found), 200 if found["status"] == "ok" else 503
