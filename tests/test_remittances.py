"""What we send by another anchor: agreed on, paid once, followed to its end (ADR 026)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.remitting import Pair, paired
from tests.world import dispose


@pytest.fixture
def pair(database_url: str, fresh_database_url: str, sandbox: Any, bank: Any) -> Iterator[Pair]:
    with paired(sandbox, bank, database_url, fresh_database_url) as made:
        yield made
    dispose(made.ours.app)
    dispose(made.theirs.app)


def test_money_of_the_house_goes_to_a_customer_of_another_anchor(pair: Pair) -> None:
    row_id = pair.paid()
    pair.deliver()
    pair.until(row_id, "completed")
    assert pair.delivered() == ["100"]
    [there] = pair.received()
    assert (there.status, there.id) == ("completed", pair.known(row_id).remote_id)
    assert pair.notes() == []
    pair.agree()
