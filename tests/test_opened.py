"""A transaction begins in the database as its model says, whatever nobody said of it."""

from typing import Any

from sqlalchemy import text

from anchor.extensions import db, transaction
from anchor.lifecycle import Kind, Status
from anchor.models import Transaction, new_id
from anchor.services import transactions
from tests.world import World


def begun(world: World) -> Transaction:
    return Transaction(
        id=new_id(),
        kind=Kind.WITHDRAWAL,
        flow="interactive",
        status=Status.INCOMPLETE,
        owner_account=world.payer.public_key,
        asset=world.policy.id,
        asset_code=world.policy.code,
        rail="bank",
    )


def stored() -> dict[str, Any]:
    query = "SELECT t.*, to_jsonb(t) - 'id' AS whole FROM transactions t"
    with transaction():
        row = db.session.execute(text(query)).mappings().one()
        found = {**row["whole"]}
        for name in ("started_at", "updated_at"):
            assert found.pop(name)
        db.session.execute(text("DELETE FROM history"))
        db.session.execute(text("DELETE FROM transactions"))
    return found


def test_what_was_left_out_begins_as_the_model_says(world: World) -> None:
    with transaction():
        db.session.add(begun(world))
    by_the_session = stored()
    row = begun(world)
    with transaction():
        transactions.opened(row)
        assert (row.details, row.version, row.is_resting) == ({}, 1, False)
        assert row.started_at == row.updated_at
    assert stored() == by_the_session
    assert by_the_session["details"] == {}
