"""Addresses of servers as settings write them: web addresses, and brokers of each kind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

#: The schemes of ANCHOR_BROKER_URL.
BROKERS = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "amqp", "amqps")
_SENTINEL_PORT = 26379
_SENTINEL_OPTIONS = frozenset({"master", "sentinel_username", "sentinel_password"})


@dataclass(frozen=True)
class Sentinels:
    """Where sentinels answer, and what they are asked for; passwords show themselves nowhere."""

    hosts: tuple[tuple[str, int], ...]
    master: str
    db: int
    is_tls: bool
    username: str | None
    password: str | None = field(repr=False)
    sentinel_username: str | None
    sentinel_password: str | None = field(repr=False)


def sentinels(url: str) -> Sentinels:
    """Read ``redis+sentinel://[user:password@]host:port,host:port/db?master=name``.

    Raises `ValueError` with the reason in words, which never repeats a password.
    """
    scheme, _, rest = url.partition("://")  # several hosts, with brackets, are no URL to urllib
    address, _, options = rest.partition("?")
    netloc, _, path = address.partition("/")
    logged_in, _, places = netloc.rpartition("@")
    username, _, password = logged_in.partition(":")
    query = parse_qs(options)
    if unknown := sorted(set(query) - _SENTINEL_OPTIONS):
        raise ValueError(f"has an option {unknown[0]}, which is not known")
    if not query.get("master"):
        raise ValueError("must name the master: ?master=name")
    db = path.strip("/") or "0"
    if not db.isdecimal():
        raise ValueError("must end in the number of a database: /0")
    return Sentinels(
        hosts=tuple(_host(place) for place in places.split(",")),
        master=query["master"][0],
        db=int(db),
        is_tls=scheme == "rediss+sentinel",
        username=unquote(username) or None,
        password=unquote(password) or None,
        sentinel_username=query.get("sentinel_username", [None])[0],
        sentinel_password=query.get("sentinel_password", [None])[0],
    )


def _host(place: str) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    try:
        port = parts.port or _SENTINEL_PORT
    except ValueError:
        port = 0
    if not parts.hostname or not port:
        raise ValueError("must name sentinels as host:port, with commas between them")
    return parts.hostname, port


def broker_kind(url: str) -> str:
    """Tell ``redis``, ``sentinel`` or ``amqp`` from a broker's address."""
    scheme = url.partition("://")[0]
    if scheme.startswith("amqp"):
        return "amqp"
    return "sentinel" if scheme.endswith("+sentinel") else "redis"


def broker_problem(url: str) -> str | None:
    """Say why a broker's address cannot be used, without repeating it; None where it can."""
    if url.partition("://")[0] not in BROKERS:
        return "must begin with redis://, redis+sentinel:// or amqp://"
    if broker_kind(url) == "sentinel":
        try:
            sentinels(url)
        except ValueError as error:
            return str(error)
    return None


def names(urls: Sequence[str]) -> list[str]:
    """Return a name for each web address that is fit for a log: no path, no password."""
    hosts = [urlsplit(url).netloc.rpartition("@")[2] for url in urls]
    return [
        host if hosts.count(host) == 1 else f"{host} ({place})"
        for place, host in enumerate(hosts, 1)
    ]
