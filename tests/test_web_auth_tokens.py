"""Session tokens and tokens of links, and the policy that makes them."""

import base64
import json
import traceback
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import jwt
import pytest

from anchor import web_auth
from anchor.clock import utcnow
from anchor.errors import Misconfigured, Unauthorized
from anchor.web_auth import read_client, tokens
from tests.logging_in import (
    CLIENT,
    MUXED,
    POLICY,
    SERVER,
    WALLET,
    challenge,
    parsed,
    signed,
)


def token(account: str = CLIENT.public_key, memo: str | None = None, **options: Any) -> str:
    read = web_auth.read_challenge(POLICY, signed(challenge(account, memo, **options), CLIENT))
    return web_auth.issue_token(POLICY, read)


def claims_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(text, options={"verify_signature": False})
    return found


@pytest.mark.conforms("SEP10-05", "SEP10-71", "GEN-21", "GEN-26", "SEP23-03")
@pytest.mark.parametrize(
    ("account", "memo", "subject", "subaccount_id"),
    [
        (CLIENT.public_key, None, CLIENT.public_key, None),
        (CLIENT.public_key, "0", f"{CLIENT.public_key}:0", 0),
        (CLIENT.public_key, "5", f"{CLIENT.public_key}:5", 5),
        (CLIENT.public_key, str(2**64 - 1), f"{CLIENT.public_key}:{2**64 - 1}", 2**64 - 1),
        (MUXED, None, MUXED, 5),
    ],
)
def test_a_token_tells_who_logged_in(
    account: str, memo: str | None, subject: str, subaccount_id: int | None
) -> None:
    """SEP10-05, SEP10-71, GEN-21, and GEN-26: an id is an id, in a memo or an address."""
    text = token(account, memo)
    assert claims_of(text)["sub"] == subject
    principal = web_auth.read_token(POLICY, text)
    assert (principal.account_id, principal.subaccount_id) == (CLIENT.public_key, subaccount_id)


@pytest.mark.conforms("SEP10-70", "SEP10-72", "SEP10-74")
def test_a_token_has_the_claims_of_the_text() -> None:
    """SEP10-70, 72."""
    made = signed(challenge(), CLIENT)
    claims = claims_of(web_auth.issue_token(POLICY, web_auth.read_challenge(POLICY, made)))
    assert claims["iss"] == POLICY.issuer
    assert claims["jti"] == parsed(made).hash_hex()
    assert claims["home_domain"] == "anchor.example"
    assert isinstance(claims["iat"], int)
    assert claims["exp"] - claims["iat"] == 86400
    assert "client_domain" not in claims
    known = token(client_domain=("wallet.example", WALLET.public_key))
    assert claims_of(known)["client_domain"] == "wallet.example"


@pytest.mark.conforms("GEN-21", "GEN-22", "GEN-23", "SEP10-72")
@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"iss": "https://elsewhere.example/auth"},
        {"iss": None},
        {"aud": "link:interactive"},
        {"aud": None},
        {"sub": None},
        {"sub": 5},
        {"sub": "GBAD"},
        {"sub": "C" + "A" * 55},
        {"sub": f"{CLIENT.public_key}:"},
        {"sub": f"{CLIENT.public_key}:x"},
        {"sub": f"{CLIENT.public_key}:{2**64}"},
        {"sub": f"{MUXED}:5"},
        {"home_domain": "elsewhere.example"},
        {"home_domain": None},
    ],
)
def test_a_token_with_a_wrong_or_missing_claim_is_refused(change: dict[str, Any]) -> None:
    """GEN-21 to 23, SEP10-72."""
    changed = claims_of(token()) | change
    claims = {key: value for key, value in changed.items() if value is not None}
    try:
        text = jwt.encode(claims, POLICY.jwt_secret, algorithm="HS256")
    except TypeError:  # PyJWT does not write some of these itself
        return
    with pytest.raises(Unauthorized):
        web_auth.read_token(POLICY, text)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.conforms("GEN-22")
def test_a_token_of_another_key_or_algorithm_is_refused() -> None:
    """GEN-22: none, a longer hash, another secret, no signature, another's payload."""
    good = token()
    claims, (head, body, mark) = claims_of(good), good.split(".")
    other = body[:-4] + "AAAA"
    key = POLICY.jwt_secret * 2
    for bad in (
        jwt.encode(claims, None, algorithm="none"),
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        f"{part({'alg': 'HS512', 'typ': 'JWT'})}.{body}.{mark}",
        jwt.encode(claims, key, algorithm="HS512"),
        jwt.encode(claims, key, algorithm="HS256"),
        f"{head}.{body}.",
        f"{head}.{other}.{mark}",
    ):
        with pytest.raises(Unauthorized):
            web_auth.read_token(POLICY, bad)


@pytest.mark.conforms("GEN-22")
@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b.c", "é.é.é", "\ud800", "\x00", "x" * 10_000, "W" * 3000 + ".e30.e30"],
)
def test_what_is_no_token_is_refused_and_never_a_surprise(text: str) -> None:
    """GEN-22."""
    with pytest.raises(Unauthorized):
        web_auth.read_token(POLICY, text)
    with pytest.raises(Unauthorized):
        web_auth.read_link(POLICY, "interactive", text)


@pytest.mark.conforms("GEN-23")
def test_promise_13_a_link_is_no_session_and_opens_one_kind_of_page() -> None:
    """GEN-23."""
    link = web_auth.issue_link(POLICY, "interactive", "some-id")
    assert web_auth.read_link(POLICY, "interactive", link).transaction_id == "some-id"
    with pytest.raises(Unauthorized):
        web_auth.read_token(POLICY, link)
    with pytest.raises(Unauthorized):
        web_auth.read_link(POLICY, "more_info", link)
    with pytest.raises(Unauthorized):
        web_auth.read_link(POLICY, "interactive", token())
    with pytest.raises(Unauthorized):
        web_auth.read_link(POLICY, "interactive", link[:-3] + "AAA")
    late = web_auth.issue_link(replace(POLICY, link_s=-60), "interactive", "some-id")
    with pytest.raises(Unauthorized, match="expired"):
        web_auth.read_link(POLICY, "interactive", late)


@pytest.mark.conforms("GEN-22", "SEP10-73")
def test_a_token_that_was_good_before_expires_and_a_withdrawn_key_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GEN-22: it is kept in mind that it was good, and not for longer than it is."""
    text = token()
    assert web_auth.read_token(POLICY, text) is web_auth.read_token(POLICY, text)
    moved = replace(POLICY, jwt_secret="another secret of more than thirty-two bytes")
    with pytest.raises(Unauthorized, match="not valid"):
        web_auth.read_token(moved, text)
    with pytest.raises(Unauthorized, match="not served"):
        web_auth.read_token(replace(POLICY, home_domains=("second.example",)), text)
    end = utcnow() + timedelta(seconds=POLICY.token_s)
    for late_s, is_good in ((-2, True), (2, True), (7, False)):
        then = end + timedelta(seconds=late_s)
        monkeypatch.setattr(tokens, "utcnow", lambda then=then: then)
        if is_good:
            web_auth.read_token(POLICY, text)
        else:
            with pytest.raises(Unauthorized, match="expired"):
                web_auth.read_token(POLICY, text)


# -- the policy ---------------------------------------------------------------------------


def test_promise_15_secrets_are_not_shown() -> None:
    assert SERVER.secret not in repr(POLICY)
    assert POLICY.jwt_secret not in repr(POLICY)
    broken = SERVER.secret[:-1] + ("A" if SERVER.secret[-1] != "A" else "B")
    bad = replace(POLICY, signing_seed=broken)
    with pytest.raises(Misconfigured) as caught:
        web_auth.build_challenge(bad, read_client(CLIENT.public_key))
    shown = "".join(traceback.format_exception(caught.value))
    assert broken not in shown


@pytest.mark.conforms("SEP10-33", "SEP10-34", "SEP10-73")
@pytest.mark.parametrize(
    "change",
    [
        {"jwt_secret": "x" * 31},
        {"home_domains": ()},
        {"home_domains": ("x" * 60,)},
        {"web_auth_domain": "x" * 65},
    ],
)
def test_a_policy_that_cannot_work_is_refused(change: dict[str, Any]) -> None:
    """SEP10-33, SEP10-34, SEP10-73."""
    with pytest.raises(Misconfigured):
        replace(POLICY, **change)


# -- keys that are exchanged --------------------------------------------------------------

OLD, NEW = "o" * 40, "n" * 40


def token_of(secret: str) -> str:
    policy = replace(POLICY, jwt_secret=secret)
    return web_auth.issue_token(
        policy, web_auth.read_challenge(policy, signed(challenge(), CLIENT))
    )


def test_a_token_names_the_key_that_signed_it() -> None:
    """The first key signs."""
    made = token_of(f"2027:{NEW} 2026:{OLD}")
    assert jwt.get_unverified_header(made)["kid"] == "2027"
    assert "kid" not in jwt.get_unverified_header(token_of(OLD))


@pytest.mark.conforms("GEN-22", "SEP10-73")
def test_a_rotation_logs_nobody_out() -> None:
    """Each step of the how-to: tokens of the step before are good, those of no key are not."""
    steps = [OLD, f"2026:{OLD}", f"2026:{OLD}\n2027:{NEW}", f"2027:{NEW} 2026:{OLD}", f"2027:{NEW}"]
    for before, after in pairwise(steps):
        for signer, reader in ((before, after), (after, before)):  # restarted one by one
            assert web_auth.read_token(replace(POLICY, jwt_secret=reader), token_of(signer))
    for gone in (OLD, f"2026:{OLD}"):
        with pytest.raises(Unauthorized):
            web_auth.read_token(replace(POLICY, jwt_secret=steps[-1]), token_of(gone))


@pytest.mark.conforms("GEN-22")
def test_a_token_that_names_another_key_is_refused() -> None:
    policy = replace(POLICY, jwt_secret=f"2027:{NEW} 2026:{OLD}")
    claims = claims_of(token_of(policy.jwt_secret))
    for kid, secret in (("2026", NEW), ("2027", OLD), ("2025", NEW), ("", NEW)):
        text = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": kid})
        with pytest.raises(Unauthorized):
            web_auth.read_token(policy, text)


@pytest.mark.parametrize(
    "text",
    [f"a:{OLD} b:short", f"a:{OLD} a:{NEW}", "x" * 31, f"a:{'x' * 31}"],
)
def test_keys_that_are_not_safe_are_refused(text: str) -> None:
    """SEP10-73, without showing them."""
    with pytest.raises(Misconfigured, match="ANCHOR_JWT_SECRET") as caught:
        replace(POLICY, jwt_secret=text)
    assert not {"short", OLD, NEW} & set(str(caught.value).split())


def test_a_single_secret_may_have_colons_and_blanks() -> None:
    """As it could before keys had names; its tokens stay good."""
    for secret in ("a secret: of more than thirty-two bytes", "abc:" + OLD):
        policy = replace(POLICY, jwt_secret=secret)
        assert web_auth.read_token(policy, token_of(secret))
        old = jwt.encode(claims_of(token_of(secret)), secret, algorithm="HS256")
        assert web_auth.read_token(policy, old)
