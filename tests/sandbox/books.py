"""The sandbox network's books, kept twice: by its entries, and by what Horizon tells of it."""

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

from anchor.sandbox.network import Network
from anchor.sandbox.network.records import published
from anchor.sandbox.network.values import TOTAL_COINS_STROOPS

STROOPS = 10_000_000
Place = tuple[str, str]


def text(stroops: int) -> str:
    return f"{Decimal(stroops) / STROOPS:f}"


def totals(network: Network) -> dict[str, int]:
    """What there is of each asset: with all its holders, in balances to claim, and in fees."""
    found: defaultdict[str, int] = defaultdict(int)
    found["native"] = network.core.fee_pool
    for (_, asset), balance in held(network).items():
        found[asset] += balance
    for claimable in network.state.balances.entries.values():
        assert claimable is not None
        found[str(claimable.asset)] += claimable.amount
    return {asset: total for asset, total in found.items() if total}


def told(network: Network) -> dict[Place, int]:
    """The balances that follow from the effects and fees that Horizon tells, in stroops.

    An issuer's own is below zero: as much of its asset is with others.
    """
    found: defaultdict[Place, int] = defaultdict(int)
    found[network.root.public_key, "native"] = TOTAL_COINS_STROOPS
    signs = {"account_credited": 1, "account_debited": -1, "account_created": 1}
    signs |= {"contract_credited": 1, "contract_debited": -1}
    for effect in network.history.all.effects:
        body = json.loads(published(effect.text, ""))
        amount = body.get("amount", body.get("starting_balance"))
        if body["type"] in signs:
            code = body.get("asset_code")
            asset = f"{code}:{body['asset_issuer']}" if code else "native"
            holder = body.get("contract", body["account"])
            found[holder, asset] += signs[body["type"]] * int(Decimal(amount) * STROOPS)
    for change in changes(network):
        if change["type"] != "transfer":  # no effect tells of the issuer's side
            sign = -1 if change["type"] == "mint" else 1
            issuer, asset = (
                change["asset_issuer"],
                f"{change['asset_code']}:{change['asset_issuer']}",
            )
            found[issuer, asset] += sign * int(Decimal(change["amount"]) * STROOPS)
    for transaction in network.history.all.transactions:
        body = json.loads(published(transaction.text, ""))
        found[body["fee_account"], "native"] -= int(body["fee_charged"])
    return {place: balance for place, balance in found.items() if balance}


def changes(network: Network) -> list[dict[str, Any]]:
    """What records tell of money that was moved by contracts."""
    texts = (each.text(joined=False) for each in network.history.all.operations)
    moved = (
        json.loads(published(text, "")) for text in texts if '"asset_balance_changes":[' in text
    )
    return [change for each in moved for change in each["asset_balance_changes"]]


def issued(network: Network) -> dict[str, int]:
    """How much of each asset but XLM issuers gave out and did not get back, as told by effects."""
    return {
        asset: -balance
        for (account, asset), balance in told(network).items()
        if asset.endswith(f":{account}")
    }


def told_of_others(network: Network) -> dict[Place, int]:
    """The told balances without those of issuers in their own assets."""
    found = told(network).items()
    return {(a, asset): balance for (a, asset), balance in found if not asset.endswith(f":{a}")}


def held(network: Network) -> dict[Place, int]:
    """The balances of the ledger's entries, in stroops."""
    accounts, lines = network.state.accounts.entries, network.state.lines.entries
    found = {(a.id, "native"): a.balance for a in accounts.values() if a and a.balance}
    for holding in network.state.holdings.entries.values():
        if holding and holding.balance:
            found[holding.contract, str(holding.asset)] = holding.balance
    return found | {
        (line.account, str(line.asset)): line.balance
        for line in lines.values()
        if line and line.balance
    }


def subentries(network: Network) -> dict[str, int]:
    """How many subentries each account has, counted from the entries."""
    found: defaultdict[str, int] = defaultdict(int)
    for account in network.state.accounts.entries.values():
        assert account is not None
        found[account.id] += len(account.data) + len(account.signers)
    for line in network.state.lines.entries.values():
        assert line is not None
        found[line.account] += 1
    return dict(found)


def reserves(network: Network) -> tuple[dict[str, int], dict[str, int]]:
    """How many reserves each account bears for others, and has borne by others."""
    bears: defaultdict[str, int] = defaultdict(int)
    borne: defaultdict[str, int] = defaultdict(int)
    for account in network.state.accounts.entries.values():
        assert account is not None
        if account.sponsor:
            bears[account.sponsor] += 2
            borne[account.id] += 2
        for sponsor in [*account.signer_sponsors.values(), *account.data_sponsors.values()]:
            bears[sponsor] += 1
            borne[account.id] += 1
    for line in network.state.lines.entries.values():
        if line and line.sponsor:
            bears[line.sponsor] += 1
            borne[line.account] += 1
    for balance in network.state.balances.entries.values():
        assert balance is not None
        bears[balance.sponsor] += len(balance.claimants)
    return dict(bears), dict(borne)


def check_books(network: Network) -> None:
    """Every coin is somewhere, told by effects, and every reserve is counted once."""
    assert totals(network) == {"native": TOTAL_COINS_STROOPS} | issued(network)
    assert held(network) == told_of_others(network)
    counted, (bears, borne) = subentries(network), reserves(network)
    for account in network.state.accounts.entries.values():
        assert account is not None
        assert account.balance >= 0
        assert account.subentries == counted[account.id]
        assert account.sponsoring == bears.pop(account.id, 0)
        assert account.sponsored == borne.pop(account.id, 0)
    assert (bears, borne) == ({}, {})
    for holding in network.state.holdings.entries.values():
        assert holding is not None
        assert holding.balance >= 0
    for line in network.state.lines.entries.values():
        assert line is not None
        assert 0 <= line.balance <= line.limit
