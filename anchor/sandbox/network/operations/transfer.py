"""Moving one asset between two accounts: the checks that all payments share."""

from __future__ import annotations

from typing import Any

from anchor.sandbox.network.entries import TrustLine
from anchor.sandbox.network.operations.base import Effect, Scene
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import MAX_INT64, Asset, Party, amount_text


class Transfer:
    """Credits and debits with the result codes of one kind of operation.

    `codes` is the enumeration of that kind, `prefix` the beginning of its names,
    `names` has the kind's own names for some of those used here.
    """

    def __init__(
        self, scene: Scene, codes: Any, prefix: str, names: dict[str, str] | None = None
    ) -> None:
        self.scene = scene
        self.codes = codes
        self.prefix = prefix
        self.names = names or {}

    def refused(self, name: str) -> Refused:
        """Return the refusal with the kind's code of this name."""
        return Refused(self.codes[self.prefix + self.names.get(name, name)])

    def credit(self, destination: str, asset: Asset, amount: int) -> None:
        """Add `amount` stroops; no_destination, no_trust, not_authorized, line_full."""
        state = self.scene.state
        if asset.issuer == destination:
            return
        if state.accounts.read(destination) is None:
            raise self.refused("NO_DESTINATION")
        if asset.is_native:
            account = state.accounts.edit(destination)
            if account.balance + amount > MAX_INT64:
                raise self.refused("LINE_FULL")
            account.balance += amount
            return
        line = self._line(destination, asset, "NO_TRUST", "NOT_AUTHORIZED")
        if line.balance + amount > line.limit:
            raise self.refused("LINE_FULL")
        line.balance += amount

    def debit(self, source: str, asset: Asset, amount: int) -> None:
        """Take `amount` stroops; src_no_trust, src_not_authorized, underfunded."""
        if asset.issuer == source:
            return
        if asset.is_native:
            account = self.scene.state.accounts.edit(source)
            if account.available < amount:
                raise self.refused("UNDERFUNDED")
            account.balance -= amount
            return
        line = self._line(source, asset, "SRC_NO_TRUST", "SRC_NOT_AUTHORIZED")
        if line.balance < amount:
            raise self.refused("UNDERFUNDED")
        line.balance -= amount

    def _line(self, account: str, asset: Asset, missing: str, unauthorized: str) -> TrustLine:
        line = self.scene.state.lines.read((account, asset))
        if line is None:
            raise self.refused(missing)
        if not line.is_authorized:
            raise self.refused(unauthorized)
        return self.scene.state.lines.edit((account, asset))


def moved(source: Party, to: Party, asset: Asset, amount: int) -> list[Effect]:
    """Return the two effects of a payment, the credit first."""
    fields = asset.fields() | {"amount": amount_text(amount)}
    return [
        Effect(to, "account_credited", 2, fields),
        Effect(source, "account_debited", 3, fields),
    ]
