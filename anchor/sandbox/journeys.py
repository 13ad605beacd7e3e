"""The journeys that the demo shows: one function each, with wallets and keys of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from time import time_ns
from typing import Any
from urllib.parse import urlsplit

import requests

from anchor.config import Settings
from anchor.sandbox import CODE
from anchor.sandbox.neighbour import Neighbour
from anchor.sandbox.remitter import Remitter
from anchor.sandbox.tracks import Track
from anchor.sandbox.wallet import CUSTOMER, SCREENS, Wallet

AMOUNT = "100"
ACCOUNT = "DE89370400440532013000"
PAYER = "Ada Lovelace"
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Scene:
    """Where journeys go: an anchor on a sandbox, and the key that gives its asset away."""

    settings: Settings
    issuer_secret: str
    neighbour: Neighbour

    def wallet(self, track: Track, *, has_money: bool = False, is_there: bool = True) -> Wallet:
        """Return a wallet that is logged in; its account holds some of the asset, or lumens."""
        made = Wallet(self.settings.public_url, self.settings.horizon_url)
        self.ready(track, made, "wallet", has_money=has_money, is_there=is_there)
        return made

    def ready(
        self, track: Track, made: Wallet, who: str, *, has_money: bool, is_there: bool = True
    ) -> None:
        """Bring a wallet to where it is logged in."""
        track.step(f"{who} reads stellar.toml (SEP-1)", made.discover)
        if has_money:
            fund = lambda: made.fund(CODE, "1000", self.issuer_secret)  # noqa: E731
            track.step(f"{who} gets lumens and {CODE}", fund)
        elif is_there:
            track.step(f"{who} gets lumens", made.found)
        track.step(f"{who} logs in (SEP-10)", made.log_in)

    def bank(self, path: str, **body: str) -> None:
        """Tell the bank something."""
        url = f"{self.settings.horizon_url}/bank{path}"
        requests.post(url, json=body, timeout=_TIMEOUT_S).raise_for_status()

    def connect_bank(self) -> None:
        """Let the bank tell the anchor at once what it books; older folders have no secret."""
        secret = self.settings.rails["bank"].get("webhook_secret")
        if secret:
            self.bank(
                "/webhook", url=f"{self.settings.public_url}/rails/bank/webhook", secret=secret
            )

    def transferred(self, track: Track, reference: str) -> None:
        """Have the customer pay a deposit from a bank account."""
        track.step(
            f"customer transfers {AMOUNT} USD with {reference}",
            lambda: self.bank("/deposits", amount=AMOUNT, reference=reference, payer=PAYER),
        )


def withdrawal_on_the_page(scene: Scene, track: Track) -> None:
    """SEP-24: a wallet opens the page, its customer fills it in, and the wallet pays."""
    wallet = scene.wallet(track, has_money=True)
    opened = track.step(
        "customer fills in the anchor's page", lambda: wallet.ask_to_withdraw(CODE, AMOUNT, ACCOUNT)
    )
    asked = wallet.transaction(opened)
    track.step(f"wallet pays {AMOUNT} {CODE}; a ledger closes", lambda: wallet.pay(asked, CODE))
    paid_at_ms = time_ns() // 1_000_000
    done = track.follow(lambda: wallet.transaction(opened))
    called_ms = _called_at_ms(scene, done["external_transaction_id"]) - paid_at_ms
    track.notes.append(_paid_out(done))
    track.notes.append(f"From the closed ledger to the call of the rail: {called_ms / 1000:.2f} s.")


def deposit_on_the_page(scene: Scene, track: Track) -> None:
    """SEP-24: a customer pays by bank, and the anchor pays the wallet, which trusts the asset."""
    wallet = scene.wallet(track)
    track.step(f"wallet adds a trust line for {CODE}", lambda: wallet.trust(CODE))
    opened = _deposited(scene, track, wallet)
    track.notes.append(_paid_in(track.follow(lambda: wallet.transaction(opened))))


def deposit_before_trust(scene: Scene, track: Track) -> None:
    """SEP-24: the account trusts the asset only when the money has come."""
    wallet = scene.wallet(track)
    opened = _deposited(scene, track, wallet)
    track.follow(lambda: wallet.transaction(opened), until="pending_trust")
    track.step(f"wallet adds a trust line for {CODE}", lambda: wallet.trust(CODE))
    done = track.follow(lambda: wallet.transaction(opened), last="pending_trust")
    track.notes.append(_paid_in(done))


def deposit_on_own_screens(scene: Scene, track: Track) -> None:
    """SEP-6: the wallet shows the anchor's instructions itself."""
    wallet = scene.wallet(track)
    track.step(f"wallet adds a trust line for {CODE}", lambda: wallet.trust(CODE))
    track.step(
        "wallet tells who its customer is (SEP-12)", lambda: wallet.tell(type="sep6", **CUSTOMER)
    )
    opened = track.step(
        "wallet asks for instructions", lambda: wallet.transfer("deposit", CODE, AMOUNT)
    )
    scene.transferred(track, opened["instructions"]["external_transfer_memo"]["value"])
    done = track.follow(lambda: wallet.transaction(opened["id"], on=SCREENS))
    track.notes.append(_paid_in(done))


def withdrawal_on_own_screens(scene: Scene, track: Track) -> None:
    """SEP-6: the wallet asks its customer itself, and tells the anchor by SEP-12."""
    wallet = scene.wallet(track, has_money=True)
    opened = track.step(
        "wallet asks to withdraw", lambda: wallet.transfer("withdraw", CODE, AMOUNT)
    )
    row_id = str(opened["id"])
    given = CUSTOMER | {"bank_account_number": ACCOUNT, "transaction_id": row_id}
    track.step(
        "wallet tells whose bank account it is for (SEP-12)",
        lambda: wallet.tell(type="sep6", **given),
    )
    asked = wallet.transaction(row_id, on=SCREENS)
    track.step(f"wallet pays {AMOUNT} {CODE}; a ledger closes", lambda: wallet.pay(asked, CODE))
    done = track.follow(lambda: wallet.transaction(row_id, on=SCREENS))
    track.notes.append(_paid_out(done))


def receiving(scene: Scene, track: Track) -> None:
    """SEP-31: another anchor sends money to somebody with a bank account here."""
    sender = Remitter(scene.settings.public_url, scene.settings.horizon_url)
    scene.ready(track, sender, "sending anchor", has_money=True)
    receiver = CUSTOMER | {"bank_account_number": ACCOUNT}
    from_id = track.step(
        "it tells who sends (SEP-12)",
        lambda: sender.tell(type="sep31-sender", memo="1", memo_type="id", **CUSTOMER),
    )
    to_id = track.step(
        "it tells who receives, and where",
        lambda: sender.tell(type="sep31-receiver", memo="2", memo_type="id", **receiver),
    )
    opened = track.step(
        "it asks where to pay", lambda: sender.ask_to_send(CODE, AMOUNT, from_id, to_id)
    )
    account, memo = opened["stellar_account_id"], opened["stellar_memo"]
    track.step(
        f"it pays {AMOUNT} {CODE}; a ledger closes",
        lambda: sender.send(account, CODE, AMOUNT, memo),
    )
    done = track.follow(lambda: sender.sent(opened["id"]), last="pending_sender")
    track.notes.append(
        f"{done['amount_in']} {CODE} came from the other anchor, {done['amount_out']} USD went to "
        f"the receiver (reference {done['external_transaction_id']})."
    )


def sending(scene: Scene, track: Track) -> None:
    """SEP-31, both sides of it this package: another anchor sends by `flask anchor send`."""
    domain = urlsplit(scene.settings.public_url).netloc
    other = scene.neighbour
    track.step("another anchor makes keys, accounts and a database", lambda: other.prepare(domain))
    receiver = {"bank_account_number": ACCOUNT, "bank_account_holder": PAYER}
    details = {"sender": CUSTOMER, "receiver": CUSTOMER | receiver, "transaction": receiver}
    with other.following():
        done = track.step(
            f"its operator: flask anchor send --to {domain} --amount {AMOUNT} …",
            lambda: other.send(domain, AMOUNT, details),
        )
    track.notes.append(
        f"It logged in, agreed, paid {done['amount']} {CODE} in ledger transaction "
        f"{done['stellar_transaction_id'][:8]}…, and saw the receiver paid."
    )


def contract_account(scene: Scene, track: Track) -> None:
    """SEP-45, SEP-24: a contract account logs in, and pays a withdrawal to a muxed address."""
    wallet = scene.wallet(track, has_money=True)
    account = track.step("its contract account logs in (SEP-45)", wallet.log_in_as_contract)
    track.step(f"it is given {CODE}", lambda: wallet.give_contract(CODE, AMOUNT))
    opened = track.step(
        "customer fills in the anchor's page", lambda: wallet.ask_to_withdraw(CODE, AMOUNT, ACCOUNT)
    )
    asked = wallet.transaction(opened)
    track.step(
        f"{account[:6]}… pays {AMOUNT} {CODE} by a relayer; a ledger closes",
        lambda: wallet.pay_from_contract(asked, CODE),
    )
    track.notes.append(_paid_out(track.follow(lambda: wallet.transaction(opened))))


@dataclass(frozen=True)
class Journey:
    """A journey with its name; it is shown where the anchor serves all its `seps`."""

    name: str
    seps: frozenset[int]
    go: Callable[[Scene, Track], None]


JOURNEYS = (
    Journey("A withdrawal on the anchor's page (SEP-24)", frozenset({24}), withdrawal_on_the_page),
    Journey("A deposit on the anchor's page (SEP-24)", frozenset({24}), deposit_on_the_page),
    Journey(
        "A deposit before there is a trust line (SEP-24)", frozenset({24}), deposit_before_trust
    ),
    Journey(
        "A deposit on the wallet's own screens (SEP-6)", frozenset({6}), deposit_on_own_screens
    ),
    Journey(
        "A withdrawal on the wallet's own screens (SEP-6)",
        frozenset({6, 12}),
        withdrawal_on_own_screens,
    ),
    Journey("A payment of another anchor (SEP-31)", frozenset({31}), receiving),
    Journey("A payment between two anchors of this package (SEP-31)", frozenset({31}), sending),
    Journey("A withdrawal of a contract account (SEP-45)", frozenset({24, 45}), contract_account),
)


def _deposited(scene: Scene, track: Track, wallet: Wallet) -> str:
    """Open a deposit on the page and pay it from a bank account; return its id."""
    opened, reference = track.step(
        "customer fills in the anchor's page",
        lambda: wallet.ask_to_deposit(
            CODE, AMOUNT, bank_account_number=ACCOUNT, bank_account_holder=PAYER
        ),
    )
    scene.transferred(track, reference)
    return str(opened)


def _paid_out(done: dict[str, Any]) -> str:
    return (
        f"{done['amount_in']} {CODE} came in, {done['amount_out']} USD went to the bank account "
        f"(reference {done['external_transaction_id']}), {done['amount_fee']} {CODE} is the fee."
    )


def _paid_in(done: dict[str, Any]) -> str:
    return (
        f"{done['amount_in']} USD came by bank (reference {done['external_transaction_id']}), "
        f"{done['amount_out']} {CODE} went to the wallet in ledger transaction "
        f"{done['stellar_transaction_id'][:8]}…."
    )


def _called_at_ms(scene: Scene, reference: str) -> int:
    """Ask the bank when it took the order."""
    answer = requests.get(f"{scene.settings.horizon_url}/bank/transfers", timeout=_TIMEOUT_S)
    return next(int(each["at_ms"]) for each in answer.json() if each["id"] == reference)
