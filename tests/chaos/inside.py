"""A process with the stage's settings: what the doors are too slow for, and what has none yet.

It reads requests from its standard input and answers each, one JSON object a line. As
``bell`` it rings for all services each second: an external scheduler that never rests.
"""

import json
import sys
from contextlib import suppress
from time import sleep
from typing import Any

from anchor import create_app
from anchor.errors import AnchorError, NotFound, Rejected
from anchor.extensions import db, gateway, settings, transaction
from anchor.lifecycle import Kind, Status
from anchor.models import Memo, Transaction, new_id
from anchor.money import parse_amount
from anchor.sandbox import CODE
from anchor.services import (
    brakes,
    channel_pool,
    deposits,
    desk,
    memos,
    networks,
    passes,
    reconciliation,
    refunds,
    withdrawals,
)
from anchor.services.acts import By
from anchor.services.transactions import Owner

_BY = By("chaos", "the journey")
_CHANNELS = 4


def prepare() -> dict[str, Any]:
    """Make channel accounts, and note what the accounts hold before anything moves."""
    source = settings().distribution_accounts[0]
    channel_pool.grow(gateway(), source, _CHANNELS, parse_amount("5"))
    differs = reconciliation.run().differences
    return {"error": str(differs)} if differs else {"ready": True}


def withdrawal(owner: str, amount: str, account: str) -> dict[str, Any]:
    """Open a withdrawal and complete it."""
    row_id = withdrawals.open_interactive(Owner(owner), settings().assets[CODE])
    details = {"bank_account_number": account}
    withdrawals.give_details(row_id, parse_amount(amount), "bank", details, "form")
    return {"id": row_id, "address": _memo(row_id)}


def deposit(owner: str, amount: str, account: str) -> dict[str, Any]:
    """Open a deposit and complete it."""
    row_id = deposits.open_interactive(Owner(owner), settings().assets[CODE])
    details = {"bank_account_number": account, "bank_account_holder": "A"}
    deposits.give_details(row_id, parse_amount(amount), "bank", details, "form")
    with transaction():
        return {"id": row_id, "address": db.session.get_one(Transaction, row_id).reference}


def send(owner: str, amount: str, account: str) -> dict[str, Any]:
    """Make a send as its door will."""
    policy = settings().assets[CODE]
    with transaction():
        assert networks.current() is not None
        row = Transaction(
            id=new_id(),
            kind=Kind.SEND,
            flow="send",
            status=Status.PENDING_SENDER,
            owner_account=owner,
            asset=policy.id,
            asset_code=CODE,
            rail="bank",
            amount_expected=parse_amount(amount),
            details={"bank_account_number": account},
        )
        db.session.add(row)
        db.session.flush()
        memos.issue(policy.distribution, row.id)
        row_id = row.id
    return {"id": row_id, "address": _memo(row_id)}


def _memo(row_id: str) -> str:
    with transaction():
        return db.session.query(Memo).filter_by(transaction_id=row_id).one().memo


def refund(cause: str) -> dict[str, Any]:
    """Send back what came by that name."""
    return {"key": refunds.begin(refunds.Order(cause, None, _BY.who, _BY.note)).key}


def hold(row_id: str) -> dict[str, Any]:
    """Hold a transaction."""
    desk.hold(row_id, _BY)
    return {}


def release(row_id: str) -> dict[str, Any]:
    """Let a transaction go on."""
    desk.release(row_id, _BY)
    return {}


def pause(scope: str, subject: str) -> dict[str, Any]:
    """Let no money leave."""
    brakes.pause(scope, subject, _BY.who, _BY.note)
    return {}


def resume(scope: str, subject: str) -> dict[str, Any]:
    """Let it leave again; said twice, that is well."""
    with suppress(NotFound):
        brakes.resume(scope, subject, _BY.who, _BY.note)
    return {}


_ACTS = {
    each.__name__: each
    for each in (prepare, withdrawal, deposit, send, refund, hold, release, pause, resume)
}


def _answer(line: str) -> dict[str, Any]:
    asked = json.loads(line)
    try:
        return _ACTS[asked.pop("act")](**asked)
    except Rejected as error:
        return {"refused": str(error)}
    except AnchorError as error:
        return {"error": str(error)}
    except Exception as error:  # whoever asked asks again; the log has the rest
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        db.session.remove()


def _ring() -> None:
    for name in passes.SERVICES:
        if name != "reconcile":
            try:
                passes.ring(name)
            except Exception as error:  # the database may be gone at this moment
                print(f"bell: {type(error).__name__}: {error}", file=sys.stderr)
        db.session.remove()


def main() -> None:
    """Answer, or ring, until the end."""
    app = create_app(doors=False)
    if sys.argv[1:] == ["bell"]:
        from anchor.actors import setup  # from here on a doorbell rings

        setup.use(app)
    with app.app_context():
        if sys.argv[1:] == ["bell"]:
            while True:
                _ring()
                sleep(1)
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            print(json.dumps(_answer(line)), flush=True)


if __name__ == "__main__":
    main()
