"""We log in at another anchor: what we sign can move nothing, and is a challenge of its own."""

import pytest
from stellar_sdk import Asset

from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Misconfigured, Rejected
from anchor.services import stellar_tomls
from anchor.web_auth import answering
from tests.logging_in import CLIENT, OTHER, SERVER, challenge, data, forged, parsed

HOST = "auth.anchor.example:8443"
THEM = answering.Server(SERVER.public_key, "anchor.example", (HOST, "auth.anchor.example"))


def sign(envelope_xdr: str, seed: str = CLIENT.secret, them: answering.Server = THEM) -> str:
    return answering.sign_challenge(seed, envelope_xdr, TESTNET_PASSPHRASE, them)


def test_a_challenge_for_us_is_signed_by_our_key() -> None:
    signed = parsed(sign(challenge()))
    CLIENT.verify(signed.hash(), signed.signatures[-1].signature)
    assert len(signed.signatures) == 2


def test_a_host_may_be_written_without_its_port() -> None:
    bare = data("web_auth_domain", "auth.anchor.example")
    assert sign(forged(bare))


@pytest.mark.parametrize(
    "envelope",
    [
        "",
        "AAAA",
        "A" * 30_000,
        forged(lambda builder: builder.append_payment_op(OTHER.public_key, Asset.native(), "1")),
        forged(sequence=5),
        forged(source=CLIENT.public_key),
        forged(signer=OTHER),
        forged(bounds=(-900, -600)),
        forged(bounds=(0, 0)),
        forged(data("web_auth_domain", "evil.example")),
        forged(first=data("evil.example auth", b"n" * 64, CLIENT)),
        forged(first=data("anchor.example auth", b"n" * 64, OTHER)),
        challenge(OTHER.public_key),
        challenge(memo="5"),
    ],
)
def test_promise_14_nothing_else_is_signed(envelope: str) -> None:
    with pytest.raises(Rejected, match="what it gave us to sign is"):
        sign(envelope)


def test_promise_14_a_challenge_of_another_key_or_domain_is_not_signed() -> None:
    for changed in (
        answering.Server(OTHER.public_key, "anchor.example", (HOST,)),
        answering.Server(SERVER.public_key, "other.example", (HOST,)),
    ):
        with pytest.raises(Rejected):
            sign(challenge(), them=changed)


def test_promise_15_a_broken_secret_is_not_repeated() -> None:
    with pytest.raises(Misconfigured) as caught:
        answering.account_of("SNOSECRET")
    assert "SNOSECRET" not in str(caught.value)


def test_only_texts_at_the_top_and_of_currencies_are_read() -> None:
    body = (
        b'SIGNING_KEY = \'G1\' # ours\nNUMBER = 5\nTWICE = "a"\nTWICE = "b"\n[DOCUMENTATION]\n'
        b'SIGNING_KEY = "G2"\n[[CURRENCIES]]\ncode = "USDC"\nissuer="G3"\n'
        b'[[ CURRENCIES ]] # more\n"code" = "EURC"\n[[PRINCIPALS]]\nname = "Ada"\n'
    )
    top, currencies = stellar_tomls.read(body)
    assert top == {"SIGNING_KEY": "G1", "TWICE": ""}
    assert currencies == [{"code": "USDC", "issuer": "G3"}, {"code": "EURC"}]
