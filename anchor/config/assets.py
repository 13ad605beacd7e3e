"""What ``[assets.CODE]`` says, checked and put together as policies."""

from typing import Any

from anchor.assets import is_account_id
from anchor.config.fees import fees
from anchor.money import MAX_STROOPS, parse_amount
from anchor.policies import AssetPolicy, DeliveryPolicy, FlowPolicy, RefundPolicy

#: The lumens, in stroops, without which no account is: two base reserves.
_RESERVE = 10_000_000
_LIMITS = ("min_amount", "max_amount", "daily_limit", "monthly_limit")
_ASCENDING = (
    ("min_amount", "max_amount"),
    ("min_amount", "daily_limit"),
    ("min_amount", "monthly_limit"),
    ("daily_limit", "monthly_limit"),
)


def asset_policy(code: str, table: dict[str, Any], problems: list[str]) -> AssetPolicy:
    """Return the policy of a checked table; what contradicts itself is added to `problems`."""
    where = f"assets.{code}"
    if code == "native" and table.get("issuer"):
        problems.append(f"{where}: lumens have no issuer.")
    elif code != "native" and not is_account_id(table.get("issuer") or ""):
        problems.append(f"{where}.issuer must be an account (G…).")
    if not is_account_id(table["distribution"]):
        problems.append(f"{where}.distribution must be an account (G…).")
    if table["matching"] == "tolerance" and not _tolerances(table):
        problems.append(f"{where}: matching by tolerance needs a tolerance.")
    if len(_tolerances(table)) > 1:
        problems.append(f"{where}: tolerance and tolerance_percent are both there.")
    withdrawal, deposit, send = (
        _flow(f"{where}.{way}", table, way, problems) for way in ("withdrawal", "deposit", "send")
    )
    return AssetPolicy(
        code=code,
        issuer=table.get("issuer"),
        distribution=table["distribution"],
        rails=tuple(table["rails"]),
        decimals=table["decimals"],
        matching=table["matching"],
        tolerance=parse_amount(table["tolerance"]) if table.get("tolerance") else 0,
        tolerance_percent=table["tolerance_percent"],
        withdrawal=withdrawal,
        deposit=deposit,
        send=send,
        delivery=_delivery(f"{where}.deposit", table.get("deposit"), problems),
        refund=_refund(table.get("refund")),
        currency=table.get("currency"),
        outflow_cap=parse_amount(cap) if (cap := table.get("outflow_cap_per_hour")) else None,
    )


def _tolerances(table: dict[str, Any]) -> list[str]:
    return [name for name in ("tolerance", "tolerance_percent") if table.get(name)]


def _delivery(where: str, table: dict[str, Any] | None, problems: list[str]) -> DeliveryPolicy:
    if table is None:
        return DeliveryPolicy()
    starting = parse_amount(table["starting_balance"], zero=True)
    if table["create_accounts"] and starting < _RESERVE:
        problems.append(f"{where}: a starting_balance below 1 creates no account.")
    if table["authorize_trustlines"] and where == "assets.native.deposit":
        problems.append(f"{where}: lumens have no trust lines to authorize.")
    return DeliveryPolicy(
        create_accounts=table["create_accounts"],
        starting_balance=starting,
        creation_fee=parse_amount(table["creation_fee"], zero=True),
        claimable_balances=table["claimable_balances"],
        reclaim_days=table["reclaim_days"],
        trust_days=table["trust_days"],
        authorize_trustlines=table["authorize_trustlines"],
    )


def _refund(table: dict[str, Any] | None) -> RefundPolicy:
    if table is None:
        return RefundPolicy()
    return RefundPolicy(
        fee=parse_amount(table["fee"], zero=True),
        automatic=frozenset(table["automatic"]),
        min_amount=parse_amount(table["min_amount"], zero=True),
        daily_count=table["daily_count"],
        daily_amount=parse_amount(table["daily_amount"]),
        after_trust_days=table["after_trust_days"],
    )


def _flow(where: str, asset: dict[str, Any], way: str, problems: list[str]) -> FlowPolicy:
    table = asset.get(way)
    if table is None:
        return FlowPolicy()
    amounts = {name: parse_amount(table[name]) for name in _LIMITS if table.get(name)}
    for less, more in _ASCENDING:
        if less in amounts and more in amounts and amounts[less] > amounts[more]:
            problems.append(f"{where}: {less} is above {more}.")
    found = fees(where, table, asset["rails"], problems)
    begins = [tier.least for each in found.every for tier in each.tiers]
    if max(begins, default=0) > amounts.get("max_amount", MAX_STROOPS):
        problems.append(f"{where}: a tier begins above max_amount.")
    return FlowPolicy(table["enabled"], fees=found, **amounts)
