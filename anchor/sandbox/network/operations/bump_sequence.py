"""Operation bump_sequence: an account's sequence number jumps ahead."""

from stellar_sdk import xdr

from anchor.sandbox.network.entries import Account
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.results import Refused

Code = xdr.BumpSequenceResultCode


class BumpSequence(Operation):
    """bump_sequence (11)."""

    type = xdr.OperationType.BUMP_SEQUENCE

    def read(self, body: xdr.OperationBody) -> None:
        """Take the sequence number to go to."""
        assert body.bump_sequence_op is not None
        self.to = body.bump_sequence_op.bump_to.sequence_number.int64

    def threshold(self, account: Account) -> int:
        """A bump takes the low threshold."""
        return account.low

    def check(self) -> None:
        """Refuse a negative number."""
        if self.to < 0:
            raise Refused(Code.BUMP_SEQUENCE_BAD_SEQ)

    def apply(self, scene: Scene) -> Applied:
        """Go to the number if it is ahead; otherwise succeed and change nothing."""
        account = scene.source_account()
        if self.to <= account.sequence:
            return Applied()
        account.sequence = self.to
        account.sequence_ledger, account.sequence_at = scene.frame.ledger, scene.frame.close_at
        bumped: dict[str, object] = {"new_seq": str(self.to)}
        return Applied(effects=[Effect(self.source, "sequence_bumped", 43, bumped)])

    def fields(self) -> dict[str, object]:
        """Return bump_to."""
        return {"bump_to": str(self.to)}
