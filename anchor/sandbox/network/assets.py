"""Horizon's records and list of assets: who holds how much of each, counted from the entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stellar_sdk import StrKey

from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.entries import LINE_AUTHORIZED, LINE_MAINTAIN, State, TrustLine
from anchor.sandbox.network.operations.set_options import FLAGS
from anchor.sandbox.network.paging import Listing
from anchor.sandbox.network.problems import invalid
from anchor.sandbox.network.records import dumps
from anchor.sandbox.network.values import Asset, amount_text

STATES = ("authorized", "authorized_to_maintain_liabilities", "unauthorized")


@dataclass(slots=True)
class AssetStat:
    """What there is of one asset beside its issuer; amounts in stroops."""

    asset: Asset
    accounts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    claimable: list[int] = field(default_factory=list)
    contracts: list[int] = field(default_factory=list)

    @property
    def token(self) -> str:
        """Its paging token."""
        return f"{self.asset.code}_{self.asset.issuer}_{self.asset.type}"


def count(state: State) -> Iterable[AssetStat]:
    """Return one statistic for each asset that anyone holds or may claim."""
    found: dict[Asset, AssetStat] = {}
    for line in state.lines.entries.values():
        if line is not None:
            stat = found.setdefault(line.asset, AssetStat(line.asset))
            stat.accounts[_state(line)] += 1
            stat.balances[_state(line)] += line.balance
    for balance in state.balances.entries.values():
        if balance is not None and not balance.asset.is_native:
            stat = found.setdefault(balance.asset, AssetStat(balance.asset))
            stat.claimable.append(balance.amount)
    for holding in state.holdings.entries.values():
        if holding is not None and not holding.asset.is_native:
            stat = found.setdefault(holding.asset, AssetStat(holding.asset))
            stat.contracts.append(holding.balance)
    return found.values()


def _state(line: TrustLine) -> str:
    if line.flags & LINE_AUTHORIZED:
        return STATES[0]
    return STATES[1] if line.flags & LINE_MAINTAIN else STATES[2]


def asset_text(network: Network, stat: AssetStat) -> str:
    """Return the JSON of an asset; the network's lock is held."""
    issuer = network.shown.accounts.read(stat.asset.issuer)
    domain = issuer.home_domain if issuer else ""
    toml = f"https://{domain}/.well-known/stellar.toml" if domain else ""
    return dumps(
        {
            "_links": {"toml": {"href": toml}},
            **stat.asset.fields(),
            "paging_token": stat.token,
            "num_claimable_balances": len(stat.claimable),
            "num_liquidity_pools": 0,
            "num_contracts": len(stat.contracts),
            "num_archived_contracts": 0,
            "accounts": stat.accounts,
            "claimable_balances_amount": amount_text(sum(stat.claimable)),
            "liquidity_pools_amount": amount_text(0),
            "contracts_amount": amount_text(sum(stat.contracts)),
            "archived_contracts_amount": amount_text(0),
            "balances": {name: amount_text(value) for name, value in stat.balances.items()},
            "flags": {name: bool(issuer and issuer.has(bit)) for bit, name in FLAGS.items()},
        }
    )


def asset_listing(network: Network, params: dict[str, str]) -> Listing:
    """The assets, of one code or issuer if told; raises Problem."""
    code, issuer = params.get("asset_code", ""), params.get("asset_issuer", "")
    if code and not Asset(code, "G").is_valid:
        raise invalid("asset_code", f"{code} is not a valid asset code")
    if issuer and not StrKey.is_valid_ed25519_public_key(issuer):
        raise invalid("asset_issuer", f"{issuer} is not a valid asset issuer")

    def records() -> list[AssetStat]:
        found = [
            stat
            for stat in count(network.shown)
            if code in ("", stat.asset.code) and issuer in ("", stat.asset.issuer)
        ]
        return sorted(found, key=_key)

    return Listing(
        records=records,
        key=_key,
        token=lambda stat: str(stat.token),
        write=lambda stat: asset_text(network, stat),
        read_cursor=_read_cursor,
        in_history=False,
    )


def _key(stat: AssetStat) -> tuple[str, str, str]:
    return stat.asset.code, stat.asset.issuer, stat.asset.type


def _read_cursor(text: str) -> tuple[str, str, str]:
    parts = text.split("_", 2)
    if len(parts) != len(("code", "issuer", "type")):
        reason = "credit asset must contain 3 parts separated by a _"
        raise invalid("cursor", reason)
    return parts[0], parts[1], parts[2]
