"""Operation manage_data: a named value of an account is set or removed."""

from base64 import b64encode

from stellar_sdk import xdr

from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene, add_subentry
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
            account.subentries -= 1
            return Applied(effects=[Effect(self.source, "data_removed", 41, {"name": self.name})])
        kind, number = ("data_updated", 42) if self.name in account.data else ("data_created", 40)
        if self.name not in account.data:
            add_subentry(account, Code.MANAGE_DATA_LOW_RESERVE)
        account.data[self.name] = self.value
        return Applied(effects=[Effect(self.source, kind, number, self.fields())])

    def fields(self) -> dict[str, object]:
        """Return name and value (base64, empty when removed)."""
        return {"name": self.name, "value": b64encode(self.value or b"").decode()}


def is_plain(text: bytes) -> bool:
    """Whether a string of the ledger has only ASCII without control characters."""
    return all(0x20 <= byte < 0x7F for byte in text)
