"""Challenges, without a server: what goes out, and what may come back."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import (
    HashMemo,
    IdMemo,
    ManageData,
    MuxedAccount,
    TransactionBuilder,
)
from stellar_sdk.sep.stellar_web_authentication import read_challenge_transaction

from anchor import web_auth
from anchor.clock import utcnow
from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Rejected
from anchor.web_auth import challenges, is_account, is_contract, read_client
from tests.logging_in import (
    CLIENT,
    MUXED,
    OTHER,
    POLICY,
    SERVER,
    WALLET,
    challenge,
    data,
    forged,
    log_in,
    parsed,
    refuse,
    signed,
)


@pytest.mark.conforms(
    "SEP10-31", "SEP10-32", "SEP10-33", "SEP10-34", "SEP10-35", "SEP10-37", "SEP10-38"
)
def test_a_challenge_is_what_the_text_says() -> None:
    """SEP10-31 to 38."""
    envelope = parsed(challenge(memo="7", client_domain=("wallet.example", WALLET.public_key)))
    tx = envelope.transaction
    assert tx.source.account_id == SERVER.public_key
    assert tx.sequence == 0
    assert tx.memo == IdMemo(7)
    assert tx.preconditions is not None
    bounds: Any = tx.preconditions.time_bounds
    assert abs(bounds.min_time - utcnow().timestamp()) < 5
    assert bounds.max_time - bounds.min_time == 900
    operations = [op for op in tx.operations if isinstance(op, ManageData)]
    assert len(operations) == len(tx.operations) == 3
    assert [(op.data_name, op.source.account_id) for op in operations if op.source] == [
        ("anchor.example auth", CLIENT.public_key),
        ("web_auth_domain", SERVER.public_key),
        ("client_domain", WALLET.public_key),
    ]
    assert len(base64.b64decode(operations[0].data_value or b"")) == 48
    assert len(operations[0].data_value or b"") == 64
    assert operations[1].data_value == b"auth.anchor.example:8443"
    assert operations[2].data_value == b"wallet.example"
    assert len(envelope.signatures) == 1
    SERVER.verify(envelope.hash(), envelope.signatures[0].signature)


@pytest.mark.conforms("SEP10-33")
def test_no_two_challenges_are_the_same() -> None:
    """SEP10-33."""
    hashes = {parsed(challenge()).hash_hex() for _ in range(20)}
    assert len(hashes) == 20


@pytest.mark.conforms("SEP10-33")
def test_a_muxed_account_stays_muxed() -> None:
    """SEP10-33."""
    source: Any = parsed(challenge(MUXED)).transaction.operations[0].source
    assert source.universal_account_id == MUXED


@pytest.mark.conforms("SEP10-06")
def test_the_home_domain_is_the_first_unless_another_is_asked_for() -> None:
    """SEP10-06."""
    assert log_in(signed(challenge(), CLIENT)).home_domain == "anchor.example"
    second = challenge(home_domain="second.example")
    assert log_in(signed(second, CLIENT)).home_domain == "second.example"
    with pytest.raises(Rejected, match="home_domain"):
        challenge(home_domain="elsewhere.example")


@pytest.mark.conforms("SEP10-01", "SEP10-02", "SEP23-01")
@pytest.mark.parametrize(
    "account",
    [
        *("", "G", "\ud800", "G" * 56, "C" + "A" * 55, CLIENT.secret, MUXED[:-1]),
        *(CLIENT.public_key[:-1], CLIENT.public_key[:-1] + "!", CLIENT.public_key.lower()),
    ],
)
def test_what_is_no_account_gets_no_challenge(account: str) -> None:
    """SEP10-01, SEP10-02."""
    with pytest.raises(Rejected):
        read_client(account)


#: The examples of SEP-23: of each kind of account a valid one, and all that no decoder may take.
ACCOUNTS = {
    "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ": None,
    "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ": 0,
    "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK": 2**63,
}
OTHER_KINDS = [
    "PA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAQACAQDAQCQMBYIBEFAWDANBYHRAEISCMKB"
    "KFQXDAMRUGY4DUPB6IBZGM",
    "PA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAOQCAQDAQCQMBYIBEFAWDANBYHRAEISCMKB"
    "KFQXDAMRUGY4DUAAAAFGBU",
    "LA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUPJN",
    "BAAD6DBUX6J22DMZOHIEZTEQ64CVCHEDRKWZONFEUL5Q26QD7R76RGR4TU",
]
CONTRACT = "CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA"
INVALID = [
    "GAAAAAAAACGC6",
    "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUR",
    "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZA",
    "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUACUSI",
    "G47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVP2I",
    "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLKA",
    "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAAV75I",
    "M47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ",
    "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUK===",
    "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUO",
    "PA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAQACAQDAQCQMBYIBEFAWDANBYHRAEISCMKB"
    "KFQXDAMRUGY4DUPB6IAAAAAAAAPM",
    "PA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAOQCAQDAQCQMBYIBEFAWDANBYHRAEISCMKB"
    "KFQXDAMRUGY4Z2PQ",
    "PA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAOQCAQDAQCQMBYIBEFAWDANBYHRAEISCMKB"
    "KFQXDAMRUGY4DXFH6",
    "BAAD6DBUX6J22DMZOHIEZTEQ64CVCHEDRKWZONFEUL5Q26QD7R76RGR4TV",
    "BAAT6DBUX6J22DMZOHIEZTEQ64CVCHEDRKWZONFEUL5Q26QD7R76RGXACA",
]


@pytest.mark.conforms("SEP23-01", "SEP23-02", "SEP23-03")
@pytest.mark.parametrize(("address", "number"), ACCOUNTS.items())
def test_the_valid_addresses_of_the_text_are_accounts(address: str, number: int | None) -> None:
    found = read_client(address)
    assert found.account_id == next(iter(ACCOUNTS))
    assert (found.subaccount_id, found.is_muxed) == (number, number is not None)
    assert is_account(address)
    assert not is_contract(address)


@pytest.mark.conforms("SEP23-01", "SEP23-02")
@pytest.mark.parametrize("address", [*INVALID, *OTHER_KINDS])
def test_no_invalid_address_of_the_text_and_none_of_another_kind_is_anybody(address: str) -> None:
    with pytest.raises(Rejected):
        read_client(address)
    assert not is_account(address)
    assert not is_contract(address)


@pytest.mark.conforms("SEP23-02")
def test_the_contract_of_the_text_is_one_and_no_account() -> None:
    assert is_contract(CONTRACT)
    assert not is_contract(f"{CONTRACT[:-1]}B")
    assert not is_account(CONTRACT)


@pytest.mark.conforms("SEP10-03")
@pytest.mark.parametrize(
    "memo", ["", " 1", "1 ", "-1", "+1", "01", "1.0", "1e3", "٣", "x", str(2**64), "9" * 400]
)
def test_a_memo_that_is_no_id_gets_no_challenge(memo: str) -> None:
    """SEP10-03."""
    with pytest.raises(Rejected):
        read_client(CLIENT.public_key, memo)


@pytest.mark.conforms("SEP10-04")
@pytest.mark.parametrize("muxed_id", [0, 5])
def test_a_memo_with_a_muxed_account_gets_no_challenge(muxed_id: int) -> None:
    """SEP10-04."""
    muxed = MuxedAccount(CLIENT.public_key, muxed_id).universal_account_id
    with pytest.raises(Rejected, match="memo"):
        read_client(muxed, "5")


@pytest.mark.conforms("SEP10-35")
def test_a_client_domain_too_long_for_a_data_entry_is_refused() -> None:
    """SEP10-35."""
    with pytest.raises(Rejected, match="too long"):
        challenge(client_domain=("x" * 65, WALLET.public_key))


# -- what comes back ----------------------------------------------------------------------


def test_the_forger_of_these_tests_can_make_a_good_one() -> None:
    assert log_in(forged()).account_id == CLIENT.public_key


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        (lambda: forged(source=OTHER.public_key), "source account"),  # SEP10-47
        (lambda: forged(sequence=0), "sequence"),  # SEP10-52
        (lambda: forged(bounds=(0, 0)), "no end"),  # SEP10-48
        (lambda: forged(bounds=(-1000, -100)), "timebounds"),  # SEP10-48
        (lambda: forged(bounds=(1000, 2000)), "timebounds"),  # SEP10-48
        (lambda: forged(first=lambda b: b.append_bump_sequence_op(9)), "ManageData"),  # -49
        (
            lambda: forged(first=data("anchor.example auth", base64.b64encode(b"n" * 48), None)),
            "source account",  # SEP10-49
        ),
        (
            lambda: forged(first=data("evil.example auth", base64.b64encode(b"n" * 48), CLIENT)),
            "home domain",  # SEP10-50
        ),
        (lambda: forged(first=data("anchor.example auth", b"n" * 63, CLIENT)), "64"),  # SEP10-50
        (
            lambda: forged(first=data("anchor.example auth", "A" * 63 + "=", CLIENT)),
            "48",  # SEP10-50
        ),
        (lambda: forged(first=data("anchor.example auth", None, CLIENT)), "64"),  # SEP10-50
        (lambda: forged(signer=OTHER), "not signed by this server"),  # SEP10-51
        (lambda: forged(lambda b: b.append_bump_sequence_op(9)), "ManageData"),  # SEP10-53
        (lambda: forged(data("more", "x", OTHER)), "not this server's"),  # SEP10-53
        (lambda: forged(data("more", "x", None)), "source account"),  # SEP10-53
        (lambda: forged(data("web_auth_domain", "evil.example")), "web_auth_domain"),  # -54
        (lambda: forged(data("web_auth_domain", None)), "web_auth_domain"),  # SEP10-54
        (lambda: forged(lambda b: b.add_text_memo("7")), "memo"),  # SEP10-56
        (lambda: forged(lambda b: b.add_memo(HashMemo("0" * 64))), "memo"),  # SEP10-56
        (lambda: forged(data("client_domain", "wallet.example", WALLET)), "client_domain"),  # 55
        (lambda: forged(data("client_domain", None, CLIENT)), "client_domain"),  # SEP10-55
        (lambda: forged(data("client_domain", b"\xff", CLIENT)), "challenge"),  # SEP10-55
    ],
)
def test_a_challenge_that_is_not_as_it_must_be_is_refused(
    envelope: Callable[[], str], reason: str
) -> None:
    """SEP10-47 to 56, with every other thing right."""
    assert reason.lower() in refuse(envelope()).lower()


@pytest.mark.conforms("SEP10-48")
def test_time_bounds_may_not_be_missing() -> None:
    """SEP10-48."""
    with pytest.warns(UserWarning, match="TimeBounds"):
        envelope = forged(bounds=None)
    assert "timebounds" in refuse(envelope)


@pytest.mark.conforms("SEP10-56")
@pytest.mark.parametrize("muxed_id", [0, 5])
def test_a_muxed_account_with_a_memo_does_not_come_back(muxed_id: int) -> None:
    """SEP10-56, with the id of 0 that the SDK takes for none."""
    source = MuxedAccount(CLIENT.public_key, muxed_id)
    nonce = base64.b64encode(b"n" * 48)

    def first(builder: TransactionBuilder) -> None:
        builder.append_manage_data_op("anchor.example auth", nonce, source=source)
        builder.add_memo(IdMemo(7))

    assert "memo" in refuse(forged(first=first))


@pytest.mark.conforms("SEP10-46")
@pytest.mark.parametrize(
    "text",
    ["", "x", "AAAA", "=", "\x00", "\ud800", "A" * 20_001, "%%%", "AAAAAgAAAAA", "é"],
)
def test_what_is_no_envelope_is_refused(text: str) -> None:
    """SEP10-46."""
    refuse(text)


@pytest.mark.conforms("SEP10-46")
def test_a_cut_or_bent_challenge_is_refused_and_never_a_surprise() -> None:
    """SEP10-46: what the reader forgives (padding, booleans) leaves it the same challenge."""
    whole = signed(challenge(), CLIENT)
    raw = base64.b64decode(whole)
    for at in range(0, len(raw), 3):
        refuse(base64.b64encode(raw[:at]).decode())
        bent = raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]
        try:
            found = log_in(base64.b64encode(bent).decode())
        except Rejected:
            continue
        assert found.token_id == parsed(whole).hash_hex()
        assert found.account_id == CLIENT.public_key


@pytest.mark.conforms("SEP10-46", "SEP10-51")
@given(st.data())
def test_what_is_read_here_the_sdk_reads_as_the_same(draw: st.DataObject) -> None:
    """Read by ours is read by the SDK's, whoever signed it."""
    memo = draw.draw(st.none() | st.integers(0, 2**64 - 1), "memo")
    client = draw.draw(st.sampled_from([CLIENT.public_key] + [MUXED] * (memo is None)), "account")
    wallet = draw.draw(st.sampled_from([None, ("wallet.example", WALLET.public_key)]), "wallet")
    made = challenge(client, None if memo is None else str(memo), client_domain=wallet)
    keys = draw.draw(st.lists(st.sampled_from([CLIENT, OTHER, WALLET]), max_size=3), "signers")
    envelope = signed(made, *keys)
    ours = web_auth.read_challenge(POLICY, envelope)
    theirs = read_challenge_transaction(
        envelope,
        POLICY.signing_key,
        POLICY.home_domains,
        POLICY.web_auth_domain,
        POLICY.network_passphrase,
    )
    assert ours.hash == theirs.transaction.hash_hex()
    assert ours.client.address == theirs.client_account_id == client
    assert ours.home_domain == theirs.matched_home_domain
    assert theirs.memo == memo
    assert ours.client.is_muxed or ours.client.subaccount_id == memo
    assert [value for _, value in ours.signatures] == [
        each.signature for each in theirs.transaction.signatures[1:]
    ]


@pytest.mark.conforms("SEP10-31", "SEP10-46")
def test_a_fee_bump_is_no_challenge() -> None:
    """SEP10-31, SEP10-46."""
    inner = parsed(forged())
    bump = TransactionBuilder.build_fee_bump_transaction(
        CLIENT.public_key, 200, inner, TESTNET_PASSPHRASE
    )
    bump.sign(CLIENT)
    refuse(bump.to_xdr())


def test_a_challenge_of_another_network_is_refused() -> None:
    elsewhere = replace(POLICY, network_passphrase="Another Network")
    built = web_auth.build_challenge(elsewhere, read_client(CLIENT.public_key))
    refuse(signed(built, CLIENT))


@pytest.mark.conforms("SEP10-48")
def test_a_challenge_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """SEP10-48."""
    for age_s, is_good in ((890, True), (905, False)):
        then = utcnow() - timedelta(seconds=age_s)
        monkeypatch.setattr(challenges, "utcnow", lambda then=then: then)
        envelope = signed(challenge(), CLIENT)
        if is_good:
            assert web_auth.read_challenge(POLICY, envelope).expires_at > utcnow()
            log_in(envelope)
        else:
            refuse(envelope)
