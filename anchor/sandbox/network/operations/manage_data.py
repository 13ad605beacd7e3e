"""Operation manage_data: a named value of an account is set or removed."""

from base64 import b64encode

from stellar_sdk import xdr

from anchor.sandbox.network.entries import Account
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.operations.reserves import add_subentry, drop_subentry
from anchor.sandbox.network.results import Refused

Code = xdr.ManageDataResultCode


class ManageData(Operation):
    """manage_data (10)."""

    type = xdr.OperationType.MANAGE_DATA

    def read(self, body: xdr.OperationBody) -> None:
        """Take name and value; no value removes."""
        op = body.manage_data_op
        assert op is not None
        self.raw_name = op.data_name.string64
        self.name = self.raw_name.decode("utf-8", "replace")
        self.value = None if op.data_value is None else op.data_value.data_value

    def check(self) -> None:
        """Refuse an empty name and one with other than printable ASCII characters."""
        if not 1 <= len(self.raw_name) <= 64 or not is_plain(self.raw_name):
            raise Refused(Code.MANAGE_DATA_INVALID_NAME)

    def apply(self, scene: Scene) -> Applied:
        """Set or remove the value; a new name is a subentry."""
        account = scene.source_account()
        if self.value is None:
            if self.name not in account.data:
                raise Refused(Code.MANAGE_DATA_NAME_NOT_FOUND)
            del account.data[self.name]
            former = account.data_sponsors.pop(self.name, None)
            drop_subentry(scene.state, account, former)
            removed = Applied(
                effects=[Effect(self.source, "data_removed", 41, {"name": self.name})]
            )
            if former is not None:
                self._sponsorship(removed, "removed", 68, former_sponsor=former)
            return removed
        if self.name in account.data:
            account.data[self.name] = self.value
            return Applied(effects=[Effect(self.source, "data_updated", 42, self.fields())])
        return self._create(scene, account, self.value)

    def _create(self, scene: Scene, account: Account, value: bytes) -> Applied:
        payer = add_subentry(scene, account, Code.MANAGE_DATA_LOW_RESERVE)
        account.data[self.name] = value
        created = Applied(
            effects=[Effect(self.source, "data_created", 40, self.fields())], sponsor=payer
        )
        if payer is not None:
            account.data_sponsors[self.name] = payer
            self._sponsorship(created, "created", 66, sponsor=payer)
        return created

    def _sponsorship(self, applied: Applied, what: str, number: int, **who: object) -> None:
        fields = {"data_name": self.name} | who
        applied.effects.append(Effect(self.source, f"data_sponsorship_{what}", number, fields))

    def fields(self) -> dict[str, object]:
        """Return name and value (base64, empty when removed)."""
        return {"name": self.name, "value": b64encode(self.value or b"").decode()}


def is_plain(text: bytes) -> bool:
    """Whether a string of the ledger has only ASCII without control characters."""
    return all(0x20 <= byte < 0x7F for byte in text)
