"""Which wallet asks: client domains, the lists of them, and their signing keys."""

from threading import BoundedSemaphore

from anchor import outgoing, web_auth
from anchor.errors import AnchorError, Rejected, Unauthorized, Unavailable
from anchor.extensions import house, settings
from anchor.services import stellar_tomls

CLIENT_TOML_TIMEOUT_S = 4
#: How many strangers' hosts a process waits for at once: slow ones must not take every thread.
CLIENT_TOMLS_AT_ONCE = 4
#: How long a key is taken for good, and how long a domain that has none is not asked again.
KEY_S, FAILURE_S = 300, 10
_HTTPS_PORT = 443
_slots = BoundedSemaphore(CLIENT_TOMLS_AT_ONCE)


def choose(client_domain: str | None, *, is_signed: bool = False) -> tuple[str, str] | None:
    """Return the domain to verify, with its signing key; None where there is none.

    One that is denied or not on the list counts as absent (SEP10-07), unless one is required
    or the request is signed (SEP10-21): then it is `Unauthorized`. Where one is required, a
    missing one is `Rejected` (SEP10-10), and so is one that cannot be verified (SEP10-08).
    """
    rules = settings().client_domains
    if not client_domain:
        if rules["required"]:
            raise Rejected("client_domain is required")
        return None
    domain = _plain(client_domain)
    if not _is_allowed(domain):
        if rules["required"] or is_signed:
            raise Unauthorized("this client_domain is not allowed here")
        return None
    return domain, _signing_key_of(domain)


def _plain(domain: str) -> str:
    """Spell a domain in one way, so that no other spelling gets past a list."""
    host, _, port = domain.lower().partition(":")
    host = host.rstrip(".")
    if not host:
        raise Rejected("client_domain names no host")
    return f"{host}:{int(port)}" if port and int(port) != _HTTPS_PORT else host


def _is_allowed(domain: str) -> bool:
    rules = settings().client_domains
    allow, deny = ({_plain(name) for name in rules[key]} for key in ("allow", "deny"))
    is_denied = domain in deny or domain.partition(":")[0] in deny
    return not is_denied and (not allow or domain in allow)


def _signing_key_of(domain: str) -> str:
    """Return the key of a domain, remembered for minutes, or for seconds that it has none."""
    known, kept = house().client_keys, (domain, settings().development)
    found = known.get(kept)
    if found is None:
        try:
            found = _fetch(domain)
        except Rejected as error:
            found = error
        known.put(kept, found, KEY_S if isinstance(found, str) else FAILURE_S)
    if isinstance(found, AnchorError):
        raise Rejected(found.sentence, **found.values)
    return found


def _fetch(domain: str) -> str:
    development = settings().development
    if not _slots.acquire(blocking=False):
        raise Unavailable("too many client domains are being looked up; try again in a minute")
    try:
        body = outgoing.fetch(
            f"{stellar_tomls.scheme_of(domain)}://{domain}/.well-known/stellar.toml",
            max_bytes=stellar_tomls.MAX_BYTES,
            timeout_s=CLIENT_TOML_TIMEOUT_S,
            allow_private=development,
        )
    except AnchorError as error:
        raise Rejected(
            "the stellar.toml of client_domain cannot be read: {reason}", reason=error
        ) from error
    finally:
        _slots.release()
    return signing_key_in(body)


def signing_key_in(stellar_toml: bytes) -> str:
    """Return the top-level SIGNING_KEY of a stranger's stellar.toml; `Rejected` without one."""
    key = stellar_tomls.read(stellar_toml)[0].get("SIGNING_KEY", "")
    if not key.startswith("G") or not web_auth.is_account(key):
        raise Rejected("the stellar.toml of client_domain has no SIGNING_KEY")
    return key
