"""What runs without a transaction, and connections whose server has hung up."""

from datetime import timedelta
from threading import Thread
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, create_engine, func, insert, select, text

from anchor.clock import utcnow
from anchor.errors import Unavailable
from anchor.extensions import alone, atomic, by_statement, db
from anchor.models import Transaction, UsedChallenge
from anchor.services import logins
from tests.waiting import until
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


UNTIL = utcnow() + timedelta(minutes=5)


def test_promise_13_a_challenge_is_good_once(world: World) -> None:
    assert logins.is_first_use("one", UNTIL)
    assert not logins.is_first_use("one", UNTIL)
    assert atomic(noted)() == 1


def test_a_statement_alone_goes_with_the_transaction_that_is_open(world: World) -> None:
    @atomic
    def use_and_fail() -> None:
        assert logins.is_first_use("one", UNTIL)
        raise KeyError

    with pytest.raises(KeyError):
        use_and_fail()
    assert logins.is_first_use("one", UNTIL)


def test_a_transaction_after_a_statement_alone_is_one_again(world: World) -> None:
    """It has the same connection, the last that was given back."""

    @atomic
    def look() -> Any:
        noted()
        return standing()

    logins.is_first_use("one", UNTIL)
    assert look() == TransactionStatus.INTRANS
    with pytest.raises(psycopg.Error):
        alone(text("SELECT 1 / 0"), {})
    assert look() == TransactionStatus.INTRANS


def test_promise_15_an_error_of_a_statement_alone_tells_no_row(world: World) -> None:
    twice = insert(UsedChallenge).values(hash="secret", expires_at=UNTIL)
    twice = twice.returning(UsedChallenge.hash)
    alone(twice, {"hash": "secret", "expires_at": UNTIL})
    with pytest.raises(psycopg.errors.UniqueViolation) as raised:
        alone(twice, {"hash": "secret", "expires_at": UNTIL})
    assert "secret" not in str(raised.value)


def test_promise_14_no_challenge_is_taken_while_the_database_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where it cannot be reached, and not where it hangs up in the middle."""
    with db.engine.connect() as own:
        own.execute(text("LOCK used_challenges"))
        ours = own.scalar(text("SELECT pg_backend_pid()"))
        ended = Thread(target=end_whoever_waits, args=(db.engine, ours))
        ended.start()
        with pytest.raises(Unavailable, match="the database did not answer"):
            logins.is_first_use("one", UNTIL)
        ended.join()
    nowhere = create_engine(db.engine.url.set(host="127.0.0.1", port=1))
    monkeypatch.setitem(db.engines, None, nowhere)
    with pytest.raises(Unavailable, match="the database did not answer"):
        logins.is_first_use("one", UNTIL)


def end_whoever_waits(engine: Engine, for_whom: int) -> None:
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE :pid = ANY("
    query += "pg_blocking_pids(pid))"
    with engine.connect() as connection:
        until(lambda: connection.scalars(text(query), {"pid": for_whom}).all())


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
