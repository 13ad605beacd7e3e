"""A draft is confirmed while its customer is judged: it goes on, or somebody owes that it does."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from stellar_sdk import Keypair

from anchor import create_app
from anchor.errors import Rejected
from anchor.extensions import db, transaction
from anchor.models import Job, Memo
from anchor.money import parse_amount
from anchor.sandbox.bank import Bank
from anchor.sandbox.network import Sandbox
from anchor.services import (
    customer_desk,
    customer_uploads,
    deposits,
    draft_customers,
    drafts,
    jobs,
    views,
    withdrawals,
)
from anchor.services.claims import Ran
from anchor.services.completions import COMPLETE
from anchor.services.customer_uploads import Upload
from anchor.services.transactions import Owner
from tests.knowing import BY, knowing, policy, work
from tests.world import ACCOUNT, World, dispose, settings_for

RULES = """
[types.sep24]
verdict = "manual"
[types.sep24.fields]
first_name = {}
"""
ROUNDS = 16
VERDICTS: dict[str, Callable[[str], Any]] = {
    "ACCEPTED": lambda each: customer_desk.accept(each, "sep24", BY),
    "REJECTED": lambda each: customer_desk.reject(each, "sep24", "We know you.", BY),
    "NEEDS_INFO": lambda each: customer_desk.request(each, "sep24", ["first_name"], None, BY),
}
#: Where a confirmed draft is in the end, and one whose customer was judged before it was confirmed.
ENDS = {
    "ACCEPTED": {"pending_user_transfer_start"},
    "REJECTED": {"error", "incomplete"},
    "NEEDS_INFO": {"incomplete"},
}


@pytest.fixture
def world(database_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[World]:
    settings = knowing(settings_for(sandbox, database_url, None), customers=policy(RULES))
    made = World(create_app(settings), settings, sandbox, bank)
    made.fund()
    with made.app.app_context():
        yield made
    dispose(made.app)


def drafted(world: World, way: str) -> tuple[str, str]:
    """Open a draft that only has to be confirmed; return its id, and that of its customer."""
    owner = Owner(Keypair.random().public_key)
    if way == "deposit":
        to = {"destination": world.payer.public_key}
        row_id = deposits.open_interactive(owner, world.policy, **to)
    else:
        row_id = withdrawals.open_interactive(owner, world.policy)
    row = views.get(row_id).row
    upload = Upload({"first_name": "Ada"}, {}, "sep24", row_id)
    customer_id = customer_uploads.put(draft_customers.target_of(row), upload)
    drafts.choose(row_id, parse_amount("100"), "bank")
    drafts.describe(row_id, "bank", {"bank_account_number": ACCOUNT} if way == "withdraw" else {})
    return row_id, customer_id


def is_told(row_id: str) -> bool:
    """Tell whether the customer knows under what to pay."""
    with transaction():
        memo = db.session.scalar(select(Memo.memo).where(Memo.transaction_id == row_id))
    return bool(memo or views.get(row_id).row.reference)


def is_owed(row_id: str) -> bool:
    with transaction():
        return db.session.get(Job, (COMPLETE, row_id), populate_existing=True) is not None


def race(world: World, *acts: Callable[[], Any]) -> None:
    """Do all of these at once; each may be refused, and none waits for another in vain."""
    start = threading.Barrier(len(acts))

    def act(one: Callable[[], Any]) -> Any:
        with world.app.app_context():
            start.wait(20)
            try:
                return one()
            except Rejected:
                return None
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(acts)) as pool:
        assert not {Ran.POSTPONED, Ran.PARKED} & set(pool.map(act, acts))


@pytest.mark.parametrize("stand", VERDICTS)
def test_a_draft_that_is_confirmed_while_its_customer_is_judged_is_never_left(
    world: World, stand: str
) -> None:
    """Some of eight confirm, some judge, some do the job, some look; any may be the first."""
    for number in range(ROUNDS):
        row_id, customer_id = drafted(world, "deposit" if number % 2 else "withdraw")
        confirm = partial(drafts.confirm, row_id, drafts.look(row_id).seal)
        judge = partial(VERDICTS[stand], customer_id)
        go_on = partial(jobs.run, jobs.Address(COMPLETE, row_id))
        acts = [
            *[partial(confirm, f"form {at}") for at in range(3)],
            *[judge] * 2,
            *[go_on] * 2,
            partial(drafts.refuse_customer, row_id, "form 4"),
        ]
        race(world, *acts[number % 8 :], *acts[: number % 8])
        if world.status(row_id) == "pending_anchor":
            assert is_owed(row_id), "nobody would go on with it"
        work(COMPLETE)
        status = world.status(row_id)
        assert status in ENDS[stand], (number, world.events(row_id))
        assert is_told(row_id) is (status == "pending_user_transfer_start")
        assert not is_owed(row_id)
        assert world.events(row_id).count("details_given") <= 1
    assert world.cases() == []
