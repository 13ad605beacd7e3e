"""Money neither appears nor vanishes on the sandbox network, whatever is sent to it."""

import random
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stellar_sdk import (
    AccountMerge,
    Asset,
    BeginSponsoringFutureReserves,
    ChangeTrust,
    Claimant,
    ClaimClaimableBalance,
    ClaimPredicate,
    Clawback,
    ClawbackClaimableBalance,
    CreateAccount,
    CreateClaimableBalance,
    EndSponsoringFutureReserves,
    ManageData,
    PathPaymentStrictReceive,
    PathPaymentStrictSend,
    Payment,
    SetOptions,
    SetTrustLineFlags,
    Signer,
    TrustLineFlags,
)
from stellar_sdk.operation import Operation
from stellar_sdk.operation.set_options import AuthorizationFlag

from tests.sandbox.books import changes, check_books, text, totals
from tests.sandbox.ledger import Ledger, address, usd

NAMES = ("alice", "bob", "carol", "dave", "issuer")
NOTHING = "0" * 72

names = st.sampled_from(NAMES)
people = st.sampled_from(NAMES[:4])
amounts = (st.integers(1, 5 * 10**8) | st.integers(1, 3 * 10**11)).map(text)
assets = st.sampled_from([Asset.native(), usd(), usd()])
predicates = st.sampled_from(
    [
        ClaimPredicate.predicate_unconditional(),
        ClaimPredicate.predicate_before_relative_time(30),
        ClaimPredicate.predicate_not(ClaimPredicate.predicate_before_relative_time(30)),
    ]
)
flags = st.sampled_from([TrustLineFlags(1), TrustLineFlags(2), None])


@st.composite
def transfers(draw: st.DrawFn) -> Operation:
    to, amount, asset = address(draw(names)), draw(amounts), draw(assets)
    source = address(draw(names))
    few = "0.0000001"
    made: list[Operation] = [
        Payment(to, asset, amount, source=source),
        Payment(to, asset, amount, source=source),
        PathPaymentStrictSend(to, asset, amount, asset, few, [], source=source),
        PathPaymentStrictReceive(to, asset, amount, asset, amount, [], source=source),
        AccountMerge(to, source=source),
        CreateAccount(address("dave"), amount, source=source),
        Clawback(usd(), to, amount, source=address("issuer")),
    ]
    return draw(st.sampled_from(made))


@st.composite
def entries(draw: st.DrawFn, source: str | None = None) -> Operation:
    owner = address(source or draw(names))
    claimants = draw(st.lists(st.tuples(people, predicates), min_size=1, max_size=2))
    made: list[Operation] = [
        ChangeTrust(usd(), draw(st.sampled_from(["0", "70", "922337203685.4775807"])), owner),
        ManageData("note", draw(st.sampled_from(["x", None])), owner),
        SetOptions(
            signer=Signer.ed25519_public_key(address("signer"), draw(st.integers(0, 1))),
            source=owner,
        ),
        CreateClaimableBalance(
            draw(assets),
            draw(amounts),
            [Claimant(address(name), when) for name, when in claimants],
            owner,
        ),
        SetTrustLineFlags(
            address(draw(people)), usd(), draw(flags), draw(flags), address("issuer")
        ),
    ]
    return draw(st.sampled_from(made))


@st.composite
def sandwiches(draw: st.DrawFn) -> list[Operation]:
    """One account bears the reserves of what another makes."""
    sponsor, sponsored = draw(names), draw(names)
    inner = draw(st.lists(entries(sponsored), min_size=1, max_size=2))
    begin = BeginSponsoringFutureReserves(address(sponsored), address(sponsor))
    if draw(st.booleans()):
        inner.insert(0, CreateAccount(address(sponsored), "0", address(sponsor)))
    return [begin, *inner, EndSponsoringFutureReserves(address(sponsored))]


# who pays whom by the contract of an asset: contracts have a "C" before their key's name
holders = st.sampled_from([*NAMES, "Calice", "Cbob"])
moves = st.tuples(
    st.just("move"),
    st.tuples(holders, holders, assets),
    st.integers(0, 5 * 10**8) | st.integers(1, 3 * 10**11),
)
claims = st.tuples(st.sampled_from(["claim", "claw back"]), names, st.integers(0, 5))
lots = st.lists(transfers(), min_size=1, max_size=2) | st.lists(entries(), min_size=1, max_size=2)
steps = st.tuples(
    names, lots | sandwiches() | claims | moves, st.sampled_from([100, 100, 100, 99, 500])
)


def prepared() -> Ledger:
    """Dave is not there; all may be clawed back; Alice and Bob hold USD; some waits for Carol."""
    ledger = Ledger()
    ledger.fund("alice", "bob", "carol", "issuer")
    revocable = AuthorizationFlag.AUTHORIZATION_REVOCABLE
    ledger.send(
        "issuer",
        SetOptions(set_flags=revocable | AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED),
    )
    for name in ("alice", "bob"):
        ledger.send(name, ChangeTrust(usd()))
        ledger.send("issuer", Payment(address(name), usd(), "100"))
    ledger.send("alice", CreateClaimableBalance(usd(), "5", [Claimant(address("carol"))]))
    return ledger


def built(ledger: Ledger, lot: Any) -> list[Operation]:
    if isinstance(lot, list):
        return lot
    kind, name, number = lot
    waiting = sorted(ledger.network.state.balances.entries) or [NOTHING]
    chosen = waiting[number % len(waiting)]
    balance = ledger.network.state.balances.read(chosen)
    if kind == "claim" and balance is not None:
        return [ClaimClaimableBalance(chosen, balance.claimants[0][0])]
    if kind == "claim":
        return [ClaimClaimableBalance(chosen, address(name))]
    return [ClawbackClaimableBalance(chosen, address("issuer"))]


def move(ledger: Ledger, source: str, parties: tuple[str, str, Asset], stroops: int) -> Any:
    """Pay by contract; an account is the source of what it pays, a contract needs a relayer."""

    def holder(name: str) -> str:
        return ledger.contract(name[1:]) if name.startswith("C") else address(name)

    sender, to, asset = parties
    if ledger.network.state.accounts.read(address(source)) is None:
        return None
    key_name = sender.removeprefix("C")
    return ledger.transfer(source, holder(sender), holder(to), asset, stroops, signer=key_name)


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(steps, min_size=5, max_size=30))
def test_every_coin_is_somewhere_and_every_balance_is_told_by_effects(
    sent: list[tuple[str, Any, int]],
) -> None:
    ledger = prepared()
    for source, lot, fee in sent:
        if lot[0] == "move":
            move(ledger, source, *lot[1:])
            check_books(ledger.network)
            continue
        made = built(ledger, lot)
        sources = {each.source.account_id for each in made if each.source}
        signers = [name for name in NAMES if address(name) in sources]
        ledger.now += 10
        ledger.send(source, *made, fee=fee, signers=signers)
        check_books(ledger.network)


def test_a_long_life_of_chance_keeps_the_books_and_gives_the_same_ledgers_twice() -> None:
    hashes = []
    for _ in range(2):
        ledger, chance = prepared(), random.Random(7)
        for _ in range(300):
            to, amount = chance.choice(NAMES), text(chance.randint(1, 10**9))
            asset = chance.choice([Asset.native(), usd()])
            ledger.send(chance.choice(NAMES), Payment(address(to), asset, amount))
        check_books(ledger.network)
        hashes.append(ledger.network.core.hash)
    assert hashes[0] == hashes[1]


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.tuples(names, moves), min_size=1, max_size=12))
def test_contracts_change_how_much_there_is_by_mint_and_burn_alone(
    sent: list[tuple[str, tuple[str, tuple[str, str, Asset], int]]],
) -> None:
    ledger = prepared()
    for source, (_, parties, stroops) in sent:
        before, told = totals(ledger.network), len(changes(ledger.network))
        record = move(ledger, source, parties, stroops)
        assert record is None or record.successful
        signs = {"mint": 1, "burn": -1, "transfer": 0}
        expected = dict(before)
        for change in changes(ledger.network)[told:]:
            assert int(Decimal(change["amount"]) * 10**7) == stroops
            if signs[change["type"]]:
                asset = f"{change['asset_code']}:{change['asset_issuer']}"
                expected[asset] = expected.get(asset, 0) + signs[change["type"]] * stroops
        assert totals(ledger.network) == {key: total for key, total in expected.items() if total}
        check_books(ledger.network)
