"""Looking at many accounts of the ledger, or contracts, at once."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

from anchor.errors import AnchorError, Unavailable
from anchor.ledger.contract_gateway import ContractGateway, ContractInstance
from anchor.ledger.gateway import Gateway, LedgerAccount

T = TypeVar("T")

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
    return _look(gateway.account, account_ids)


def look_at_contracts(
    rpc: ContractGateway, contract_ids: Collection[str]
) -> dict[str, ContractInstance | Exception | None]:
    """Return each contract, None where it is not there, or why nobody can say; as `look` does."""
    return _look(rpc.instance, contract_ids)


def _look(act: Callable[[str], T | None], ids: Collection[str]) -> dict[str, T | Exception | None]:
    until = monotonic() + _LOOK_S

    def ask(name: str) -> T | Exception | None:
        if monotonic() > until:
            return Unavailable("the ledger's source is slow: there was no time to look")
        try:
            return act(name)
        except AnchorError as error:
            return error

    chosen = sorted(ids)
    if not chosen:
        return {}
    if len(chosen) == 1:
        return {chosen[0]: ask(chosen[0])}
    with ThreadPoolExecutor(_HANDS, thread_name_prefix="accounts") as pool:
        return dict(zip(chosen, pool.map(ask, chosen), strict=True))
