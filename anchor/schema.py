"""The database's schema: where its migrations are, whether it is at head, bringing it there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import Migrate
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from anchor.errors import Misconfigured, Unavailable
from anchor.extensions import db


def folder() -> Path:
    """Return the folder of the migrations, which the wheel carries and a checkout links to."""
    return Path(__file__).parent / "migrations"


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring a database to a revision; processes that come together wait for each other."""
    at, head = standing(database_url)
    if revision == "head" and at == head:
        return
    command.upgrade(_config(database_url), revision)


def downgrade(database_url: str, revision: str) -> None:
    """Take a database back to a revision."""
    command.downgrade(_config(database_url), revision)


def standing(database_url: str) -> tuple[str | None, str | None]:
    """Return the revision a database is at, and the newest one there is."""
    head = ScriptDirectory.from_config(_config(database_url)).get_current_head()
    engine = create_engine(database_url, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision(), head
    except OperationalError as error:
        raise Unavailable("the database did not answer") from error
    finally:
        engine.dispose()


def demand_head(database_url: str) -> None:
    """Raise `Misconfigured` unless the database is at the newest revision."""
    at, head = standing(database_url)
    if at != head:
        raise Misconfigured(
            f"The database is at revision {at}, and this version needs {head}: "
            "run `flask anchor migrate` first."
        )


def serve_flask_migrate(app: Flask) -> None:
    """Let the commands `flask db …` find the migrations of an application."""
    Migrate(app, db, directory=str(folder()))


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder()))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = database_url
    return config
