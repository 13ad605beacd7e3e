"""A database that goes away in the middle of something: it is done again, and calls nobody."""

from typing import Any

import pytest
from sqlalchemy import text

from anchor.errors import Unavailable
from anchor.extensions import db
from anchor.services import payments, receipts
from tests.puppets import due_now
from tests.receiving import booked, cases, deposit, events, judge_events, verdicts
from tests.test_webhooks import herald, tell
from tests.world import World


def hang_up(*_anything: Any) -> Any:
    """Lose the connection that this session stands on, as in a crash, and notice it."""
    pid = db.session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    db.session.execute(text("SELECT 1"))


def test_an_event_whose_judging_lost_the_database_is_judged_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rail, row_id = herald(world), deposit(world)
    rail.told["money"] = [booked("B1")]
    assert tell(world, "money") == 200
    with monkeypatch.context() as patch:
        patch.setattr(receipts, "_judge_and_act", hang_up)
        judge_events(world)
    assert cases() == []
    due_now()
    judge_events(world)
    assert [event.judged_at is not None for event in events()] == [True]
    assert verdicts() == ["credited"]
    assert world.row(row_id).amount_received == 100_0000000


def test_a_page_whose_judging_lost_the_database_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = world.withdrawal()
    world.pay("100", world.memo(row_id))
    with monkeypatch.context() as patch:
        patch.setattr(payments, "_judge", hang_up)
        with pytest.raises(Unavailable):
            world.read()
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET leased_until = NULL"))
    world.read()
    assert world.verdicts() == ["credited"]
    assert world.status(row_id) == "pending_anchor"
