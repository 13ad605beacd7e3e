"""Names of assets, and the text form of keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Keypair, StrKey

from anchor.assets import Currency, StellarAsset, is_account_id, is_secret_key
from anchor.errors import Rejected

KEYS = st.binary(min_size=32, max_size=32)
CODES = st.from_regex(r"\A[A-Za-z0-9]{1,12}\Z")


@given(KEYS)
def test_the_keys_of_the_ledger_are_known_by_their_checksum(raw: bytes) -> None:
    keys = Keypair.from_raw_ed25519_seed(raw)
    assert is_account_id(keys.public_key)
    assert is_secret_key(keys.secret)
    assert not is_account_id(keys.secret)
    assert not is_secret_key(keys.public_key)


@given(KEYS, st.integers(0, 55), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_one_wrong_letter_is_seen(raw: bytes, place: int, letter: str) -> None:
    account = StrKey.encode_ed25519_public_key(raw)
    typo = account[:place] + letter + account[place + 1 :]
    assert is_account_id(typo) is (typo == account)


@given(st.text())
def test_any_text_is_judged_without_a_surprise(text: str) -> None:
    assert not is_account_id(text)
    assert not is_secret_key(text)


@pytest.mark.conforms("GEN-33")
@given(CODES, KEYS)
def test_an_asset_that_is_written_is_read_again(code: str, raw: bytes) -> None:
    asset = StellarAsset(code, StrKey.encode_ed25519_public_key(raw))
    assert StellarAsset.parse(str(asset)) == asset
    assert StellarAsset.parse(asset.sep38) == asset


@pytest.mark.conforms("GEN-33")
def test_lumens_are_native() -> None:
    assert StellarAsset.parse("native") == StellarAsset.parse("stellar:native")
    assert StellarAsset.parse("native").sep38 == "stellar:native"


@pytest.mark.conforms("GEN-33")
@pytest.mark.parametrize("text", ["", "USDC", "USDC:", ":G", "USDC:GABC", "iso4217:USD", "A B:G"])
def test_what_is_no_asset_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        StellarAsset.parse(text)


@pytest.mark.conforms("GEN-33")
def test_a_currency_is_three_letters_after_its_scheme() -> None:
    assert Currency.parse("iso4217:EUR").sep38 == "iso4217:EUR"
    for text in ("EUR", "iso4217:EURO", "iso4217:eur", "stellar:native"):
        with pytest.raises(Rejected):
            Currency.parse(text)
