"""The database, the only commit in the house, and what the process was started with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import psycopg
from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, Executable, MetaData, event
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import InvalidatePoolError, OperationalError, PendingRollbackError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import Pool

from anchor.errors import AnchorError, Misconfigured, Unavailable
from anchor.remembering import Remembered
from anchor.sockets import has_news

if TYPE_CHECKING:
    from anchor.config import Settings
    from anchor.integrations.custody import Custodian, Signer
    from anchor.integrations.customers import CustomersIntegration
    from anchor.integrations.interactive import InteractiveIntegration
    from anchor.integrations.protocols import RailsIntegration
    from anchor.integrations.rates import RatesIntegration
    from anchor.ledger.contract_gateway import ContractGateway
    from anchor.ledger.gateway import Gateway

P = ParamSpec("P")
T = TypeVar("T")

_AFTER_COMMIT = "anchor.after_commit"
_BY_STATEMENT = "anchor.by_statement"
_AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}
#: SQLAlchemy's code for a session that is used on after its connection was lost: whoever guards
#: against bad data by a savepoint has swallowed the loss itself.
_CONNECTION_LOST = "8s2b"


class Base(DeclarativeBase):
    """All tables; constraints get names that a migration can speak of."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


@dataclass(frozen=True)
class House:
    """What one process was put together from; made once by `create_app`."""

    settings: "Settings"
    gateway: "Gateway"
    rails: "dict[str, RailsIntegration]"
    custody: "Signer | Custodian | None" = None
    rates: "dict[str, RatesIntegration]" = field(default_factory=dict)
    contracts: "ContractGateway | None" = None
    #: Signing keys of client domains, or why one cannot be had.
    client_keys: "Remembered[str | AnchorError]" = field(default_factory=Remembered)
    customers: "CustomersIntegration | None" = None
    interactive: "InteractiveIntegration | None" = None


def house() -> House:
    """Return what the present application was put together from."""
    found: House = current_app.extensions["anchor"]
    return found


def settings() -> "Settings":
    """Return the settings of the present application."""
    return house().settings


def gateway() -> "Gateway":
    """Return the source of ledger facts of the present application."""
    return house().gateway


def contracts() -> "ContractGateway":
    """Return the source of facts about contracts; `Misconfigured` where there is none."""
    found = house().contracts
    if found is None:
        raise Misconfigured("no RPC of the network is configured")
    return found


@contextmanager
def transaction() -> Iterator[None]:
    """Commit on the way out, roll back on any error; nested uses join in.

    What was handed to `after_commit` runs once the commit is durable, in order, and not
    at all after a rollback. A database that does not answer is `Unavailable`.
    """
    info = db.session.info
    if _AFTER_COMMIT in info:
        yield
        return
    assert _BY_STATEMENT not in info, "what runs statement by statement has no transaction"
    callbacks: list[Callable[[], None]] = []
    info[_AFTER_COMMIT] = callbacks
    try:
        with _committed():
            yield
    finally:
        del info[_AFTER_COMMIT]
    for callback in callbacks:
        callback()


@contextmanager
def _committed() -> Iterator[None]:
    """Commit on the way out, roll back on any error, and say what is wrong with the database."""
    try:
        yield
        db.session.commit()
    except OperationalError as error:
        db.session.rollback()
        raise _away(error.orig) from error
    except PendingRollbackError as error:
        db.session.rollback()
        if error.code != _CONNECTION_LOST:
            raise
        raise Unavailable("the database went away, and not everybody on the way saw it") from error
    except BaseException:
        db.session.rollback()
        raise


def atomic(function: Callable[P, T]) -> Callable[P, T]:
    """Run the whole of `function` in one `transaction`."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with transaction():
            return function(*args, **kwargs)

    return run


def by_statement(function: Callable[P, T]) -> Callable[P, T]:
    """Run `function` without a transaction of its own; each of its statements is one.

    For what only reads, and what writes by one statement: it saves the way to PostgreSQL for a
    beginning and an end. Sees what a transaction would: there, too, each statement sees what was
    committed before it. Inside a `transaction` it joins in, and none can begin inside of it.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        info = db.session.info
        if _AFTER_COMMIT in info or _BY_STATEMENT in info:
            return function(*args, **kwargs)
        info[_BY_STATEMENT] = True
        try:
            with _committed():
                if not db.session().in_transaction():
                    db.session.connection(execution_options=_AUTOCOMMIT)
                return function(*args, **kwargs)
        finally:
            del info[_BY_STATEMENT]

    return run


def alone(statement: Executable, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    """Run one statement that is a transaction of its own, and return its rows.

    For the busiest doors: the driver runs it without a session, which costs more than the
    statement. So it is written of Core's parts, made once, and its values are the driver's own
    types. Joins in a `transaction`. A database that does not answer is `Unavailable`.
    """
    if db.session.registry.has() and _AFTER_COMMIT in db.session.info:
        return [tuple(row) for row in db.session.execute(statement, values)]
    try:
        connection = db.engine.raw_connection()
    except psycopg.OperationalError as error:
        raise _away(error) from error
    driver = connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        driver.autocommit = True
        rows = driver.execute(_text(statement), values).fetchall()
        driver.autocommit = False
    except psycopg.OperationalError as error:
        connection.invalidate()
        raise _away(error) from error
    except BaseException as error:
        connection.invalidate()  # never back into the pool: it might commit by itself for others
        _keep_rows_out(error)
        raise
    connection.close()
    return rows


@lru_cache
def _text(statement: Executable) -> bytes:
    return str(statement.compile(dialect=db.engine.dialect)).encode()  # type: ignore[attr-defined]


def after_commit(callback: Callable[[], None]) -> None:
    """Run `callback` once the open transaction is durable; it must not raise."""
    callbacks: list[Callable[[], None]] | None = db.session.info.get(_AFTER_COMMIT)
    assert callbacks is not None, "after_commit needs an open transaction"
    callbacks.append(callback)


def refuse_inside_transaction() -> None:
    """Raise where a database transaction is open: nobody outside may be waited for then."""
    if current_app and db.session.registry.has() and db.session().in_transaction():
        raise AssertionError("a database transaction is open while somebody outside is asked")


@event.listens_for(Pool, "checkout")
def _demand_silence(connection: psycopg.Connection[Any], *_: object) -> None:
    """Replace a connection that says something before it is asked: its server has hung up.

    A ping would find that out, too, by a way to PostgreSQL and back for each transaction.
    """
    if connection.closed or connection.broken or has_news(connection.fileno()):
        raise InvalidatePoolError("the server has hung up")


@event.listens_for(Engine, "handle_error")
def _discreet(context: ExceptionContext) -> None:
    """Take out of an error the rows that PostgreSQL tells in detail: they are customers' data."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None:
            _keep_rows_out(error)


def _keep_rows_out(error: BaseException) -> None:
    if error.args:
        told = str(error.args[0]).partition("\nDETAIL:")[0]
        error.args = (told, *error.args[1:])


def _away(error: BaseException | None) -> Unavailable:
    """Return how it is said that the database does not answer."""
    reason = str(error).strip().splitlines()[0] if str(error or "").strip() else "no reason given"
    return Unavailable("the database did not answer: {reason}", reason=reason)
