"""Operation account_merge: all XLM moves to the destination and the source is gone."""

from stellar_sdk import xdr

from anchor.sandbox.network.entries import ACCOUNT_UNITS, AUTH_IMMUTABLE, Account
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.operations.reserves import release
from anchor.sandbox.network.operations.transfer import moved
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import MAX_INT64, NATIVE, Party

Code = xdr.AccountMergeResultCode


class AccountMerge(Operation):
    """account_merge (8)."""

    type = xdr.OperationType.ACCOUNT_MERGE
    is_payment = True

    def read(self, body: xdr.OperationBody) -> None:
        """Take the destination."""
        assert body.destination is not None
        self.into = Party.of(body.destination)

    def threshold(self, account: Account) -> int:
        """A merge takes the high threshold."""
        return account.high

    def check(self) -> None:
        """Refuse a merge into oneself."""
        if self.into.account == self.source.account:
            raise Refused(Code.ACCOUNT_MERGE_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Move the balance and remove the source."""
        accounts, source = scene.state.accounts, scene.source_account()
        if accounts.read(self.into.account) is None:
            raise Refused(Code.ACCOUNT_MERGE_NO_ACCOUNT)
        if source.has(AUTH_IMMUTABLE):
            raise Refused(Code.ACCOUNT_MERGE_IMMUTABLE_SET)
        if source.subentries != len(source.signers):
            raise Refused(Code.ACCOUNT_MERGE_HAS_SUB_ENTRIES)
        if source.sequence >= scene.first_sequence:
            raise Refused(Code.ACCOUNT_MERGE_SEQNUM_TOO_FAR)
        if source.sponsoring or source.id in scene.frame.sponsors.values():
            raise Refused(Code.ACCOUNT_MERGE_IS_SPONSOR)
        destination, amount = accounts.edit(self.into.account), source.balance
        if destination.balance + amount > MAX_INT64:
            raise Refused(Code.ACCOUNT_MERGE_DEST_FULL)
        destination.balance += amount
        former = source.sponsor
        release(scene.state, former, ACCOUNT_UNITS)
        for signer_sponsor in source.signer_sponsors.values():
            release(scene.state, signer_sponsor, 1)
        accounts.remove(source.id)
        credit, debit = moved(self.source, self.into, NATIVE, amount)
        effects = [debit, credit, Effect(self.source, "account_removed", 1)]
        if former is not None:
            fields: dict[str, object] = {"former_sponsor": former}
            effects.append(Effect(self.source, "account_sponsorship_removed", 62, fields))
        return Applied(extra={"source_account_balance": xdr.Int64(amount)}, effects=effects)

    def fields(self) -> dict[str, object]:
        """Return account and into; Horizon gives no amount here."""
        return self.source.fields("account") | self.into.fields("into")

    def parties(self) -> set[str]:
        """The destination."""
        return {self.into.account}
