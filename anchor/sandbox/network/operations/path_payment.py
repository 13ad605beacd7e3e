"""Operations path_payment_strict_receive and _send; without an order book one asset passes."""

from stellar_sdk import xdr

from anchor.sandbox.network.operations.base import Applied, Operation, Scene
from anchor.sandbox.network.operations.transfer import Transfer, moved
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import Asset, Party, amount_text

Body = xdr.PathPaymentStrictReceiveOp | xdr.PathPaymentStrictSendOp
ReceiveCode = xdr.PathPaymentStrictReceiveResultCode
SendCode = xdr.PathPaymentStrictSendResultCode


class _PathPayment(Operation):
    """What both kinds share: the two assets, the path, the parties."""

    is_payment = True

    def take(self, op: Body) -> None:
        """Take the fields that have the same name in both bodies."""
        self.to = Party.of(op.destination)
        self.sent = Asset.of(op.send_asset)
        self.asset = Asset.of(op.dest_asset)
        self.path = [Asset.of(asset) for asset in op.path]

    @property
    def is_well_formed(self) -> bool:
        """Whether all its assets are valid."""
        return all(asset.is_valid for asset in [self.sent, self.asset, *self.path])

    @property
    def has_one_asset(self) -> bool:
        """Whether nothing has to be exchanged."""
        return all(asset == self.asset for asset in [self.sent, *self.path])

    def last(self, amount: int) -> xdr.SimplePaymentResult:
        """Return the `last` field of a successful result."""
        muxed = xdr.MuxedAccount.from_xdr_bytes(self._to_xdr)
        key = muxed.ed25519 or (muxed.med25519 and muxed.med25519.ed25519)
        destination = xdr.AccountID(
            xdr.PublicKey(xdr.PublicKeyType.PUBLIC_KEY_TYPE_ED25519, key or None)
        )
        return xdr.SimplePaymentResult(destination, self._asset_xdr, xdr.Int64(amount))

    def remember(self, op: Body) -> None:
        """Keep the XDR that the result repeats."""
        self._to_xdr = op.destination.to_xdr_bytes()
        self._asset_xdr = op.dest_asset

    def record(self, amount: int, **amounts: int) -> dict[str, object]:
        """Return the fields of its record; `amounts` in the order of Horizon's."""
        parties = self.source.fields("from") | self.to.fields("to")
        path = [asset.fields() for asset in self.path]
        more = {name: amount_text(value) for name, value in amounts.items()}
        found = self.asset.fields() | parties | {"amount": amount_text(amount), "path": path}
        return found | more | self.sent.fields("source_")

    def parties(self) -> set[str]:
        """The destination."""
        return {self.to.account}


class PathPaymentStrictReceive(_PathPayment):
    """path_payment_strict_receive (2)."""

    type = xdr.OperationType.PATH_PAYMENT_STRICT_RECEIVE

    def read(self, body: xdr.OperationBody) -> None:
        """Take the amount to arrive and the most to send."""
        op = body.path_payment_strict_receive_op
        assert op is not None
        self.take(op)
        self.remember(op)
        self.amount, self.most = op.dest_amount.int64, op.send_max.int64

    def check(self) -> None:
        """Refuse amounts that are not positive and bad assets."""
        if self.amount <= 0 or self.most <= 0 or not self.is_well_formed:
            raise Refused(ReceiveCode.PATH_PAYMENT_STRICT_RECEIVE_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Credit first, then the path, then debit."""
        transfer = Transfer(scene, ReceiveCode, "PATH_PAYMENT_STRICT_RECEIVE_")
        transfer.credit(self.to.account, self.asset, self.amount)
        if not self.has_one_asset:
            raise transfer.refused("TOO_FEW_OFFERS")
        if self.amount > self.most:
            raise transfer.refused("OVER_SENDMAX")
        transfer.debit(self.source.account, self.asset, self.amount)
        success = xdr.PathPaymentStrictReceiveResultSuccess([], self.last(self.amount))
        effects = moved(self.source, self.to, self.asset, self.amount)
        return Applied(extra={"success": success}, effects=effects)

    def fields(self) -> dict[str, object]:
        """Return the payment fields, path, source_amount and source_max."""
        return self.record(self.amount, source_amount=self.amount, source_max=self.most)

    def fields_of_failure(self) -> dict[str, object]:
        """Nothing was sent."""
        return self.record(self.amount, source_amount=0, source_max=self.most)


class PathPaymentStrictSend(_PathPayment):
    """path_payment_strict_send (13)."""

    type = xdr.OperationType.PATH_PAYMENT_STRICT_SEND

    def read(self, body: xdr.OperationBody) -> None:
        """Take the amount to send and the least to arrive."""
        op = body.path_payment_strict_send_op
        assert op is not None
        self.take(op)
        self.remember(op)
        self.amount, self.least = op.send_amount.int64, op.dest_min.int64

    def check(self) -> None:
        """Refuse amounts that are not positive and bad assets."""
        if self.amount <= 0 or self.least <= 0 or not self.is_well_formed:
            raise Refused(SendCode.PATH_PAYMENT_STRICT_SEND_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Debit first, then the path, then credit."""
        transfer = Transfer(scene, SendCode, "PATH_PAYMENT_STRICT_SEND_")
        bypass = self.has_one_asset and self.asset.issuer == self.to.account
        if not bypass and scene.state.accounts.read(self.to.account) is None:
            raise transfer.refused("NO_DESTINATION")
        transfer.debit(self.source.account, self.sent, self.amount)
        if not self.has_one_asset:
            raise transfer.refused("TOO_FEW_OFFERS")
        if self.amount < self.least:
            raise transfer.refused("UNDER_DESTMIN")
        transfer.credit(self.to.account, self.asset, self.amount)
        success = xdr.PathPaymentStrictSendResultSuccess([], self.last(self.amount))
        effects = moved(self.source, self.to, self.asset, self.amount)
        return Applied(extra={"success": success}, effects=effects)

    def fields(self) -> dict[str, object]:
        """Return the payment fields, path, source_amount and destination_min."""
        return self.record(self.amount, source_amount=self.amount, destination_min=self.least)

    def fields_of_failure(self) -> dict[str, object]:
        """Nothing arrived."""
        return self.record(0, source_amount=self.amount, destination_min=self.least)
