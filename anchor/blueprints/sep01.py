"""SEP-1: the anchor's stellar.toml."""

from flask import Blueprint, Response

from anchor.blueprints.describing import described
from anchor.extensions import settings
from anchor.serializers.stellar_toml import stellar_toml
from anchor.services import logins

bp = Blueprint("sep01", __name__)


@bp.get("/.well-known/stellar.toml")
@described(media="text/plain")
def toml() -> Response:
    """Show what this anchor is, from its configuration."""
    response = Response(stellar_toml(settings(), logins.policy().signing_key))
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    response.headers["Cache-Control"] = "public, max-age=60"
    return response
