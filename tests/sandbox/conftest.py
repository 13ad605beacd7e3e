"""What several tests of the sandbox begin with."""

import pytest

from anchor.sandbox.network import Sandbox
from tests.sandbox.contract_world import Place
from tests.sandbox.ledger import address


@pytest.fixture
def place(sandbox: Sandbox) -> Place:
    """Accounts and contracts, of which Carol's has been paid 50."""
    made = Place.of(sandbox)
    made.pay(address("alice"), "alice", made.carol, "50")
    return made
