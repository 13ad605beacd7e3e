"""Puts the house together: settings, database, gateway, rails and doors."""

import gc
import sys
from pathlib import Path
from typing import Any

import click
from flask import Flask

from anchor import development, logs, tracing
from anchor.addresses import names
from anchor.config import CUSTOMERS, INTERACTIVE, Settings
from anchor.errors import AnchorError
from anchor.extensions import House, db, refuse_inside_transaction
from anchor.integrations.custody import Custodian, Signer
from anchor.integrations.registry import (
    load_custody,
    load_customers,
    load_interactive,
    load_rails,
    load_rates,
)
from anchor.ledger import outside
from anchor.ledger.contract_gateway import ContractGateway
from anchor.ledger.failover import FailoverGateway
from anchor.ledger.gateway import Gateway
from anchor.ledger.horizon import HorizonGateway
from anchor.ledger.landmarks import Landmarks
from anchor.ledger.rpc import RpcGateway
from anchor.serializers import sep12 as _words  # noqa: F401 - what callbacks are written in
from anchor.serializers import telling as _telling  # noqa: F401
from anchor.services import custodians, exchanges, networks

MAX_BODY_BYTES = 1_000_000
#: A host that froze in the middle of a transaction keeps no row from the others for long.
_SESSION = "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=20000 -c timezone=UTC"
#: Commands that look at the schema or mend it.
_MENDING = frozenset({"doctor", "migrate"})


def create_app(settings: Settings | None = None, *, doors: bool = True) -> Flask:
    """Return the application; see `anchor.create_app`."""
    words = _command()
    # Flask asks the application for a command that it does not know: `flask db …`.
    is_asked = len(words) == 1
    is_web = doors and "anchor" not in words
    try:
        settings = settings or development.read_settings(signs=not is_web)
        plug_ins = _plug_ins(settings)
        if not (settings.development or settings.testing or is_asked or _MENDING & set(words)):
            from anchor import schema  # and so Alembic, which few processes need

            schema.demand_head(settings.database_url)
    except AnchorError as error:
        sys.exit(str(error))
    app = Flask("anchor", root_path=str(Path(__file__).parent))
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        TESTING=settings.testing,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": 10,
            "max_overflow": 10,
            "hide_parameters": True,
            "connect_args": {
                "connect_timeout": 5,
                "options": _SESSION,
            },
        },
    )
    db.init_app(app)
    if is_asked:
        from anchor import schema

        schema.serve_flask_migrate(app)
    app.extensions["anchor"] = House(
        settings, gateway=_gateway(app, settings), contracts=_contracts(settings), **plug_ins
    )
    outside.before_call = refuse_inside_transaction
    _watch(settings)
    if is_web:
        from anchor import blueprints  # a third of a process' memory

        blueprints.register(app, settings)
    if not settings.testing:
        # What was made by now is for good. Looking through it for garbage takes a tenth of a
        # second, and would be done in the middle of somebody's request, again and again.
        gc.freeze()
    return app


def _plug_ins(settings: Settings) -> dict[str, Any]:
    """Load all that the settings name, or raise `Misconfigured`."""
    rails = load_rails(
        {rail for policy in settings.assets.values() for rail in policy.rails}, settings.rails
    )
    exchanges.demand_rails(settings, rails)
    rates = load_rates(settings.quotes.sources, settings.rates)
    exchanges.demand_rates(settings, rates)
    return {
        "rails": rails,
        "custody": _custody(settings),
        "rates": rates,
        "interactive": load_interactive(settings.pages) if INTERACTIVE in settings.seps else None,
        "customers": load_customers(settings.customers) if CUSTOMERS in settings.seps else None,
    }


def _gateway(app: Flask, settings: Settings) -> Gateway:
    """Return the one source of ledger facts, or what falls over from one to the next."""
    passphrase = settings.network_passphrase
    sources = [HorizonGateway(url, passphrase) for url in settings.horizon_urls]
    if len(sources) == 1:
        return sources[0]

    def landmarks() -> Landmarks:
        with app.app_context():  # a session of its own, also on threads without one
            return networks.landmarks(passphrase)

    return FailoverGateway(list(zip(names(settings.horizon_urls), sources, strict=True)), landmarks)


def _contracts(settings: Settings) -> ContractGateway | None:
    """Return the source of facts about contracts, where one is configured."""
    return RpcGateway(settings.rpc_url) if settings.rpc_url is not None else None


def _custody(settings: Settings) -> Signer | Custodian | None:
    """Load what signs or pays for the distribution accounts, where there are any."""
    if not settings.assets:
        return None
    found = load_custody([settings.custody], settings.custody_options, settings.keys)
    if settings.signs:
        custodians.demand_issuers(settings, found[settings.custody])
    return found[settings.custody]


def _command() -> list[str | None]:
    """Return the words of the command under way, as far as Flask knows them, the last first."""
    context = click.get_current_context(silent=True)
    words = []
    while context is not None:
        words.append(context.info_name)
        context = context.parent
    return words


def _watch(settings: Settings) -> None:
    """Have this process seen from outside, as the settings say."""
    if not settings.testing:
        logs.set_up(settings.watching.log_format, settings.watching.log_level)
    environment = "development" if settings.development else "production"
    if settings.watching.sentry_dsn:
        from anchor import sentry

        sentry.begin(settings.watching.sentry_dsn, environment=environment)
    if settings.watching.traces:
        tracing.begin(environment)
