"""Operations clawback and clawback_claimable_balance: the issuer takes its asset back."""

from stellar_sdk import xdr

from anchor.sandbox.network.entries import LINE_CLAWBACK
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.operations.claimable_balance import balance_id, removed
from anchor.sandbox.network.operations.transfer import moved
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import Asset, Party, amount_text

Code = xdr.ClawbackResultCode
BalanceCode = xdr.ClawbackClaimableBalanceResultCode


class Clawback(Operation):
    """clawback (19)."""

    type = xdr.OperationType.CLAWBACK

    def read(self, body: xdr.OperationBody) -> None:
        """Take asset, holder and amount."""
        assert body.clawback_op is not None
        self.asset = Asset.of(body.clawback_op.asset)
        self.holder = Party.of(body.clawback_op.from_)
        self.amount = body.clawback_op.amount.int64

    def check(self) -> None:
        """Refuse another's asset, oneself and an amount that is not positive."""
        not_issuer = self.asset.issuer != self.source.account or not self.asset.is_valid
        if self.amount <= 0 or not_issuer or self.holder.account == self.source.account:
            raise Refused(Code.CLAWBACK_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Take the amount from the line, authorised or not."""
        key = (self.holder.account, self.asset)
        line = scene.state.lines.read(key)
        if line is None:
            raise Refused(Code.CLAWBACK_NO_TRUST)
        if not line.flags & LINE_CLAWBACK:
            raise Refused(Code.CLAWBACK_NOT_CLAWBACK_ENABLED)
        if line.balance < self.amount:
            raise Refused(Code.CLAWBACK_UNDERFUNDED)
        scene.state.lines.edit(key).balance -= self.amount
        return Applied(effects=moved(self.holder, self.source, self.asset, self.amount))

    def fields(self) -> dict[str, object]:
        """Return asset, from and amount."""
        found = self.asset.fields() | self.holder.fields("from")
        return found | {"amount": amount_text(self.amount)}

    def parties(self) -> set[str]:
        """The holder."""
        return {self.holder.account}


class ClawbackClaimableBalance(Operation):
    """clawback_claimable_balance (20)."""

    type = xdr.OperationType.CLAWBACK_CLAIMABLE_BALANCE

    def read(self, body: xdr.OperationBody) -> None:
        """Take the balance's id."""
        assert body.clawback_claimable_balance_op is not None
        self.id = balance_id(body.clawback_claimable_balance_op.balance_id)

    def apply(self, scene: Scene) -> Applied:
        """Remove the balance; only the issuer of a balance that allows it."""
        balance = scene.state.balances.read(self.id)
        if balance is None:
            raise Refused(BalanceCode.CLAWBACK_CLAIMABLE_BALANCE_DOES_NOT_EXIST)
        if balance.asset.issuer != self.source.account:
            raise Refused(BalanceCode.CLAWBACK_CLAIMABLE_BALANCE_NOT_ISSUER)
        if not balance.is_clawback_enabled:
            raise Refused(BalanceCode.CLAWBACK_CLAIMABLE_BALANCE_NOT_CLAWBACK_ENABLED)
        gone = removed(scene, balance)
        credited = balance.asset.fields() | {"amount": amount_text(balance.amount)}
        clawed_back: dict[str, object] = {"balance_id": self.id}
        return Applied(
            effects=[
                Effect(self.source, "claimable_balance_clawed_back", 80, clawed_back),
                Effect(self.source, "account_credited", 2, credited),
                gone,
            ]
        )

    def fields(self) -> dict[str, object]:
        """Return balance_id."""
        return {"balance_id": self.id}

    def balances(self) -> set[str]:
        """The one that is clawed back."""
        return {self.id}
