"""Horizon's root resource, its health and its fee statistics."""

from __future__ import annotations

from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.ledgers import MAX_TX_SET_SIZE
from anchor.sandbox.network.records import PAGED, dumps, link
from anchor.sandbox.network.values import PROTOCOL_VERSION, time_text

HEALTH = '{"database_connected":true,"core_up":true,"core_synced":true}'
_PAIR = (
    "?base_asset_type={base_asset_type}&base_asset_code={base_asset_code}"
    "&base_asset_issuer={base_asset_issuer}&counter_asset_type={counter_asset_type}"
    "&counter_asset_code={counter_asset_code}&counter_asset_issuer={counter_asset_issuer}"
)
_TEMPLATES = {
    "account": "/accounts/{account_id}",
    "accounts": "/accounts{?signer,sponsor,asset,liquidity_pool,cursor,limit,order}",
    "account_transactions": "/accounts/{account_id}/transactions" + PAGED,
    "claimable_balances": "/claimable_balances{?asset,sponsor,claimant,cursor,limit,order}",
    "assets": "/assets{?asset_code,asset_issuer,cursor,limit,order}",
    "effects": "/effects" + PAGED,
    "fee_stats": "/fee_stats",
    "friendbot": "/{?addr}",
    "ledger": "/ledgers/{sequence}",
    "ledgers": "/ledgers" + PAGED,
    "liquidity_pools": "/liquidity_pools{?reserves,account,cursor,limit,order}",
    "offer": "/offers/{offer_id}",
    "offers": "/offers{?selling,buying,seller,sponsor,cursor,limit,order}",
    "operation": "/operations/{id}",
    "operations": "/operations{?cursor,limit,order,include_failed}",
    "order_book": "/order_book{?selling_asset_type,selling_asset_code,selling_asset_issuer,"
    "buying_asset_type,buying_asset_code,buying_asset_issuer,limit}",
    "payments": "/payments{?cursor,limit,order,include_failed}",
    "self": "/",
    "strict_receive_paths": "/paths/strict-receive{?source_assets,source_account,"
    "destination_account,destination_asset_type,destination_asset_issuer,"
    "destination_asset_code,destination_amount}",
    "strict_send_paths": "/paths/strict-send{?destination_account,destination_assets,"
    "source_asset_type,source_asset_issuer,source_asset_code,source_amount}",
    "trade_aggregations": "/trade_aggregations" + _PAIR,
    "trades": "/trades" + _PAIR,
    "transaction": "/transactions/{hash}",
    "transactions": "/transactions" + PAGED,
}
_PERCENTILES = (*(f"p{ten}" for ten in range(10, 100, 10)), "p95", "p99")


def root_text(network: Network) -> str:
    """Return the JSON of the root; the network's lock is held."""
    history, latest = network.history, network.history.latest
    return dumps(
        {
            "_links": {name: link(path) for name, path in _TEMPLATES.items()},
            "horizon_version": "sandbox",
            "core_version": "sandbox",
            "ingest_latest_ledger": latest.sequence,
            "history_latest_ledger": latest.sequence,
            "history_latest_ledger_closed_at": time_text(latest.closed_at),
            "history_elder_ledger": history.elder,
            "core_latest_ledger": network.core.sequence,
            "network_passphrase": network.passphrase,
            "current_protocol_version": PROTOCOL_VERSION,
            "supported_protocol_version": PROTOCOL_VERSION,
            "core_supported_protocol_version": PROTOCOL_VERSION,
        }
    )


def fee_stats_text(network: Network) -> str:
    """Return the JSON of the fee statistics: all pay the base fee, or the fee of a surge."""
    latest = network.history.latest
    fee, surges = str(latest.base_fee), network.surge_fee > network.base_fee
    paid = str(network.surge_fee) if surges else fee
    spread = dict.fromkeys(("max", "min", "mode", *_PERCENTILES), paid)
    used = 100 if surges else round(latest.operations_in_set * 100 / MAX_TX_SET_SIZE)
    return dumps(
        {
            "last_ledger": str(latest.sequence),
            "last_ledger_base_fee": fee,
            "ledger_capacity_usage": f"{used // 100}.{used % 100:02d}".rstrip("0").rstrip("."),
            "fee_charged": spread,
            "max_fee": spread,
        }
    )
