"""SEP-31 end to end: another anchor opens a send, pays it, and the rail pays it out."""

import pytest

from tests.puppets import due_now
from tests.sending import Remitter


@pytest.mark.conforms("SEP31-04", "SEP31-20", "SEP31-29")
def test_a_send_is_opened_paid_on_the_ledger_and_paid_out(remitter: Remitter) -> None:
    world = remitter.world
    opened = remitter.opened()
    assert opened.keys() == {"id", "stellar_account_id", "stellar_memo_type", "stellar_memo"}
    assert opened["stellar_account_id"] == world.distribution
    assert opened["stellar_memo_type"] == "id"
    row_id = opened["id"]
    assert remitter.seen(row_id)["status"] == "pending_sender"
    world.pay("100", opened["stellar_memo"])
    world.read()
    assert world.verdicts() == ["credited"]
    assert remitter.seen(row_id)["status"] == "pending_receiver"
    for _ in range(3):
        remitter.work()
        due_now()
    assert remitter.seen(row_id)["status"] == "completed"
    assert [each.cents for each in world.bank.transfers.values()] == [10000]
