"""What runs without a transaction, and connections whose server has hung up."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import event, func, insert, select, text

from anchor.clock import utcnow
from anchor.extensions import atomic, by_statement, db
from anchor.models import Transaction, UsedChallenge
from anchor.services import logins
from tests.world import World


def note(mark: str) -> None:
    db.session.execute(insert(UsedChallenge).values(hash=mark, expires_at=utcnow()))


def noted() -> int:
    return db.session.scalar(select(func.count()).select_from(UsedChallenge)) or 0


def standing() -> Any:
    """Tell what PostgreSQL's side of the session's connection is in the middle of."""
    fairy = db.session.connection().connection
    assert fairy.dbapi_connection is not None
    return fairy.dbapi_connection.info.transaction_status


def test_reading_by_statement_begins_no_transaction_and_keeps_what_was_read(world: World) -> None:
    row_id = world.withdrawal()

    @by_statement
    def read() -> Any:
        found = db.session.get(Transaction, row_id)
        return found, standing()

    row, status = read()
    assert status == TransactionStatus.IDLE
    assert row.id == row_id
    db.session.remove()
    assert row.status


def test_a_transaction_after_it_is_one_again(world: World) -> None:
    by_statement(noted)()

    @atomic
    def look() -> Any:
        noted()
        return standing()

    assert look() == TransactionStatus.INTRANS


def test_what_one_statement_wrote_stays_whatever_follows(world: World) -> None:
    @by_statement
    def write_and_fail() -> None:
        note("one")
        raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert atomic(noted)() == 1


def test_inside_a_transaction_it_goes_with_that(world: World) -> None:
    @atomic
    def write_and_fail() -> None:
        by_statement(note)("one")
        raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert atomic(noted)() == 0


def test_no_transaction_begins_inside_of_it(world: World) -> None:
    """A part of it would be committed without the rest."""
    with pytest.raises(AssertionError, match="statement by statement"):
        by_statement(atomic(noted))()
    assert atomic(noted)() == 0


def test_a_challenge_is_used_once_by_one_statement_alone(world: World) -> None:
    said: list[str] = []

    def listen(*args: Any) -> None:
        said.append(args[2].partition(" ")[0])

    until = utcnow() + timedelta(minutes=5)
    event.listen(db.engine, "before_cursor_execute", listen)
    try:
        assert logins.is_first_use("one", until)
        assert not logins.is_first_use("one", until)
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)
    assert said == ["INSERT", "INSERT"]


def test_connections_that_ended_while_they_rested_are_replaced_unseen(world: World) -> None:
    db.session.remove()
    with db.engine.connect() as one, db.engine.connect() as two:
        pids = {each.scalar(text("SELECT pg_backend_pid()")) for each in (one, two)}
    with db.engine.connect() as left:
        own = left.scalar(text("SELECT pg_backend_pid()"))
        for pid in pids - {own}:
            left.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with db.engine.connect() as new:
            assert new.scalar(text("SELECT pg_backend_pid()")) not in pids
