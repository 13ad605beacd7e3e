"""By what a network is known again: what was stored of it, held against what a source says."""

from collections.abc import Callable
from dataclasses import dataclass

from anchor.errors import Misconfigured, Unavailable
from anchor.ledger.gateway import LedgerMark, NetworkState

RESET = (
    "the network was reset, or is another one under the same name: "
    "run `flask anchor adopt-network` once nothing of the old one matters."
)


@dataclass(frozen=True)
class Landmarks:
    """What is stored of a network: numbers and hashes of ledgers, and the newest that was read."""

    passphrase: str
    marks: tuple[tuple[int, str], ...] = ()
    newest: int = 0

    def compare(self, state: NetworkState, ledger: Callable[[int], LedgerMark | None]) -> None:
        """Make sure that a source is of this network; `ledger` asks it for one (ADR 003).

        Raises `Misconfigured` where it is of another one or where that cannot be told, and
        `Unavailable` where it does not hold what it says it does.
        """
        if state.passphrase != self.passphrase:
            raise Misconfigured(
                f"the source is of the network “{state.passphrase}”, not of “{self.passphrase}”."
            )
        held = [m for m in self.marks if state.oldest_ledger <= m[0] <= state.latest_ledger]
        if not held:
            self._refuse_unknown(state)
            return
        sequence, hash_ = max(held)
        found = ledger(sequence)
        if found is None:
            raise Unavailable(f"the source does not hold ledger {sequence}")
        if found.hash != hash_:
            raise Misconfigured(RESET)

    def _refuse_unknown(self, state: NetworkState) -> None:
        if not self.marks:
            return
        if all(sequence > state.latest_ledger for sequence, _ in self.marks):
            raise Misconfigured(RESET)
        raise Misconfigured(
            f"the source begins at ledger {state.oldest_ledger}, after all that was read: name "
            f"one that holds ledger {max(self.marks)[0]} in ANCHOR_HORIZON_URL, or give up what "
            f"lies between by `flask anchor rewind`."
        )
