"""Development mode: with nothing configured, a folder gets all that an anchor needs.

``.anchor/`` in the current folder (or what ANCHOR_DATA_DIR names) holds a configuration,
generated secrets, chosen ports, the embedded servers and the sandbox network, and keeps
them for the next time. The public network is refused.
"""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import click

from anchor import config, embedded, keeping
from anchor.config import TESTNET_PASSPHRASE, Settings
from anchor.config.environment import DISTRIBUTION_PREFIX
from anchor.config.file import default_seps
from anchor.errors import Misconfigured
from anchor.policies.operators import Role, hash_of, new_token
from anchor.sandbox import CODE
from anchor.sandbox.page.place import Place

WEB_PORT = 8000
#: Who operates an anchor in development mode.
OPERATOR = "developer"

_FILE = """\
# Written by development mode; change what you like. Amounts stand in quotes.

[anchor]
seps = {seps}

[web_auth]
contract_id = "{contract}"

[network]
passphrase = "{passphrase}"

[organization]
ORG_NAME = "Sandbox Anchor"

[assets.{code}]
issuer = "{issuer}"
distribution = "{distribution}"
rails = ["bank"]
currency = "USD"

[assets.{code}.withdrawal]
min_amount = "1"
max_amount = "10000"
fee_fixed = "1"
fee_percent = "0.5"

[assets.{code}.deposit]
min_amount = "1"
max_amount = "10000"
fee_fixed = "0.5"
create_accounts = true
claimable_balances = true

[assets.{code}.send]                       # what other anchors send (SEP-31)
min_amount = "1"
max_amount = "10000"
fee_fixed = "1"

[rails.bank]
url = "{bank}"
webhook_secret = "{webhook}"

[offchain."iso4217:BRL"]                   # what it is exchanged for, on a quote
country_codes = ["BR"]
delivery_methods = {{ bank = "By bank transfer" }}   # the rails that pay it

[[pairs]]
asset = "{code}"
offchain = "iso4217:BRL"
spread_percent = "0.5"
deposit = {{ fee_fixed = "2.50" }}           # in BRL
withdrawal = {{ fee_fixed = "0.50" }}        # in {code}

[rates.fixed]
"{code}/BRL" = "5.42"                      # one {code} is so many BRL
"""


def read_settings(*, signs: bool = True) -> Settings:
    """Read the settings, or prepare development mode; raise `Misconfigured`.

    A process that does not sign gets none of the secrets that move money.
    """
    environ = config.environment()
    if config.is_development(environ):
        return settings(environ, signs=signs)
    return config.load(environ, signs=signs)


def folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of development mode."""
    return Path(environ.get("ANCHOR_DATA_DIR") or ".anchor").resolve()


def settings(environ: Mapping[str, str], *, signs: bool = True) -> Settings:
    """Prepare the folder, start or find its servers, migrate, and return the settings.

    Safe to call from several processes at once; everything lives as long as one of them.
    A process of `flask anchor up`, which prepared it all, only joins in.
    """
    root = folder(environ)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    root.chmod(0o700)
    lock = os.open(root / "prepare.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _prepare(root, environ, signs)
    finally:
        os.close(lock)


def web_socket(environ: Mapping[str, str]) -> socket.socket:
    """Return a socket that listens where the web is to answer: the kept port, or a new one.

    Whoever holds it owns the port: two folders that start at once never share one. Where
    somebody else uses the kept port, another is taken and kept.
    """
    root = folder(environ)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = root / "web.port"
    wanted = int(file.read_text(encoding="utf-8")) if file.exists() else WEB_PORT
    for port in (wanted, 0):
        listening = listen(port)
        if listening is not None:
            keeping.write_private(file, str(listening.getsockname()[1]))
            return listening
    raise Misconfigured("No port is free on this machine.")


def listen(port: int) -> socket.socket | None:
    """Listen on a port of this machine; None where somebody else does."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError:
        listening.close()
        return None
    return listening


def leave(environ: Mapping[str, str], timeout_s: int) -> None:
    """Stop using the servers and the sandbox, and wait for their end unless others use them."""
    kept = [folder(environ) / name for name in ("servers", "sandbox")]
    for place in kept:
        keeping.let_go(place)
    for place in kept:
        keeping.wait_for_end(place, timeout_s)


def wallet_url(environ: Mapping[str, str]) -> str:
    """Return where the sandbox of a prepared folder shows a wallet to a person."""
    place = Place.of(folder(environ) / "sandbox")
    port = urlsplit(place.network_url).port if place else ""
    return f"http://localhost:{port}/wallet"


def console_entry(environ: Mapping[str, str], settings: Settings) -> str:
    """Say where the console of a prepared folder is, and how to get in."""
    token = _secrets(folder(environ))["operator"]
    return f"{settings.public_url}/console is the operators' console; sign in with {token}"


def issuer_secret(environ: Mapping[str, str]) -> str:
    """Return the secret key of the sandbox's issuer, which a demo wallet is given money with."""
    return _secrets(folder(environ))["issuer"]


def _prepare(root: Path, environ: Mapping[str, str], signs: bool) -> Settings:
    servers = embedded.use(root / "servers")
    ready = keeping.use(root / "sandbox", "anchor.sandbox.keeper", TESTNET_PASSPHRASE)
    url = str(ready["url"])
    is_prepared = config.PREPARED in environ
    if not is_prepared:
        _lay_ground(root, url)
    known = _secrets(root)
    made = {
        "ANCHOR_CONFIG": str(root / "anchor.toml"),
        "ANCHOR_PUBLIC_URL": f"http://localhost:{_port(root, environ)}",
        "ANCHOR_DATABASE_URL": servers.database_url,
        "ANCHOR_BROKER_URL": servers.broker_url,
        "ANCHOR_HORIZON_URL": url,
        "ANCHOR_RPC_URL": f"{url}/rpc",
        "ANCHOR_SIGNING_SECRET": known["signing"],
        "ANCHOR_JWT_SECRET": known["jwt"],
        "ANCHOR_CHANNEL_SECRET": known["channel"],
        "ANCHOR_CUSTOMER_KEYS": known["customers"],
        "ANCHOR_OPERATORS": f"{OPERATOR} {Role.ACT} {hash_of(known['operator'])}",
        f"{DISTRIBUTION_PREFIX}{CODE}": known["distribution"],
    }
    named = {
        name: value
        for name, value in environ.items()
        if name.startswith("ANCHOR_") and name != config.PREPARED
    }
    found = config.load(made | named, development=True, signs=signs)
    if not is_prepared:
        from anchor import schema

        schema.upgrade(found.database_url)
        webhook = str(found.rails.get("bank", {}).get("webhook_secret") or "")
        if not (root / "sandbox").is_symlink():  # who borrows another's leaves it its wallets
            Place(found.public_url, url, known["issuer"], webhook).keep(root / "sandbox")
    return found


def _lay_ground(root: Path, url: str) -> None:
    """Make the keys, their accounts and the configuration, where they are missing."""
    from anchor.sandbox import ground  # it brings stellar_sdk, a third of a process' memory

    file = root / "secrets.json"
    known = _secrets(root) if file.exists() else asdict(ground.new_keys())
    missing = {"jwt", "channel", "customers", "operator"} - known.keys()
    if missing:
        known |= {name: secrets.token_urlsafe(32) for name in missing}
        if "customers" in missing:
            known["customers"] = f"first:{known['customers']}"
        if "operator" in missing:
            known["operator"] = new_token()
        keeping.write_private(file, json.dumps(known))
    keys = ground.Keys(known["signing"], known["issuer"], known["distribution"])
    ground.establish(url, TESTNET_PASSPHRASE, keys, signs=True)
    if not (root / "anchor.toml").exists():
        text = _FILE.format(
            seps=sorted({*default_seps(), 6, 12, 31, 38, 45}),
            contract=ground.web_auth_contract(url),
            passphrase=TESTNET_PASSPHRASE,
            code=CODE,
            issuer=keys.issuer_id,
            distribution=keys.distribution_id,
            bank=f"{url}/bank",
            webhook=secrets.token_urlsafe(32),
        )
        keeping.write_private(root / "anchor.toml", text)


def _secrets(root: Path) -> dict[str, str]:
    known: dict[str, str] = json.loads((root / "secrets.json").read_text(encoding="utf-8"))
    return known


def _port(root: Path, environ: Mapping[str, str]) -> int:
    """Return the port of the web: that of `flask run` where this is one, else the kept one."""
    file = root / "web.port"
    context = click.get_current_context(silent=True)
    if context is not None and context.info_name == "run" and "port" in context.params:
        port = int(context.params["port"])
    elif file.exists():
        return int(file.read_text(encoding="utf-8"))
    else:
        with web_socket(environ) as chosen:
            return int(chosen.getsockname()[1])
    keeping.write_private(file, str(port))
    return port
