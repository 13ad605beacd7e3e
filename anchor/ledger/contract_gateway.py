"""What the anchor asks of a network about contracts, in values that know no SDK."""

import re
from dataclasses import dataclass
from typing import Protocol

from anchor.errors import Rejected

_HOST_ERROR = re.compile(r"Error\((\w{1,40}), #?(\w{1,40})\)")
#: What the contract of an asset means by its errors where it pays from an account of ours to a
#: contract, in Horizon's words for payments (soroban-env-host: builtin_contracts/contract_error).
_WORDS = {
    ("Contract", "6"): "op_src_no_trust",
    ("Contract", "10"): "op_underfunded",
    ("Contract", "11"): "balance_deauthorized",
    ("Contract", "13"): "op_src_no_trust",
}


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


@dataclass(frozen=True)
class Prepared:
    """What a call takes, as it was simulated.

    `data` are its entries and resources (SorobanTransactionData, XDR in base64), and
    `resource_fee` is what they cost in stroops.
    """

    data: str
    resource_fee: int


class CallFails(Rejected):
    """A call of an asset's contract would fail: `code` says so as a result code does.

    ``op_underfunded`` and ``op_src_no_trust`` are about the account that pays;
    ``balance_deauthorized`` is about either side; of anything else it is ``function_trapped``.
    The host's whole word tells accounts and amounts, so no more than its error is kept of it.
    """

    def __init__(self, told: str) -> None:
        found = _HOST_ERROR.search(told)
        super().__init__(f"the ledger's host says {found[0] if found else 'no'}")
        self.code = _WORDS.get((found[1], found[2]) if found else ("", ""), "function_trapped")


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

    def prepare(self, envelope_xdr: str) -> Prepared:
        """Find out what a call takes that brings its authorization, and change nothing.

        Raises `CallFails` where it would fail, and `Rejected` for an envelope that the source
        cannot read.
        """
