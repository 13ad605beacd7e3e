"""Records of contracts' invocations as Horizon lists them, written by hand."""

from collections.abc import Sequence
from typing import Any

CONTRACT = "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM"


def transfer(
    asset: str, sender: str, receiver: str, amount: str, muxed_id: int | None = None
) -> dict[str, Any]:
    """One change of a ``transfer``; `asset` is ``native`` or ``CODE:ISSUER``."""
    return _change("transfer", asset, amount, sender, receiver, muxed_id)


def mint(asset: str, receiver: str, amount: str, muxed_id: int | None = None) -> dict[str, Any]:
    """One change of a ``mint``, which names no giver."""
    return _change("mint", asset, amount, None, receiver, muxed_id)


def burn(asset: str, sender: str, amount: str, kind: str = "burn") -> dict[str, Any]:
    """One change of a ``burn`` or a ``clawback``, which names no receiver."""
    return _change(kind, asset, amount, sender, None, None)


def invocation(
    changes: Sequence[Any] | None, *, ledger: int = 7, place: int = 1, memo: int | None = None
) -> dict[str, Any]:
    """A record of ``/accounts/{account}/payments?join=transactions``."""
    token = str(ledger << 32 | place << 12 | 1)
    joined = {"memo_type": "none"} if memo is None else {"memo_type": "id", "memo": str(memo)}
    return {
        "id": token,
        "paging_token": token,
        "transaction_successful": True,
        "type": "invoke_host_function",
        "type_i": 24,
        "created_at": "2099-11-23T19:57:36Z",
        "transaction_hash": f"{ledger << 20 | place:064x}",
        "function": "HostFunctionTypeHostFunctionTypeInvokeContract",
        "parameters": [],
        "address": "",
        "salt": "",
        "asset_balance_changes": changes,
        "transaction": joined | {"operation_count": 1},
    }


def _change(
    kind: str,
    asset: str,
    amount: str,
    sender: str | None,
    receiver: str | None,
    muxed_id: int | None,
) -> dict[str, Any]:
    code, _, issuer = asset.partition(":")
    named = {"from": sender, "to": receiver}
    change: dict[str, Any] = {"type": kind, "amount": amount, "asset_type": "native"}
    if issuer:
        kind = "credit_alphanum4" if len(code) <= 4 else "credit_alphanum12"
        change |= {"asset_type": kind, "asset_code": code, "asset_issuer": issuer}
    if muxed_id is not None:
        change["destination_muxed_id"] = str(muxed_id)
    return change | {side: name for side, name in named.items() if name is not None}
