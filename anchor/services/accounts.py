"""Looking at many accounts of the ledger at once."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from anchor.errors import AnchorError, Unavailable
from anchor.ledger.gateway import Gateway, LedgerAccount

#: No look begins later than that: the last answer is there before any lease runs out.
_LOOK_S = 30
_HANDS = 8


def look(
    gateway: Gateway, account_ids: Collection[str]
) -> dict[str, LedgerAccount | Exception | None]:
    """Return each account as it stands, None where it is not there, or why nobody can say.

    Each is asked for once, and one without an answer keeps no other. Takes no longer than 30
    seconds and one answer of the ledger's source: what there was no time for is `Unavailable`.
    """
    until = monotonic() + _LOOK_S

    def ask(account_id: str) -> LedgerAccount | Exception | None:
        if monotonic() > until:
            return Unavailable("the ledger's source is slow: there was no time to look")
        try:
            return gateway.account(account_id)
        except AnchorError as error:
            return error

    chosen = sorted(account_ids)
    if len(chosen) == 1:
        return {chosen[0]: ask(chosen[0])}
    with ThreadPoolExecutor(_HANDS, thread_name_prefix="accounts") as pool:
        return dict(zip(chosen, pool.map(ask, chosen), strict=True))
