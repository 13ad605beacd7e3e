"""What a call of a contract costs here: plausible figures, in the order of real ones.

As on a real network, a transaction declares its resources and pays for them, used or not;
rent of new entries and events are paid from what is left of its resource fee. Unlike there,
nothing of it is given back.
"""

from __future__ import annotations

from stellar_sdk import xdr

from anchor.sandbox.network.contracts.keys import Touched

_INSTRUCTIONS, _INSTRUCTIONS_AN_ENTRY = 300_000, 50_000
_BYTES_AN_ENTRY = 200
_EVENT_FEE, _RENT_OF_NEW = 2_000, 20_000


def resources_of(touched: Touched) -> xdr.SorobanResources:
    """Return the resources that a call used which touched these entries."""
    footprint = touched.footprint()
    written = len(footprint.read_write)
    entries = len(footprint.read_only) + written
    return xdr.SorobanResources(
        footprint,
        xdr.Uint32(_INSTRUCTIONS + entries * _INSTRUCTIONS_AN_ENTRY),
        xdr.Uint32(entries * _BYTES_AN_ENTRY),
        xdr.Uint32(written * _BYTES_AN_ENTRY),
    )


def declared_fee(resources: xdr.SorobanResources) -> int:
    """Return what declared resources cost, in stroops, before anything is run."""
    footprint = resources.footprint
    entries = 1_000 * len(footprint.read_only) + 5_000 * len(footprint.read_write)
    size = resources.disk_read_bytes.uint32 + resources.write_bytes.uint32
    return resources.instructions.uint32 // 400 + entries + size


def consumed_fee(touched: Touched) -> int:
    """Return what a call costs beside its resources, in stroops: its event, and rent."""
    return _EVENT_FEE + touched.new * _RENT_OF_NEW


def fits(used: xdr.SorobanResources, declared: xdr.SorobanResources) -> bool:
    """Tell whether a call stayed within what its transaction declared."""
    return (
        used.instructions.uint32 <= declared.instructions.uint32
        and used.disk_read_bytes.uint32 <= declared.disk_read_bytes.uint32
        and used.write_bytes.uint32 <= declared.write_bytes.uint32
    )


def transaction_data(touched: Touched) -> xdr.SorobanTransactionData:
    """Return what a transaction has to declare for a call that touched these entries."""
    resources = resources_of(touched)
    fee = declared_fee(resources) + consumed_fee(touched)
    return xdr.SorobanTransactionData(xdr.SorobanTransactionDataExt(0), resources, xdr.Int64(fee))


def fall_short(data: xdr.SorobanTransactionData, of: str) -> None:
    """Let what a simulation says be too little in its `fee`, its `resources` or its `footprint`.

    The ledger then answers insufficient_refundable_fee, resource_limit_exceeded, or traps.
    """
    resources = data.resources
    if of == "fee":
        data.resource_fee = xdr.Int64(declared_fee(resources))
    elif of == "resources":
        resources.instructions = xdr.Uint32(resources.instructions.uint32 // 2)
    else:
        resources.footprint.read_write = []
