"""Whose signatures log an account in, and whose do not."""

import pytest

from anchor import web_auth
from tests.logging_in import (
    CLIENT,
    MUXED,
    OTHER,
    POLICY,
    SERVER,
    THIRD,
    WALLET,
    challenge,
    log_in,
    on_ledger,
    refuse,
    signed,
)


@pytest.mark.conforms("SEP10-63")
def test_an_account_that_is_not_there_needs_its_own_signature_and_no_other() -> None:
    """SEP10-63."""
    made = challenge()
    assert log_in(signed(made, CLIENT)).account_id == CLIENT.public_key
    for keys in ((), (OTHER,), (CLIENT, OTHER), (CLIENT, CLIENT), (SERVER,), (CLIENT, SERVER)):
        refuse(signed(made, *keys))


@pytest.mark.conforms("SEP10-55", "SEP10-63", "SEP10-74")
def test_a_client_domain_has_to_sign_as_well() -> None:
    """SEP10-55, SEP10-63, SEP10-74."""
    made = challenge(client_domain=("wallet.example", WALLET.public_key))
    for account in (None, on_ledger((CLIENT.public_key, 1))):
        assert log_in(signed(made, CLIENT, WALLET), account).client_domain == "wallet.example"
        for keys in ((CLIENT,), (WALLET,), (CLIENT, OTHER), (CLIENT, WALLET, OTHER)):
            refuse(signed(made, *keys), account)


@pytest.mark.conforms("SEP10-57", "SEP10-58")
def test_the_weight_of_the_signers_reaches_the_medium_threshold() -> None:
    """SEP10-57, 58."""
    account = on_ledger(
        (CLIENT.public_key, 1), (OTHER.public_key, 2), (THIRD.public_key, 1), medium=3
    )
    made = challenge()
    for keys in ((CLIENT, OTHER), (OTHER, THIRD), (CLIENT, OTHER, THIRD)):
        log_in(signed(made, *keys), account)
    for keys in ((), (CLIENT,), (OTHER,), (CLIENT, THIRD), (CLIENT, OTHER, WALLET)):
        refuse(signed(made, *keys), account)


@pytest.mark.conforms("SEP10-59")
def test_a_signer_counts_once_however_often_it_signs() -> None:
    """SEP10-59."""
    account = on_ledger((CLIENT.public_key, 1), (OTHER.public_key, 1), medium=2)
    refuse(signed(challenge(), CLIENT, CLIENT), account)
    twice = on_ledger((CLIENT.public_key, 1), (CLIENT.public_key, 1), medium=2)
    refuse(signed(challenge(), CLIENT, CLIENT), twice)


@pytest.mark.conforms("SEP10-60")
def test_the_servers_signature_is_no_weight() -> None:
    """SEP10-60."""
    account = on_ledger((CLIENT.public_key, 1), (SERVER.public_key, 5), medium=2)
    for keys in ((), (CLIENT,), (SERVER,), (CLIENT, SERVER)):
        refuse(signed(challenge(), *keys), account)


@pytest.mark.conforms("SEP10-55")
def test_the_client_domains_signature_is_no_weight() -> None:
    """SEP10-55: a wallet that co-signs for an account does not log in without it."""
    account = on_ledger((CLIENT.public_key, 1), (WALLET.public_key, 1), medium=2)
    made = challenge(client_domain=("wallet.example", WALLET.public_key))
    refuse(signed(made, WALLET), account)
    refuse(signed(made, CLIENT, WALLET), account)


@pytest.mark.conforms("SEP10-61")
@pytest.mark.parametrize("medium", [0, 1])
def test_a_key_of_weight_nought_does_not_sign(medium: int) -> None:
    """SEP10-61: the master key that was switched off, above all."""
    account = on_ledger((CLIENT.public_key, 0), (OTHER.public_key, 1), medium=medium)
    refuse(signed(challenge(), CLIENT), account)
    refuse(signed(challenge(), CLIENT, OTHER), account)
    log_in(signed(challenge(), OTHER), account)


@pytest.mark.conforms("SEP10-61")
def test_an_account_without_signers_cannot_log_in() -> None:
    """SEP10-61."""
    refuse(signed(challenge(), CLIENT), on_ledger((CLIENT.public_key, 0)))
    refuse(signed(challenge(), CLIENT), on_ledger())


@pytest.mark.conforms("SEP10-62")
@pytest.mark.parametrize("kind", ["sha256_hash", "preauth_tx", "ed25519_signed_payload", ""])
def test_only_keys_are_signers(kind: str) -> None:
    """SEP10-62."""
    account = on_ledger((OTHER.public_key, 5, kind), (CLIENT.public_key, 1), medium=2)
    refuse(signed(challenge(), CLIENT, OTHER), account)


@pytest.mark.conforms("SEP10-60")
def test_the_anchors_own_key_cannot_log_in() -> None:
    """SEP10-60: its signature stands on every challenge."""
    made = challenge(SERVER.public_key)
    refuse(made)
    refuse(signed(made, SERVER))


@pytest.mark.conforms("SEP10-64", "CAP27-01")
def test_a_muxed_account_logs_in_with_the_key_of_its_base() -> None:
    """SEP10-64."""
    read = web_auth.read_challenge(POLICY, signed(challenge(MUXED), CLIENT))
    assert read.client.account_id == CLIENT.public_key
    log_in(signed(challenge(MUXED), CLIENT), on_ledger((CLIENT.public_key, 1)))
