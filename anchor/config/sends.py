"""What the file says of sends: whom they are from, and which customers they ask for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anchor.assets import is_account_id
from anchor.config.customers import STORE
from anchor.customers.rules import CustomerPolicy
from anchor.policies import AssetPolicy, SendingAnchor, SendPolicy

SENDS = 31
SENDER, RECEIVER = "sep31-sender", "sep31-receiver"


def sending_anchors(
    data: Mapping[str, Any], problems: list[str], *, development: bool
) -> dict[str, SendingAnchor]:
    """Return who may send, by each account; contradictions are added to `problems`."""
    found: dict[str, SendingAnchor] = {}
    for name, table in data["sending_anchors"].items():
        anchor = SendingAnchor(name, tuple(table["accounts"]), table["settlement"])
        for account in anchor.accounts:
            where = f"sending_anchors.{name}"
            if not is_account_id(account):
                problems.append(f"{where}: each of accounts must be an account (G…).")
            elif account in found:
                problems.append(f"{where}: {account} is also one of {found[account].name}.")
            found[account] = anchor
    if SENDS in data["anchor"]["seps"] and not found and not development:
        problems.append("SEP-31 is on, and no [sending_anchors] say with whom that is agreed.")
    return found


def with_sends(
    assets: Mapping[str, AssetPolicy],
    tables: Mapping[str, Any],
    customers: CustomerPolicy,
    problems: list[str],
) -> dict[str, AssetPolicy]:
    """Return the assets with what their sends ask for."""
    return {
        code: replace(
            policy, sends=_send_policy(code, tables[code].get("send"), customers, problems)
        )
        for code, policy in assets.items()
    }


def _send_policy(
    code: str, table: Mapping[str, Any] | None, customers: CustomerPolicy, problems: list[str]
) -> SendPolicy:
    if table is None:
        return SendPolicy()
    types = {
        name: _types(table.get(f"{name}_types"), usual, customers)
        for name, usual in (("sender", SENDER), ("receiver", RECEIVER))
    }
    for name, listed in types.items():
        unknown = set(listed) - customers.types.keys()
        if unknown and customers.plugin == STORE:
            problems.append(
                f"assets.{code}.send.{name}_types: {min(unknown)} is not in [customers.types]."
            )
    return SendPolicy(
        quotes_required=table["quotes_required"],
        waits_for_customers=table["kyc"] == "async",
        sender_types=types["sender"],
        receiver_types=types["receiver"],
    )


def _types(given: list[str] | None, usual: str, customers: CustomerPolicy) -> tuple[str, ...]:
    """Return the types that the file names; by default the usual one, where there are rules."""
    if given is not None:
        return tuple(given)
    return (usual,) if usual in customers.types else ()
