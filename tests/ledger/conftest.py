"""A network of the test's own, spoken to through the anchor's gateway."""

import pytest

from anchor.sandbox.network import Sandbox
from tests.ledger.chain import Chain


@pytest.fixture
def chain(sandbox: Sandbox) -> Chain:
    return Chain(sandbox)
