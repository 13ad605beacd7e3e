"""Requests for a challenge that the asker signed: SEP-10's optional header (SEP10-15 to 23)."""

import json
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.algorithms import Algorithm
from stellar_sdk import Keypair
from stellar_sdk.exceptions import BadSignatureError

from anchor.clock import utcnow
from anchor.errors import Rejected
from anchor.web_auth.policy import WebAuthPolicy

MAX_TOKEN_CHARS = 4_000
PARAMETERS = ("account", "memo", "home_domain", "client_domain")
_ALGORITHM = "EdDSA"
#: Wallets' clocks are off by more than servers' are.
_LEEWAY_S = 60


class _Ed25519(Algorithm):
    """EdDSA by the keys of Stellar accounts; PyJWT's own would bring another library."""

    def prepare_key(self, key: Keypair) -> Keypair:
        return key

    def sign(self, msg: bytes, key: Keypair) -> bytes:
        return key.sign(msg)

    def verify(self, msg: bytes, key: Keypair, sig: bytes) -> bool:
        try:
            key.verify(msg, sig)
        except (BadSignatureError, ValueError):
            return False
        return True

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: Any = False) -> Any:
        raise NotImplementedError

    @staticmethod
    def from_jwk(jwk: Any) -> Any:
        raise NotImplementedError


_jws = jwt.PyJWS(algorithms=[])
_jws.register_algorithm(_ALGORITHM, _Ed25519())


def check_request(policy: WebAuthPolicy, token: str, query: Mapping[str, str], key: str) -> None:
    """Raise `Rejected` with the reason unless `key` (``G…``) signed exactly this query.

    The token's claims are its time, the endpoint that it is for, and each parameter of the
    query and no other (SEP10-17, SEP10-19, SEP10-22). It may be used again while it lasts:
    what it earns is a challenge.
    """
    claims = _claims(token, key)
    now = utcnow().timestamp()
    if _time(claims, "iat") > now + _LEEWAY_S:
        raise Rejected("the token of the request is of the future")
    if _time(claims, "exp") < now - _LEEWAY_S:
        raise Rejected("the token of the request has expired")
    if claims.get("web_auth_endpoint") != policy.issuer:
        raise Rejected("the token of the request is for another web_auth_endpoint")
    for name in PARAMETERS:
        if _said(claims.get(name)) != query.get(name):
            raise Rejected("the token of the request has another {name} than it", name=name)


def _claims(token: str, key: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARS:
        raise Rejected("the token of the request is not valid")
    try:
        pair: Any = Keypair.from_public_key(key)
        payload = _jws.decode(token, key=pair, algorithms=[_ALGORITHM])
        claims = json.loads(payload)
    except jwt.InvalidSignatureError as error:
        raise Rejected("the token of the request is not signed by its key") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Rejected("the token of the request is not valid") from error
    if not isinstance(claims, dict):
        raise Rejected("the token of the request is not valid")
    return claims


def _time(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Rejected("the token of the request has no {name}", name=name)
    return value


def _said(value: object) -> str | None:
    """Return a claim as a query says it: a memo may be a number in JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) or value is None else json.dumps(value)
