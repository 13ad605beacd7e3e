"""Runs migrations on the connection that it is handed, or on the application's database."""

from alembic import context
from sqlalchemy import create_engine

from anchor import models  # noqa: F401 - the tables must be known
from anchor.extensions import db

config = context.config
LOCK = 7_241_021


def run(connection):
    """Migrate, one process at a time."""
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        context.run_migrations()


url = config.attributes.get("url")
if url is None:
    with db.engine.connect() as opened:
        run(opened)
else:
    engine = create_engine(url)
    with engine.connect() as opened:
        run(opened)
    engine.dispose()
