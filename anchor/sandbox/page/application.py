"""The wallet in the browser as a WSGI application: a page, and what its buttons ask for.

Only for development. The keys of its wallets are in this process' memory, for a browser that
has the cookie; a person clicks, and no other page can.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import requests
from stellar_sdk.exceptions import SdkError
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from anchor.sandbox.page.place import Place
from anchor.sandbox.page.purse import Purse
from anchor.sandbox.wallet import WalletError

_COOKIE = "sandbox_wallet"
_MAX_PURSES = 100
_HOSTS = frozenset({"localhost", "127.0.0.1"})
_FILES = {
    "wallet.css": ("sandbox/page/wallet.css", "text/css"),
    "wallet.js": ("sandbox/page/wallet.js", "text/javascript"),
    "pages.css": ("static/pages.css", "text/css"),
    "icon.svg": ("static/icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Application:
    """The wallets of a sandbox whose `folder` says which anchor they are for."""

    _routes = Map(
        [
            Rule("/", endpoint="page", methods=["GET"]),
            Rule("/<name>", endpoint="file", methods=["GET"]),
            Rule("/state", endpoint="state", methods=["GET"]),
            Rule("/begin", endpoint="begin", methods=["POST"]),
            Rule("/open", endpoint="open", methods=["POST"]),
            Rule("/pay", endpoint="pay", methods=["POST"]),
        ],
        strict_slashes=False,
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._purses: OrderedDict[str, Purse] = OrderedDict()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer one request."""
        request = Request(environ)
        try:
            _check(request)
            endpoint, values = self._routes.bind_to_environ(environ).match()
            response = getattr(self, f"_on_{endpoint}")(request, **values)
        except HTTPException as error:
            response = error.get_response(environ)
        except requests.ConnectionError:
            response = _answer({"error": "The anchor, or its network, does not answer."}, 502)
        except (WalletError, SdkError, requests.RequestException) as error:
            response = _answer({"error": str(error)[:300]}, 502)
        response.headers.extend(_HEADERS)
        return response(environ, start_response)

    def _on_page(self, _request: Request) -> Response:
        return _file("sandbox/page/wallet.html", "text/html")

    def _on_file(self, _request: Request, name: str) -> Response:
        if name not in _FILES:
            raise NotFound
        return _file(*_FILES[name])

    def _on_state(self, request: Request) -> Response:
        purse = self._purses.get(request.cookies.get(_COOKIE, ""))
        return _answer({"wallet": None if purse is None else purse.state()})

    def _on_begin(self, _request: Request) -> Response:
        place = Place.of(self._folder)
        if place is None:
            return _answer({"error": "No anchor has used this sandbox yet: start one."}, 409)
        purse = Purse(place)
        purse.begin()
        mark = token_urlsafe(32)
        self._purses[mark] = purse
        while len(self._purses) > _MAX_PURSES:
            self._purses.popitem(last=False)
        response = _answer({"wallet": purse.state()})
        response.set_cookie(_COOKIE, mark, path="/wallet", httponly=True, samesite="Strict")
        return response

    def _on_open(self, request: Request) -> Response:
        way = _given(request, "way")
        if way not in {"deposit", "withdraw"}:
            raise BadRequest
        return _answer(self._purse(request).open(way))

    def _on_pay(self, request: Request) -> Response:
        purse = self._purse(request)
        purse.pay(_given(request, "id"))
        return _answer({"wallet": purse.state()})

    def _purse(self, request: Request) -> Purse:
        purse = self._purses.get(request.cookies.get(_COOKIE, ""))
        if purse is None:
            raise Forbidden
        return purse


def application(folder: Path) -> Callable[..., Any]:
    """Return the wallets of a sandbox's folder as a WSGI application."""
    return Application(folder)


def _check(request: Request) -> None:
    """Let nobody in who came by another name, or whose page is another's."""
    if request.host.partition(":")[0] not in _HOSTS:
        raise Forbidden
    if request.method == "POST" and request.mimetype != "application/json":
        raise Forbidden  # a form of another page has another type


def _given(request: Request, name: str) -> str:
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get(name), str):
        raise BadRequest
    return str(body[name])


def _file(path: str, type_: str) -> Response:
    found = resources.files("anchor").joinpath(path).read_text(encoding="utf-8")
    return Response(found, content_type=f"{type_}; charset=utf-8")


def _answer(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")
