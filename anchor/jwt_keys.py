"""The keys of session tokens: one secret, or several with names while they are exchanged."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

SECRET_MIN_BYTES = 32
_NAMED = re.compile(r"([A-Za-z0-9_.-]{1,32}):(\S+)")


@dataclass(frozen=True)
class JwtKey:
    """A secret, and the name (``kid``) that tokens give it; a secret alone has none."""

    kid: str | None
    secret: str = field(repr=False)


@lru_cache(maxsize=8)
def read(text: str) -> tuple[JwtKey, ...]:
    """Read ``ANCHOR_JWT_SECRET``: a secret, or several ``kid:secret`` with white space between.

    The first one signs, all of them verify. Text that is not all of that form is one secret
    without a name. Raises `ValueError` with the reason in words, which repeats no secret.
    """
    items = [_NAMED.fullmatch(item) for item in text.split()]
    named = [JwtKey(match[1], match[2]) for match in items if match is not None]
    keys = named if items and len(named) == len(items) else [JwtKey(None, text)]
    if any(len(key.secret.encode()) < SECRET_MIN_BYTES for key in keys):
        raise ValueError(f"needs {SECRET_MIN_BYTES} bytes or more in each secret")
    kids = [key.kid for key in keys]
    if len(set(kids)) != len(kids):
        raise ValueError("gives two secrets one name")
    return tuple(keys)


def candidates(text: str, kid: str | None) -> tuple[str, ...]:
    """Return the secrets that may have signed a token with this ``kid``.

    A token without one is older than the names: any secret may have signed it, and so may
    the whole text, where it was a single secret with a colon in it. A secret without a name
    may have one elsewhere already, while processes are restarted one by one.
    """
    keys = read(text)
    if kid is not None:
        return tuple(key.secret for key in keys if key.kid in {kid, None})
    whole = (text,) if len(keys) == 1 and keys[0].kid is not None else ()
    return (*(key.secret for key in keys), *whole)
