"""Operations that this network does not offer: refused before any ledger with op_not_supported."""

from stellar_sdk import xdr

from anchor.sandbox.network.operations.base import Applied, Operation, Scene
from anchor.sandbox.network.results import OpCode, Refused


class Unsupported(Operation):
    """Any operation without a class of its own."""

    def read(self, body: xdr.OperationBody) -> None:
        """Nothing of it is needed."""

    def check(self) -> None:
        """Refuse it: nothing is charged and no ledger holds it."""
        raise Refused(OpCode.opNOT_SUPPORTED)

    def apply(self, scene: Scene) -> Applied:
        """Refuse it."""
        raise Refused(OpCode.opNOT_SUPPORTED)

    def fields(self) -> dict[str, object]:
        """It has no record, for it is in no ledger."""
        return {}
