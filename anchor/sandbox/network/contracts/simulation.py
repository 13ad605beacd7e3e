"""Simulating a call of a contract: what it asks for, or whether it would succeed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from stellar_sdk import Address, InvokeHostFunction, TransactionEnvelope, xdr

from anchor.sandbox.network.contracts.authorization import LEGACY, V2, Authority
from anchor.sandbox.network.contracts.costs import transaction_data
from anchor.sandbox.network.contracts.errors import HostError
from anchor.sandbox.network.contracts.events import VOID
from anchor.sandbox.network.contracts.host import Host, call_of
from anchor.sandbox.network.contracts.keys import nonce_key
from anchor.sandbox.network.contracts.registry import Contracts
from anchor.sandbox.network.entries import State

_RECORDS = ("record", "record_allow_nonroot")


@dataclass(frozen=True)
class Simulated:
    """What a successful simulation tells; authorizations and result in base64 XDR.

    `moves` says whether money would move.
    """

    auth: tuple[str, ...]
    result: str
    data: xdr.SorobanTransactionData
    moves: bool


def simulate(
    contracts: Contracts,
    state: State,
    ledger: int,
    envelope: TransactionEnvelope,
    *,
    mode: str | None,
    upgraded: bool,
) -> Simulated:
    """Simulate the one call of a transaction at `ledger`; raises HostError where it fails.

    `mode` is ``enforce`` or ``record``; by default the latter, where no authorization comes
    with the call. `upgraded` records credentials of version 2.
    """
    operations = envelope.transaction.operations
    operation = operations[0] if len(operations) == 1 else None
    if not isinstance(operation, InvokeHostFunction):
        raise HostError("Context, InvalidInput", "one call of a contract is simulated, no more")
    source = (operation.source or envelope.transaction.source).account_id
    given = list(operation.auth or [])
    host = Host(contracts, state.draft(), ledger)
    recorder = _Recorder(host, source, upgraded=upgraded)
    records = mode in _RECORDS or (mode is None and not given)
    _, moved = host.run(
        call_of(operation.host_function), recorder if records else Authority(host, source, given)
    )
    recorded = () if given else tuple(entry.to_xdr() for entry in recorder.entries)
    return Simulated(recorded, VOID.to_xdr(), transaction_data(host.touched), moved is not None)


class _Recorder:
    """Takes every demand for granted, and writes down what has to be signed for it."""

    def __init__(self, host: Host, source: str, *, upgraded: bool) -> None:
        self._host, self._source = host, source
        self._kind = V2 if upgraded else LEGACY
        self.entries: list[xdr.SorobanAuthorizationEntry] = []

    def demand(self, address: str, call: xdr.SorobanAuthorizedInvocation) -> None:
        """Record what `address` has to authorize."""
        self.entries.append(xdr.SorobanAuthorizationEntry(self._credentials(address), call))

    def _credentials(self, address: str) -> xdr.SorobanCredentials:
        if address == self._source:
            kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
            return xdr.SorobanCredentials(kind)
        by = xdr.SorobanAddressCredentials(
            address=Address(address).to_xdr_sc_address(),
            nonce=xdr.Int64(secrets.randbelow(2**63)),
            signature_expiration_ledger=xdr.Uint32(0),
            signature=VOID,
        )
        self._host.touch_signer(address)
        self._host.touched.write(nonce_key(address, by.nonce.int64), is_new=True)
        if self._kind == V2:
            return xdr.SorobanCredentials(V2, address_v2=by)
        return xdr.SorobanCredentials(LEGACY, address=by)
