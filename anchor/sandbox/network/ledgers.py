"""Closed ledgers: their headers, hashes chained one to the next, and their Horizon records."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from anchor.sandbox.network.entries import BASE_RESERVE
from anchor.sandbox.network.records import PAGED, dumps, link
from anchor.sandbox.network.values import (
    PROTOCOL_VERSION,
    TOTAL_COINS_STROOPS,
    amount_text,
    ledger_token,
    time_text,
)

MAX_TX_SET_SIZE = 1000


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Ledger:
    """One closed ledger; `closed_at` in seconds since 1970, fees in stroops."""

    sequence: int
    closed_at: int
    previous_hash: bytes
    results_hash: bytes
    base_fee: int
    fee_pool: int
    successful: int = 0
    failed: int = 0
    operations: int = 0
    operations_in_set: int = 0

    @property
    def token(self) -> int:
        """Its paging token."""
        return ledger_token(self.sequence)

    @property
    def header(self) -> bytes:
        """The XDR of its LedgerHeader; written by hand since an idle network makes one a second."""
        return b"".join(
            (
                _u32(PROTOCOL_VERSION),
                self.previous_hash,
                self.results_hash,
                _u64(self.closed_at),
                _u32(0),
                _u32(0),
                self.results_hash,
                sha256(self.results_hash + _u32(self.sequence)).digest(),
                _u32(self.sequence),
                _u64(TOTAL_COINS_STROOPS),
                _u64(self.fee_pool),
                _u32(0),
                _u64(0),
                _u32(self.base_fee),
                _u32(BASE_RESERVE),
                _u32(MAX_TX_SET_SIZE),
                bytes(4 * 32),
                _u32(0),
            )
        )

    @property
    def hash(self) -> bytes:
        """The hash of its header, which the next one names."""
        return sha256(self.header).digest()

    def text(self) -> str:
        """Return its Horizon record as JSON."""
        own, header = f"/ledgers/{self.sequence}", self.header
        hash_ = sha256(header).hexdigest()
        return dumps(
            {
                "_links": {
                    "self": link(own),
                    "transactions": link(f"{own}/transactions{PAGED}"),
                    "operations": link(f"{own}/operations{PAGED}"),
                    "payments": link(f"{own}/payments{PAGED}"),
                    "effects": link(f"{own}/effects{PAGED}"),
                },
                "id": hash_,
                "paging_token": str(self.token),
                "hash": hash_,
                "prev_hash": self.previous_hash.hex(),
                "sequence": self.sequence,
                "successful_transaction_count": self.successful,
                "failed_transaction_count": self.failed,
                "operation_count": self.operations,
                "tx_set_operation_count": self.operations_in_set,
                "closed_at": time_text(self.closed_at),
                "total_coins": amount_text(TOTAL_COINS_STROOPS),
                "fee_pool": amount_text(self.fee_pool),
                "base_fee_in_stroops": self.base_fee,
                "base_reserve_in_stroops": BASE_RESERVE,
                "max_tx_set_size": MAX_TX_SET_SIZE,
                "protocol_version": PROTOCOL_VERSION,
                "header_xdr": b64encode(header).decode(),
            }
        )
