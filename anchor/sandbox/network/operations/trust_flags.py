"""Operations set_trust_line_flags and allow_trust: the issuer opens and closes trust lines."""

from __future__ import annotations

from typing import Any

from stellar_sdk import xdr

from anchor.sandbox.network.entries import (
    AUTH_REVOCABLE,
    LINE_AUTHORIZED,
    LINE_CLAWBACK,
    LINE_MAINTAIN,
    Account,
)
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import Asset, account_of

SetCode = xdr.SetTrustLineFlagsResultCode
AllowCode = xdr.AllowTrustResultCode
# the ledger's own spelling of the second one
FLAGS = {
    LINE_AUTHORIZED: "authorized",
    LINE_MAINTAIN: "authorized_to_maintain_liabilites",
    LINE_CLAWBACK: "clawback_enabled",
}
AUTH_FLAGS = LINE_AUTHORIZED | LINE_MAINTAIN


class _TrustFlags(Operation):
    """What both kinds share; `turned_on` and `turned_off` are LINE_ bits."""

    codes: Any
    prefix: str
    trustor: str
    asset: Asset
    turned_on: int
    turned_off: int

    def threshold(self, account: Account) -> int:
        """Both take the low threshold."""
        return account.low

    def refused(self, name: str) -> Refused:
        """Return the refusal with the kind's code of this name."""
        return Refused(self.codes[self.prefix + name])

    def change(self, scene: Scene, *, revokes: bool) -> None:
        """Change the line; cant_revoke, no_trust_line, invalid_state."""
        issuer = scene.state.accounts.read(self.source.account)
        is_revocable = issuer is not None and issuer.has(AUTH_REVOCABLE)
        if revokes and not is_revocable:
            raise self.refused("CANT_REVOKE")
        key = (self.trustor, self.asset)
        line = scene.state.lines.read(key)
        if line is None:
            raise self.refused("NO_TRUST_LINE")
        flags = line.flags & ~self.turned_off | self.turned_on
        if flags & AUTH_FLAGS == AUTH_FLAGS:
            raise self.refused("INVALID_STATE")
        if line.flags & LINE_AUTHORIZED and flags & LINE_MAINTAIN and not is_revocable:
            raise self.refused("CANT_REVOKE")
        scene.state.lines.edit(key).flags = flags

    def updated(self, *, clear: int) -> Effect:
        """Return the effect trustline_flags_updated."""
        fields: dict[str, object] = self.asset.fields() | {"trustor": self.trustor}
        for bits, value in ((self.turned_on, True), (clear, False)):
            # Horizon's effect has no field for the flag in between, by a slip in its name
            shown = (bit for bit in FLAGS if bits & bit and bit != LINE_MAINTAIN)
            fields |= {f"{FLAGS[bit]}_flag": value for bit in shown}
        return Effect(self.source, "trustline_flags_updated", 26, fields)

    def parties(self) -> set[str]:
        """The holder of the line."""
        return {self.trustor}


class SetTrustLineFlags(_TrustFlags):
    """set_trust_line_flags (21)."""

    type = xdr.OperationType.SET_TRUST_LINE_FLAGS
    codes = SetCode
    prefix = "SET_TRUST_LINE_FLAGS_"

    def read(self, body: xdr.OperationBody) -> None:
        """Take line and flags."""
        op = body.set_trust_line_flags_op
        assert op is not None
        self.trustor, self.asset = account_of(op.trustor), Asset.of(op.asset)
        self.turned_off, self.turned_on = op.clear_flags.uint32, op.set_flags.uint32

    def check(self) -> None:
        """Refuse another's asset, oneself, unknown and contradicting flags."""
        not_issuer = self.asset.issuer != self.source.account or not self.asset.is_valid
        unknown = self.turned_on & ~AUTH_FLAGS or self.turned_off & ~(AUTH_FLAGS | LINE_CLAWBACK)
        both = self.turned_on & AUTH_FLAGS == AUTH_FLAGS
        contradicting = self.turned_on & self.turned_off or both
        if not_issuer or self.trustor == self.source.account or unknown or contradicting:
            raise Refused(SetCode.SET_TRUST_LINE_FLAGS_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Change the flags of the line."""
        self.change(scene, revokes=bool(self.turned_off & AUTH_FLAGS))
        return Applied(effects=[self.updated(clear=self.turned_off)])

    def fields(self) -> dict[str, object]:
        """Return asset, trustor and the flags that are set and cleared."""
        found: dict[str, object] = self.asset.fields() | {"trustor": self.trustor}
        for name, bits in (("set_flags", self.turned_on), ("clear_flags", self.turned_off)):
            if bits:
                found[name] = [bit for bit in FLAGS if bits & bit]
                found[f"{name}_s"] = [FLAGS[bit] for bit in FLAGS if bits & bit]
        return found


class AllowTrust(_TrustFlags):
    """allow_trust (7)."""

    type = xdr.OperationType.ALLOW_TRUST
    codes = AllowCode
    prefix = "ALLOW_TRUST_"

    def read(self, body: xdr.OperationBody) -> None:
        """Take holder, code and the new state of the line."""
        op = body.allow_trust_op
        assert op is not None
        self.trustor, code = account_of(op.trustor), op.asset
        self.asset = Asset.of_code(code, self.source.account)
        self.turned_on = op.authorize.uint32
        self.turned_off = AUTH_FLAGS & ~self.turned_on

    def check(self) -> None:
        """Refuse oneself, a bad code and an unknown state."""
        known = self.turned_on in (0, LINE_AUTHORIZED, LINE_MAINTAIN)
        if self.trustor == self.source.account or not self.asset.is_valid or not known:
            raise Refused(AllowCode.ALLOW_TRUST_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Give the line its new state."""
        self.change(scene, revokes=self.turned_on == 0)
        name, number = {
            LINE_AUTHORIZED: ("trustline_authorized", 23),
            LINE_MAINTAIN: ("trustline_authorized_to_maintain_liabilities", 25),
        }.get(self.turned_on, ("trustline_deauthorized", 24))
        fields: dict[str, object] = {
            "trustor": self.trustor,
            "asset_type": self.asset.type,
            "asset_code": self.asset.code,
        }
        effect = Effect(self.source, name, number, fields)
        return Applied(effects=[effect, self.updated(clear=0)])

    def fields(self) -> dict[str, object]:
        """Return asset, trustee, trustor and the new state in two words."""
        states = {
            "authorize": self.turned_on == LINE_AUTHORIZED,
            "authorize_to_maintain_liabilities": self.turned_on in (LINE_AUTHORIZED, LINE_MAINTAIN),
        }
        parties = {"trustee": self.source.account, "trustor": self.trustor}
        return self.asset.fields() | parties | states
