"""What one stretch of work has found out: who signs for accounts of ours, and what calls take."""

from collections.abc import Mapping
from time import monotonic

from anchor.errors import Unavailable
from anchor.ledger.contract_gateway import Prepared
from anchor.ledger.gateway import Gateway, LedgerAccount, Signer
from anchor.services import preparing
from anchor.services.preparing import Preparing
from anchor.services.slots import Slot


class Signers:
    """What one stretch of work knows; it asks the ledger once for each account.

    What the call of a contract takes is asked beside the other work where `calls` are given.

    A pooled channel is ours alone, so it is taken for an account with nothing but its own
    key until the ledger says otherwise (``tx_bad_auth``: `look_closely`). Not thread-safe.
    """

    def __init__(self, gateway: Gateway, calls: Preparing | None = None) -> None:
        self._gateway = gateway
        self._calls = calls
        self._accounts: dict[str, LedgerAccount | None] = {}
        self._short: set[tuple[str, ...]] = set()
        self._enough: set[str] = set()
        self._seen: set[tuple[str, int]] = set()
        self._closely = False
        self._time: tuple[int, int] | None = None

    def of(self, slot: Slot) -> dict[str, LedgerAccount]:
        """Return the accounts that have to sign for a submission, without those that are not there.

        Raises `Unavailable` where the ledger does not answer.
        """
        found = {each: self._account(each) for each in slot.accounts}
        if slot.channel not in found:
            plain = slot.channel_number is not None and not self._closely
            channel = slot.channel
            found[channel] = _only_itself(channel) if plain else self._account(channel)
        return {name: account for name, account in found.items() if account is not None}

    def look_closely(self) -> None:
        """Ask the ledger anew from now on, also about channels; once in a stretch."""
        if not self._closely:
            self._closely = True
            self._accounts.clear()

    def falls_short(self, slot: Slot) -> None:
        """Remember that custody's signatures do not suffice for the accounts of a submission."""
        self._short.add(slot.accounts)

    def suffices(self, slot: Slot) -> None:
        """Remember that custody's signatures do suffice for the accounts of a submission."""
        self._enough.update(slot.accounts)

    def is_short(self, slot: Slot) -> bool:
        """Tell whether people have to sign for the accounts of a submission."""
        return slot.accounts in self._short

    def is_new(self, what: tuple[str, int]) -> bool:
        """Tell that something was not done in this stretch yet; it is now."""
        is_new = what not in self._seen
        self._seen.add(what)
        return is_new

    def room(self, source: str) -> int | None:
        """Return how many submissions may be opened at once, None for any number.

        Where no single key can sign for the account, one shows first whether custody can.
        """
        if source in self._enough:
            return None
        try:
            account = self._account(source)
        except Unavailable:
            return None  # nothing can be built either
        heaviest = max((each.weight for each in account.signers), default=0) if account else 0
        return 1 if account is not None and heaviest < account.med_threshold else None

    def prepared(self, slot: Slot, envelope_xdr: str) -> Prepared:
        """Return what the call of a contract takes; raises as `Preparing.of` does.

        What was said before the network refused an envelope is not believed any more.
        """
        if self._calls is None:
            return preparing.ask(envelope_xdr)
        if slot.codes:
            return self._calls.of(slot.id, envelope_xdr, slot.newest.age_s or 0)
        return self._calls.of(slot.id, envelope_xdr)

    def ledger_time(self) -> int:
        """Return when the newest ledger closed (unix seconds), at most ten seconds old."""
        now = int(monotonic())
        if self._time is None or now - self._time[0] > 10:
            closed_at = self._gateway.network().latest_closed_at
            self._time = now, int(closed_at.timestamp())
        return self._time[1]

    def _account(self, account_id: str) -> LedgerAccount | None:
        if account_id not in self._accounts:
            self._accounts[account_id] = self._gateway.account(account_id)
        return self._accounts[account_id]


def _only_itself(account_id: str) -> LedgerAccount:
    own = (Signer(account_id, "ed25519_public_key", 1),)
    return LedgerAccount(account_id, 0, (), own, 0, 0, 0, 0)


def keys_of(accounts: Mapping[str, LedgerAccount]) -> set[str]:
    """Return the keys that may sign for any of these accounts."""
    return {
        each.key
        for account in accounts.values()
        for each in account.signers
        if each.type == "ed25519_public_key" and each.weight
    }
