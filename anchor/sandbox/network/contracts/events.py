"""What an asset's contract tells of money that moved: its event (CAP-67), and a record of it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from stellar_sdk import StrKey, scval, xdr

from anchor.sandbox.network.values import Asset, amount_text

VOID = xdr.SCVal(xdr.SCValType.SCV_VOID)


@dataclass(frozen=True, slots=True)
class Moved:
    """Money that an asset's contract moved from one holder (G…, C…) to another, in stroops."""

    asset: Asset
    sender: str
    receiver: str
    amount: int
    muxed_id: int | None = None

    @property
    def kind(self) -> str:
        """`mint` where the issuer gave it, `burn` where it got it back, else `transfer`."""
        is_given, is_taken = self.sender == self.asset.issuer, self.receiver == self.asset.issuer
        if is_given == is_taken:
            return "transfer"
        return "mint" if is_given else "burn"

    def change(self) -> dict[str, object]:
        """Return Horizon's asset_balance_change of it."""
        found = self.asset.fields() | {"type": self.kind}
        if self.kind != "mint":
            found["from"] = self.sender
        if self.kind != "burn":
            found["to"] = self.receiver
        found["amount"] = amount_text(self.amount)
        if self.kind != "burn" and self.muxed_id is not None:
            # without a type beside it: Horizon 23.0.0-rc1 had destination_muxed_id_type, no release
            found["destination_muxed_id"] = str(self.muxed_id)
        return found

    def event(self, contract: str) -> xdr.ContractEvent:
        """Return the event that the asset's contract emits of it."""
        parties = {"mint": [self.receiver], "burn": [self.sender]}
        topics = [
            scval.to_symbol(self.kind),
            *(
                scval.to_address(each)
                for each in parties.get(self.kind, [self.sender, self.receiver])
            ),
            scval.to_string(str(self.asset)),
        ]
        data = scval.to_int128(self.amount)
        if self.kind != "burn" and self.muxed_id is not None:
            data = scval.to_struct({"amount": data, "to_muxed_id": scval.to_uint64(self.muxed_id)})
        return xdr.ContractEvent(
            xdr.ExtensionPoint(0),
            xdr.ContractID(xdr.Hash(StrKey.decode_contract(contract))),
            xdr.ContractEventType.CONTRACT,
            xdr.ContractEventBody(0, v0=xdr.ContractEventV0(topics, data)),
        )


def success_hash(events: list[xdr.ContractEvent]) -> bytes:
    """Return the hash in the result of a call that returned nothing and emitted these events."""
    return sha256(xdr.InvokeHostFunctionSuccessPreImage(VOID, events).to_xdr_bytes()).digest()
