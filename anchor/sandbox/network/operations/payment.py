"""Operation payment: one asset from its source to a destination."""

from stellar_sdk import xdr

from anchor.sandbox.network.operations.base import Applied, Operation, Scene
from anchor.sandbox.network.operations.transfer import Transfer, moved
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import Asset, Party, amount_text

Code = xdr.PaymentResultCode


class Payment(Operation):
    """payment (1)."""

    type = xdr.OperationType.PAYMENT
    is_payment = True

    def read(self, body: xdr.OperationBody) -> None:
        """Take destination, asset and amount."""
        assert body.payment_op is not None
        self.to = Party.of(body.payment_op.destination)
        self.asset = Asset.of(body.payment_op.asset)
        self.amount = body.payment_op.amount.int64

    def check(self) -> None:
        """Refuse an amount that is not positive and a bad asset."""
        if self.amount <= 0 or not self.asset.is_valid:
            raise Refused(Code.PAYMENT_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Credit first, then debit; XLM to oneself always succeeds."""
        effects = moved(self.source, self.to, self.asset, self.amount)
        if self.asset.is_native and self.to.account == self.source.account:
            return Applied(effects=effects)
        transfer = Transfer(scene, Code, "PAYMENT_")
        transfer.credit(self.to.account, self.asset, self.amount)
        transfer.debit(self.source.account, self.asset, self.amount)
        return Applied(effects=effects)

    def fields(self) -> dict[str, object]:
        """Return asset, from, to and amount."""
        parties = self.source.fields("from") | self.to.fields("to")
        return self.asset.fields() | parties | {"amount": amount_text(self.amount)}

    def parties(self) -> set[str]:
        """The destination."""
        return {self.to.account}
