"""An anchor server for the Stellar network."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from anchor.config import Settings

__version__ = "0.1.0"

logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of itself when imported


def create_app(settings: "Settings | None" = None, *, doors: bool = True) -> "Flask":
    """Put the house together; `doors` are the HTTP endpoints, which `flask anchor …` never has.

    Without `settings` they are read from the environment and the configuration file, or
    made in development mode. A broken configuration ends the process with one sentence
    for each problem and exit status 1.
    """
    from anchor.composition import create_app as build

    app = build(settings, doors=doors)
    house = app.extensions["anchor"].settings
    if "health" in app.blueprints and house.broker_url and not house.testing:
        from anchor.actors import setup  # what a request calls for is rung for at once

        setup.use(app)
    return app
