"""Assets whose issuer authorizes trust lines, and accounts that lack lumens, in short words."""

from dataclasses import replace
from typing import Any

from stellar_sdk import Asset, AuthorizationFlag, Keypair
from stellar_sdk.operation.set_trust_line_flags import TrustLineFlags

from anchor.config import Secret
from anchor.integrations.local_keys import LocalKeys
from anchor.services import audits
from tests.deposits import Bench

FRIENDBOT = 10_000
_AUTHORIZED = TrustLineFlags.AUTHORIZED_FLAG
_MAINTAINED = TrustLineFlags.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG


def authorizing(bench: Bench, *, keys: bool = True) -> None:
    """Let the issuer ask to authorize lines (and revoke them), and the anchor do it."""
    issuer = bench.issuer()
    builder = bench.builder(issuer)
    builder.append_set_options_op(set_flags=AuthorizationFlag(3))
    bench.world.submit(builder, issuer)
    policy = bench.world.app.extensions["anchor"].settings.assets["USDC"]
    bench.serve(replace(policy, delivery=replace(policy.delivery, authorize_trustlines=True)))
    if keys:
        found = bench.world.app.extensions["anchor"]
        secrets = {"USDC": Secret(issuer.secret)}
        settings = replace(found.settings, issuer_secrets=secrets)
        custody = LocalKeys("local", keys=settings.keys)
        bench.world.app.extensions["anchor"] = replace(found, settings=settings, custody=custody)


def maintain(bench: Bench, keys: Keypair) -> None:
    """Let the issuer cut a line down to keeping its offers."""
    _change(bench, keys, clear=_AUTHORIZED, set_=_MAINTAINED)


def open_by_hand(bench: Bench, keys: Keypair) -> None:
    """Let the issuer open a line, whatever it was before."""
    _change(bench, keys, clear=_MAINTAINED, set_=_AUTHORIZED)


def _change(bench: Bench, keys: Keypair, *, clear: TrustLineFlags, set_: TrustLineFlags) -> None:
    issuer = bench.issuer()
    builder = bench.builder(issuer)
    builder.append_set_trust_line_flags_op(
        keys.public_key, bench.world.asset, clear_flags=clear, set_flags=set_
    )
    bench.world.submit(builder, issuer)


def differences() -> set[str]:
    """Return in what the database contradicts itself; tests let money come without a booking."""
    return {each.kind for each in audits.look()} - {"received", "customers"}


def operations(bench: Bench, row_id: str) -> list[dict[str, Any]]:
    """Return the operations of the ledger transaction that paid a deposit."""
    hash_ = bench.world.row(row_id).stellar_transaction_id
    found = bench.world.sandbox_get(f"/transactions/{hash_}/operations", limit="200")
    return list(found["_embedded"]["records"])


def give_away(bench: Bench, keys: Keypair, keep: str) -> None:
    """Let an account of friendbot's keep so many lumens, and give the rest to the issuer."""
    builder = bench.builder(keys)
    gone = FRIENDBOT - float(keep) - 0.00001
    builder.append_payment_op(bench.issuer().public_key, Asset.native(), f"{gone:.7f}")
    bench.world.submit(builder, keys)


def lumens(bench: Bench, account: str) -> str:
    found = bench.world.sandbox_get(f"/accounts/{account}")
    return str(next(x["balance"] for x in found["balances"] if x["asset_type"] == "native"))
