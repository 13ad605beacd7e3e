"""Metrics for Prometheus, by the token of an operator."""

from threading import Lock

from flask import Blueprint, Response, current_app
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from anchor.blueprints import errors, operators
from anchor.blueprints.describing import described
from anchor.errors import Unauthorized
from anchor.remembering import Remembered
from anchor.serializers import metrics as words
from anchor.services import measures

bp = Blueprint("metrics", __name__)
#: Whoever asks again sooner, or at the same time, is told the same.
KEPT_S = 5


class _Kept:
    """The last answer of a process; one request at a time makes it."""

    def __init__(self) -> None:
        self._text: Remembered[str] = Remembered(1)
        self._lock = Lock()

    def text(self) -> str:
        """Return the metrics as they were `KEPT_S` seconds ago at most."""
        with self._lock:
            found = self._text.get("")
            if found is None:
                found = words.written(measures.look())
                self._text.put("", found, KEPT_S)
            return found


@bp.get("/metrics")
@described(media="text/plain", operator=True)
def metrics() -> ResponseReturnValue:
    """Say how much of everything waits, and for how long, as Prometheus reads it."""
    operators.by_token()
    kept: _Kept = current_app.extensions["anchor.metrics"]
    return Response(kept.text(), content_type=words.MEDIA_TYPE)


@bp.record
def _begin(state: BlueprintSetupState) -> None:
    state.app.extensions["anchor.metrics"] = _Kept()


@bp.errorhandler(Unauthorized)
def _unauthenticated(error: Unauthorized) -> ResponseReturnValue:
    return errors.unauthenticated(error)
