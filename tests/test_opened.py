"""A transaction begins in the database as its model says, whatever nobody said of it."""

from typing import Any

import pytest
from sqlalchemy import select, text

from anchor.extensions import db, transaction
from anchor.lifecycle import Kind, Status
from anchor.models import Memo, Transaction, new_id
from anchor.services import beginnings, memos
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
        beginnings.opened(row)
        assert (row.details, row.version, row.is_resting) == ({}, 1, False)
        assert row.started_at == row.updated_at
    assert stored() == by_the_session
    assert by_the_session["details"] == {}


def paid_at(world: World, account: str | None) -> Memo | None:
    with transaction():
        return beginnings.opened(begun(world), account)


def test_a_memo_that_was_issued_before_is_not_issued_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was drawn is taken: nothing is stored but the transaction, and another drawn."""
    account = world.policy.distribution
    monkeypatch.setattr(memos.secrets, "randbelow", lambda _limit: 6)
    first = paid_at(world, account)
    assert first is not None
    assert first.memo == "7"
    row = begun(world)
    with transaction():
        assert beginnings.opened(row, account) is None
        drawn = iter([6, 8, 10])
        monkeypatch.setattr(memos.secrets, "randbelow", lambda _limit: next(drawn))
        assert memos.issue(account, row.id).memo == "9"
        assert memos.issue(account, row.id).memo == "9"
    with transaction():
        found = dict(db.session.execute(select(Memo.transaction_id, Memo.memo)).all())
    assert found == {first.transaction_id: "7", row.id: "9"}


def test_nobody_gets_a_memo_of_an_account_that_is_not_followed(world: World) -> None:
    assert paid_at(world, world.payer.public_key) is None
    assert paid_at(world, None) is None
