"""What the anchor asks of a network about contracts, in values that know no SDK."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RpcState:
    """What a source knows of its network at this moment."""

    passphrase: str
    is_healthy: bool
    latest_ledger: int


@dataclass(frozen=True)
class ContractInstance:
    """A contract that is there; it is archived after the ledger `live_until`, if known."""

    contract_id: str
    live_until: int | None
    latest_ledger: int


@dataclass(frozen=True)
class Simulation:
    """What a transaction would do in the ledger after `latest_ledger`.

    `error` is the host's word where it would fail, else None. `auth` are the authorization
    entries (XDR in base64) that it asks for, where it brought none.
    """

    latest_ledger: int
    error: str | None
    auth: tuple[str, ...] = ()


class ContractGateway(Protocol):
    """A source of facts about contracts (Stellar RPC).

    Every method raises `Unavailable` when it gives no answer; nothing is asked twice.
    """

    def state(self) -> RpcState:
        """Tell which network this is, whether the source keeps up, and its newest ledger."""

    def latest_ledger(self) -> int:
        """Tell the number of the newest ledger."""

    def instance(self, contract_id: str) -> ContractInstance | None:
        """Return the contract (``C…``), or None where it was never deployed or is archived."""

    def simulate(self, envelope_xdr: str, *, address_bound: bool = False) -> Simulation:
        """Try a transaction, and change nothing.

        `address_bound` asks for credentials of CAP-71's second version, which a source may
        not know. Raises `Rejected` for an envelope that the source cannot read.
        """
