"""Horizon's records of accounts, made from the present entries."""

from __future__ import annotations

from base64 import b64encode

from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.entries import LINE_CLAWBACK, LINE_MAINTAIN, Account, TrustLine
from anchor.sandbox.network.operations.set_options import FLAGS
from anchor.sandbox.network.records import PAGED, dumps, link
from anchor.sandbox.network.values import amount_text, time_text

SIGNER_TYPES = {
    "G": "ed25519_public_key",
    "T": "preauth_tx",
    "X": "sha256_hash",
    "P": "ed25519_signed_payload",
}
_NO_LIABILITIES = {"buying_liabilities": amount_text(0), "selling_liabilities": amount_text(0)}


def account_text(network: Network, account: Account) -> str:
    """Return the JSON of an account; the network's lock is held."""
    own = f"/accounts/{account.id}"
    body: dict[str, object] = {
        "_links": {
            "self": link(own),
            "transactions": link(f"{own}/transactions{PAGED}"),
            "operations": link(f"{own}/operations{PAGED}"),
            "payments": link(f"{own}/payments{PAGED}"),
            "effects": link(f"{own}/effects{PAGED}"),
            "offers": link(f"{own}/offers{PAGED}"),
            "trades": link(f"{own}/trades{PAGED}"),
            "data": link(f"{own}/data/{{key}}"),
        },
        "id": account.id,
        "account_id": account.id,
        "sequence": str(account.sequence),
    }
    if account.sequence_ledger is not None:
        body |= {
            "sequence_ledger": account.sequence_ledger,
            "sequence_time": str(account.sequence_at),
        }
    body["subentry_count"] = account.subentries
    if account.inflation_destination:
        body["inflation_destination"] = account.inflation_destination
    if account.home_domain:
        body["home_domain"] = account.home_domain
    return dumps(body | _entries(network, account))


def _entries(network: Network, account: Account) -> dict[str, object]:
    lines = [_balance(line) for line in network.shown.lines_of(account.id)]
    native = {"balance": amount_text(account.balance), **_NO_LIABILITIES, "asset_type": "native"}
    signers = account.signers | {account.id: account.master_weight}
    return {
        **modified_fields(network, account.modified_ledger),
        "thresholds": {
            "low_threshold": account.low,
            "med_threshold": account.medium,
            "high_threshold": account.high,
        },
        "flags": {name: account.has(bit) for bit, name in FLAGS.items()},
        "balances": [*lines, native],
        "signers": [_signer(account, key, signers[key]) for key in sorted(signers)],
        "data": {name: b64encode(account.data[name]).decode() for name in sorted(account.data)},
        "num_sponsoring": account.sponsoring,
        "num_sponsored": account.sponsored,
        **_sponsor(account.sponsor),
        "paging_token": account.id,
    }


def _sponsor(sponsor: str | None) -> dict[str, object]:
    return {"sponsor": sponsor} if sponsor else {}


def _signer(account: Account, key: str, weight: int) -> dict[str, object]:
    found: dict[str, object] = {"weight": weight, "key": key, "type": SIGNER_TYPES[key[0]]}
    return found | _sponsor(account.signer_sponsors.get(key))


def modified_fields(network: Network, ledger: int) -> dict[str, object]:
    """Return last_modified_ledger and last_modified_time; the oldest kept if it is forgotten."""
    kept = network.history.ledger(ledger) or network.history.ledgers[0]
    return {"last_modified_ledger": ledger, "last_modified_time": time_text(kept.closed_at)}


def _balance(line: TrustLine) -> dict[str, object]:
    maintains = line.is_authorized or bool(line.flags & LINE_MAINTAIN)
    found: dict[str, object] = {
        "balance": amount_text(line.balance),
        "limit": amount_text(line.limit),
        **_NO_LIABILITIES,
        **_sponsor(line.sponsor),
        "last_modified_ledger": line.modified_ledger,
        "is_authorized": line.is_authorized,
        "is_authorized_to_maintain_liabilities": maintains,
    }
    if line.flags & LINE_CLAWBACK:
        found["is_clawback_enabled"] = True
    return found | line.asset.fields()
