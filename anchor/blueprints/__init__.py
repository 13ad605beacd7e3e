"""The HTTP doors: which of them are open, and the headers that are common to all."""

from flask import Flask, Response, request
from flask_cors import CORS

from anchor.blueprints import (
    errors,
    health,
    interactive,
    rails,
    sep01,
    sep10,
    sep12,
    sep24,
    sep38,
    sep45,
)
from anchor.config import Settings

_SEPS = {
    1: sep01.bp,
    10: sep10.bp,
    12: sep12.bp,
    24: sep24.bp,
    38: sep38.bp,
    45: sep45.bp,
}
_CORS_HEADERS = ["Authorization", "Content-Type", "X-Client-Name", "X-Client-Version"]


def register(app: Flask, settings: Settings) -> None:
    """Open the doors of the SEPs that are on, and map errors to answers, once."""
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_blueprint(health.bp)
    app.register_blueprint(rails.bp)
    for sep, blueprint in _SEPS.items():
        if sep in settings.seps:
            app.register_blueprint(blueprint)
    if 24 in settings.seps:
        app.register_blueprint(interactive.bp)
    CORS(
        app,
        resources={r"/(?!interactive|rails)": {"origins": "*"}},
        allow_headers=_CORS_HEADERS,
        send_wildcard=True,
        max_age=86400,
    )
    errors.register(app)
    app.after_request(_headers)


def _headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Cache-Control", "no-store")
    if not request.path.startswith("/interactive"):
        response.headers.setdefault("X-Frame-Options", "DENY")
    return response
