"""Operation change_trust: a trust line is made, its limit changed, or it is removed (limit 0)."""

from stellar_sdk import xdr

from anchor.sandbox.network.entries import (
    AUTH_CLAWBACK,
    AUTH_REQUIRED,
    LINE_AUTHORIZED,
    LINE_CLAWBACK,
    TrustLine,
)
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.operations.reserves import add_subentry, drop_subentry
from anchor.sandbox.network.results import OpCode, Refused
from anchor.sandbox.network.values import Asset, amount_text

Code = xdr.ChangeTrustResultCode


class ChangeTrust(Operation):
    """change_trust (6)."""

    type = xdr.OperationType.CHANGE_TRUST

    def read(self, body: xdr.OperationBody) -> None:
        """Take asset and limit."""
        assert body.change_trust_op is not None
        self.is_pool = body.change_trust_op.line.type is xdr.AssetType.ASSET_TYPE_POOL_SHARE
        self.asset = Asset.of(body.change_trust_op.line)
        self.limit = body.change_trust_op.limit.int64

    def check(self) -> None:
        """Refuse a negative limit, XLM, one's own and bad assets, and pool shares."""
        if self.is_pool:
            raise Refused(OpCode.opNOT_SUPPORTED)
        own = self.asset.issuer == self.source.account
        if self.limit < 0 or self.asset.is_native or own or not self.asset.is_valid:
            raise Refused(Code.CHANGE_TRUST_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Make, change or remove the line."""
        key = (self.source.account, self.asset)
        known = scene.state.lines.read(key)
        if known is None:
            return self._create(scene)
        if self.limit < known.balance:
            raise Refused(Code.CHANGE_TRUST_INVALID_LIMIT)
        if self.limit == 0:
            scene.state.lines.remove(key)
            drop_subentry(scene.state, scene.source_account(), known.sponsor)
            removed = self._applied("trustline_removed", 21)
            if known.sponsor is not None:
                self._sponsorship(removed, "removed", 65, former_sponsor=known.sponsor)
            return removed
        if scene.state.accounts.read(self.asset.issuer) is None:
            raise Refused(Code.CHANGE_TRUST_NO_ISSUER)
        scene.state.lines.edit(key).limit = self.limit
        return self._applied("trustline_updated", 22)

    def _create(self, scene: Scene) -> Applied:
        if self.limit == 0:
            raise Refused(Code.CHANGE_TRUST_INVALID_LIMIT)
        issuer = scene.state.accounts.read(self.asset.issuer)
        if issuer is None:
            raise Refused(Code.CHANGE_TRUST_NO_ISSUER)
        payer = add_subentry(scene, scene.source_account(), Code.CHANGE_TRUST_LOW_RESERVE)
        flags = 0 if issuer.has(AUTH_REQUIRED) else LINE_AUTHORIZED
        flags |= LINE_CLAWBACK if issuer.has(AUTH_CLAWBACK) else 0
        line = TrustLine(self.source.account, self.asset, self.limit, flags, sponsor=payer)
        scene.state.lines.put((self.source.account, self.asset), line)
        created = self._applied("trustline_created", 20)
        created.sponsor = payer
        if payer is not None:
            self._sponsorship(created, "created", 63, sponsor=payer)
        return created

    def _sponsorship(self, applied: Applied, what: str, number: int, **who: object) -> None:
        fields = {"asset_type": self.asset.type, "asset": str(self.asset)} | who
        name = f"trustline_sponsorship_{what}"
        applied.effects.append(Effect(self.source, name, number, fields))

    def _applied(self, name: str, number: int) -> Applied:
        fields = self.asset.fields() | {"limit": amount_text(self.limit)}
        return Applied(effects=[Effect(self.source, name, number, fields)])

    def fields(self) -> dict[str, object]:
        """Return asset, limit, trustee and trustor."""
        found = self.asset.fields() | {"limit": amount_text(self.limit)}
        return found | {"trustee": self.asset.issuer} | self.source.fields("trustor")
