"""Operations begin_ and end_sponsoring_future_reserves: one account bears another's reserves."""

from __future__ import annotations

from stellar_sdk import xdr

from anchor.sandbox.network.operations.base import Applied, Operation, Scene
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import account_of

BeginCode = xdr.BeginSponsoringFutureReservesResultCode
EndCode = xdr.EndSponsoringFutureReservesResultCode


class BeginSponsoringFutureReserves(Operation):
    """begin_sponsoring_future_reserves (16)."""

    type = xdr.OperationType.BEGIN_SPONSORING_FUTURE_RESERVES

    def read(self, body: xdr.OperationBody) -> None:
        """Take whose reserves are to be sponsored."""
        op = body.begin_sponsoring_future_reserves_op
        assert op is not None
        self.sponsored = account_of(op.sponsored_id)

    def check(self) -> None:
        """Refuse sponsoring oneself."""
        if self.sponsored == self.source.account:
            raise Refused(BeginCode.BEGIN_SPONSORING_FUTURE_RESERVES_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Note it for the operations that follow, up to the end of the transaction."""
        sponsors = scene.frame.sponsors
        if self.sponsored in sponsors:
            raise Refused(BeginCode.BEGIN_SPONSORING_FUTURE_RESERVES_ALREADY_SPONSORED)
        if self.source.account in sponsors or self.sponsored in sponsors.values():
            raise Refused(BeginCode.BEGIN_SPONSORING_FUTURE_RESERVES_RECURSIVE)
        sponsors[self.sponsored] = self.source.account
        return Applied()

    def fields(self) -> dict[str, object]:
        """Return sponsored_id."""
        return {"sponsored_id": self.sponsored}

    def parties(self) -> set[str]:
        """The sponsored account."""
        return {self.sponsored}


class EndSponsoringFutureReserves(Operation):
    """end_sponsoring_future_reserves (17)."""

    type = xdr.OperationType.END_SPONSORING_FUTURE_RESERVES

    def read(self, body: xdr.OperationBody) -> None:
        """It has no body."""
        self.sponsor: str | None = None

    def apply(self, scene: Scene) -> Applied:
        """End what was begun for the source."""
        self.sponsor = scene.frame.sponsors.pop(self.source.account, None)
        if self.sponsor is None:
            raise Refused(EndCode.END_SPONSORING_FUTURE_RESERVES_NOT_SPONSORED)
        return Applied()

    def fields(self) -> dict[str, object]:
        """Return begin_sponsor, if anyone had begun."""
        return {} if self.sponsor is None else {"begin_sponsor": self.sponsor}

    def parties(self) -> set[str]:
        """The sponsor."""
        return set() if self.sponsor is None else {self.sponsor}
