"""Reserves: what an account must keep, and who bears the reserve of a new entry."""

from __future__ import annotations

from typing import Any

from anchor.sandbox.network.entries import BASE_RESERVE, Account, State
from anchor.sandbox.network.operations.base import Scene
from anchor.sandbox.network.results import OpCode, Refused

MAX_SUBENTRIES = 1000


def sponsor(payer: Account, units: int, low_reserve: Any) -> str:
    """Let an account bear `units` reserves of others; raises Refused with `low_reserve`."""
    if payer.available < units * BASE_RESERVE:
        raise Refused(low_reserve)
    payer.sponsoring += units
    return payer.id


def release(state: State, sponsor_id: str | None, units: int) -> None:
    """Give a sponsor, if there is one, the reserves back that it bore."""
    if sponsor_id is not None:
        state.accounts.edit(sponsor_id).sponsoring -= units


def add_subentry(scene: Scene, owner: Account, low_reserve: Any) -> str | None:
    """Count one more subentry, and return who sponsors it, if anyone.

    Raises Refused with `low_reserve` or for too many.
    """
    if owner.subentries >= MAX_SUBENTRIES:
        raise Refused(OpCode.opTOO_MANY_SUBENTRIES)
    payer = scene.sponsor_of(owner.id)
    if payer is not None:
        sponsor(payer, 1, low_reserve)
        owner.sponsored += 1
    elif owner.available < BASE_RESERVE:
        raise Refused(low_reserve)
    owner.subentries += 1
    return None if payer is None else payer.id


def drop_subentry(state: State, owner: Account, sponsor_id: str | None) -> None:
    """Count one subentry less, and give its sponsor the reserve back."""
    owner.subentries -= 1
    if sponsor_id is not None:
        owner.sponsored -= 1
        release(state, sponsor_id, 1)
