"""What a wallet is told of its transaction: each change of status, owed in the commit of it."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anchor.services import callbacks, transactions, views
from anchor.services.transactions import Moved
from anchor.services.views import View

log = logging.getLogger(__name__)


def declare(flow: str, shown: Callable[[View], Mapping[str, Any]]) -> None:
    """Say how the door of a flow shows a transaction: what it answers is what is told (CB-04)."""

    def written(view: View) -> str:
        body = {"transaction": shown(view)}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))

    callbacks.declare(flow, written)


def announce(moved: Sequence[Moved]) -> None:
    """Owe each address what its door shows of the transaction now (CB-04, CB-06, CB-09).

    Needs the open transaction of the change. What is written now goes out, however late.
    """
    told = [each.id for each in moved if each.callback_url is not None]
    for view in views.told(told) if told else ():
        row = view.row
        assert row.callback_url is not None
        if not callbacks.is_declared(row.flow):  # what cannot be told holds up no money
            log.error("nobody in this process can say how %s stands", row.id)
            continue
        callbacks.owe(row.flow, row.id, row.callback_url, view)


transactions.follow(announce)
