"""Rate limits: how much one address, account or client domain may ask for in a minute.

They are counted in Redis for all processes together. Where it is away each process counts by
itself: no request fails for that, and none but the first waits.
"""

import logging
import threading
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import sleep, time
from typing import Any, TypeVar

import redis
from flask import Flask, current_app, request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter
from werkzeug.exceptions import TooManyRequests
from werkzeug.middleware.proxy_fix import ProxyFix

from anchor import brokers
from anchor.addresses import broker_kind
from anchor.config import Settings
from anchor.policies import LimitPolicy
from anchor.web_auth import Principal

log = logging.getLogger(__name__)

#: Redis stands beside us: one that takes longer is as good as away.
ANSWER_S = 0.25
_LOOK_AGAIN_S = 1.0
#: Banks and probes of our own are not turned away.
_FREE = frozenset({"static", "health.live", "health.ready", "rails.webhook"})
_COSTLY = "anchor_costly"
View = TypeVar("View", bound=Callable[..., Any])


def costly(view: View) -> View:
    """Mark a view that signs, asks others or writes: it has limits of its own besides."""
    setattr(view, _COSTLY, True)
    return view


def is_costly(view: Callable[..., Any] | None) -> bool:
    """Tell whether a view is marked so."""
    return bool(getattr(view, _COSTLY, False))


def register(app: Flask, settings: Settings) -> None:
    """Count each request by its address before it is looked at, behind our own proxies only."""
    policy = settings.limits
    if policy.proxies:
        fixed = ProxyFix(app.wsgi_app, policy.proxies, x_proto=0, x_host=0)
        app.wsgi_app = fixed  # type: ignore[method-assign]
    app.extensions["anchor.limits"] = Limits(policy, settings.counting_url)
    app.before_request(_count_address)


def count_principal(principal: Principal) -> None:
    """Count a request by who logged in; raise 429 where it is one too many."""
    account = f"{principal.account_id}:{principal.subaccount_id}"
    _limits().count("account", account, is_costly=_is_costly())
    if principal.client_domain is not None:
        _limits().count("client_domain", principal.client_domain, is_costly=_is_costly())


class Limits:
    """Counts requests in windows of a minute that slide, in Redis or else in this process."""

    def __init__(self, policy: LimitPolicy, redis_url: str | None) -> None:
        self._items = {
            (scope, is_costly): RateLimitItemPerMinute(amount)
            for scope in ("address", "account", "client_domain")
            for is_costly in (False, True)
            if (amount := getattr(policy, f"{'costly_' * is_costly}{scope}_per_minute"))
        }
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = _shared(redis_url) if redis_url else None
        self._is_away = False
        self._lock = threading.Lock()

    def count(self, scope: str, name: str, *, is_costly: bool) -> None:
        """Count one request of `name`; `TooManyRequests` where it is one too many."""
        for kind in (True, False) if is_costly else (False,):
            item = self._items.get((scope, kind))
            if item is None:
                continue
            key = f"{'costly' if kind else 'any'}:{scope}:{name}"
            limiter, is_allowed = self._hit(item, key)
            if not is_allowed:
                raise TooManyRequests(retry_after=self._wait_s(limiter, item, key))

    def _hit(self, item: RateLimitItem, key: str) -> tuple[RateLimiter, bool]:
        if self._shared is not None and not self._is_away:
            try:
                return self._shared, self._shared.hit(item, key)
            except redis.RedisError as error:
                self._note_absence(error)
        return self._own, self._own.hit(item, key)

    @staticmethod
    def _wait_s(limiter: RateLimiter, item: RateLimitItem, key: str) -> int:
        try:
            reset_at = limiter.get_window_stats(item, key).reset_time
        except redis.RedisError:
            return item.get_expiry()
        return min(max(1, round(reset_at - time())), item.get_expiry())

    def _note_absence(self, error: redis.RedisError) -> None:
        with self._lock:
            if self._is_away:
                return
            self._is_away = True
        log.warning(
            "Redis does not answer (%s): each process counts by itself", type(error).__name__
        )
        threading.Thread(target=self._wait_for_it, name="limits", daemon=True).start()

    def _wait_for_it(self) -> None:
        assert self._shared is not None
        while not self._shared.storage.check():
            sleep(_LOOK_AGAIN_S)
        self._is_away = False
        log.info("Redis answers again: requests are counted together")


def _shared(url: str) -> RateLimiter:
    pool = brokers.pool(
        broker_kind(url), lambda: url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
    )
    storage = RedisStorage("redis://", connection_pool=pool, key_prefix="anchor:limits")
    return SlidingWindowCounterRateLimiter(storage)


def _limits() -> Limits:
    found: Limits = current_app.extensions["anchor.limits"]
    return found


def _count_address() -> None:
    if request.endpoint not in _FREE:
        _limits().count("address", address_of(request.remote_addr), is_costly=_is_costly())


def _is_costly() -> bool:
    return is_costly(current_app.view_functions.get(request.endpoint or ""))


def address_of(told: str | None) -> str:
    """Return what counts as one address: of IPv6 the network of 64 bits that one host may fill."""
    try:
        found = ip_address(told or "")
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(IPv6Address(int(found) >> 64 << 64))
    return str(found)
