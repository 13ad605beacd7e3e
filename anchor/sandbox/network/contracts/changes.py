"""What a knob does to contracts, in words that the state file keeps and replays."""

from __future__ import annotations

from typing import TypedDict

from anchor.sandbox.network.contracts.registry import Contracts
from anchor.sandbox.network.entries import AUTH_CLAWBACK, Holding, State
from anchor.sandbox.network.values import Asset


class Change(TypedDict, total=False):
    """One change: `deploy` an asset's contract, `archive` or `restore` a contract,
    `authorize` or `forbid` a contract to hold the asset `asset` (``CODE:ISSUER``, ``native``)."""

    deploy: str
    archive: str
    restore: str
    authorize: str
    forbid: str
    asset: str


def apply_change(change: Change, contracts: Contracts, state: State, ledger: int) -> None:
    """Do what a change says, as of `ledger`."""
    if "deploy" in change:
        contracts.add_asset(Asset.read(change["deploy"]))
    elif "archive" in change:
        contracts.archived.add(change["archive"])
    elif "restore" in change:
        contracts.archived.discard(change["restore"])
    else:
        holder = change["authorize"] if "authorize" in change else change["forbid"]
        draft = state.draft()
        _authorize(draft, holder, Asset.read(change["asset"]), "authorize" in change)
        draft.commit(ledger)


def _authorize(state: State, contract: str, asset: Asset, is_authorized: bool) -> None:
    if state.holdings.read((contract, asset)) is None:
        issuer = state.accounts.read(asset.issuer)
        clawback = issuer is not None and issuer.has(AUTH_CLAWBACK)
        state.holdings.put((contract, asset), Holding(contract, asset, is_authorized, clawback))
    else:
        state.holdings.edit((contract, asset)).is_authorized = is_authorized
