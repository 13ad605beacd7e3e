"""Settings: read once from the environment and ``anchor.toml``, refused with every reason.

Secrets come from the environment only (each also as ``NAME_FILE``, a path to read),
everything else from the file. Nothing else in the house reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anchor import addresses, jwt_keys
from anchor.assets import is_secret_key
from anchor.config.assets import asset_policy
from anchor.config.brokers import broker_url, redis_url
from anchor.config.customers import customer_keys, customer_policy
from anchor.config.doors import check_doors
from anchor.config.environment import DISTRIBUTION_PREFIX, ISSUER_PREFIX, variables
from anchor.config.file import NUMBERS, FileSchema, sentences
from anchor.config.operators import operators
from anchor.config.pages import pages_policy
from anchor.config.published import published
from anchor.config.quotes import quote_policy
from anchor.config.remittances import receiving_anchors
from anchor.config.sends import sending_anchors, with_sends
from anchor.config.watching import watching
from anchor.config.web_auth import web_auth_options
from anchor.customers.rules import CustomerPolicy
from anchor.errors import Misconfigured
from anchor.policies import AssetPolicy, LimitPolicy, ReceivingAnchor, SendingAnchor
from anchor.policies.operators import Operator
from anchor.policies.pages import HASH, PagesPolicy
from anchor.policies.published import Published
from anchor.policies.quotes import QuotePolicy
from anchor.policies.watching import Watching
from anchor.policies.web_auth import WebAuthOptions
from anchor.sealed_keys import KeyRing, opened
from anchor.sealed_keys import Secret as Secret

PUBLIC_PASSPHRASE = "Public Global Stellar Network ; September 2015"
TESTNET_PASSPHRASE = "Test SDF Network ; September 2015"

#: What `flask anchor up` tells its own processes in development mode, and no setting.
PREPARED = "ANCHOR_PREPARED"
#: The SEP that has customers.
CUSTOMERS = 12
#: The SEP that has pages.
INTERACTIVE = 24


@dataclass(frozen=True)
class Settings:
    """Everything a process was told, checked. Built by `load`.

    Addresses and the options of plug-ins may hold keys, so they do not show themselves. A
    process that does not sign (`signs`) has none of the secrets that move money.
    """

    public_url: str
    home_domains: tuple[str, ...]
    web_auth_domain: str
    seps: frozenset[int]
    network_passphrase: str
    horizon_urls: tuple[str, ...] = field(repr=False)
    database_url: str = field(repr=False)
    broker_url: str | None = field(repr=False)
    signing_secret: Secret
    jwt_secret: Secret
    distribution_secrets: Mapping[str, Secret] = field(repr=False)
    assets: Mapping[str, AssetPolicy]
    organization: Mapping[str, Any]
    rails: Mapping[str, Mapping[str, Any]] = field(repr=False)
    schedule: Mapping[str, str]
    client_domains: Mapping[str, Any]
    custody: str = "local"
    custody_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    issuer_secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    channel_secret: Secret = field(default_factory=lambda: Secret(""))
    keys_passphrase: Secret = field(default_factory=lambda: Secret(""))
    signs: bool = True
    transfer_days: int = 7
    deadline_grace_hours: int = 1
    incomplete_hours: int = 24
    grace_days: int = 14
    base_fee_max: int = 10_000
    resource_fee_max: int = 5_000_000
    time_bound_s: int = 60
    batch_max: int = 100
    trust_requests_per_minute: int = 30
    rpc_url: str | None = field(default=None, repr=False)
    web_auth: WebAuthOptions = field(default_factory=WebAuthOptions)
    published: Published = field(default_factory=Published)
    quotes: QuotePolicy = field(default_factory=QuotePolicy)
    rates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    customers: CustomerPolicy = field(default_factory=CustomerPolicy)
    customer_keys: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    sending_anchors: Mapping[str, SendingAnchor] = field(default_factory=dict)
    receiving_anchors: Mapping[str, ReceivingAnchor] = field(default_factory=dict)
    limits: LimitPolicy = field(default_factory=LimitPolicy)
    pages: PagesPolicy = field(default_factory=PagesPolicy)
    redis_url: str | None = field(default=None, repr=False)
    operators: Mapping[str, Operator] = field(default_factory=dict)
    watching: Watching = field(default_factory=Watching)
    development: bool = False
    testing: bool = False

    @property
    def horizon_url(self) -> str:
        """The source of ledger facts that is preferred."""
        return self.horizon_urls[0]

    @property
    def serves_contracts(self) -> bool:
        """Whether contract accounts (C…) pay and are paid here: that needs an RPC.

        A custodian who pays by itself pays no contract; the house knows it, the file does not.
        """
        return self.rpc_url is not None

    @property
    def counting_url(self) -> str | None:
        """Where requests are counted: a Redis of its own, or the broker where that is one."""
        if self.redis_url or not self.broker_url:
            return self.redis_url
        return None if addresses.broker_kind(self.broker_url) == "amqp" else self.broker_url

    @property
    def distribution_accounts(self) -> list[str]:
        """The accounts that customers pay to, each once."""
        return sorted({policy.distribution for policy in self.assets.values()})

    @property
    def keys(self) -> Mapping[str, str]:
        """The secret keys of distribution accounts and of issuers, by account.

        Each look-up opens a sealed one.
        """
        held = {
            self.assets[code].issuer or "": secret for code, secret in self.issuer_secrets.items()
        } | {
            policy.distribution: self.distribution_secrets[code]
            for code, policy in self.assets.items()
            if code in self.distribution_secrets
        }
        return KeyRing(held, self.keys_passphrase)

    def opened(self, secret: str) -> Secret:
        """Return a secret, which is opened now where it is sealed; not to be kept."""
        return opened(secret, self.keys_passphrase)

    def asset(self, code: str, issuer: str | None = None) -> AssetPolicy | None:
        """Return the policy of an asset that is served, or None."""
        policy = self.assets.get(code)
        if policy is None or (issuer is not None and issuer != policy.issuer):
            return None
        return policy

    def asset_by_id(self, asset_id: str) -> AssetPolicy | None:
        """Return the policy of the asset that the ledger calls `asset_id`, or None."""
        return next((policy for policy in self.assets.values() if policy.id == asset_id), None)


def environment() -> dict[str, str]:
    """Return a copy of the process' environment: the only place it is read."""
    return dict(os.environ)


def broker_kind() -> str:
    """Tell ``redis``, ``sentinel`` or ``amqp`` from ANCHOR_BROKER_URL, with nothing checked."""
    value = os.environ.get("ANCHOR_BROKER_URL", "")
    file = os.environ.get("ANCHOR_BROKER_URL_FILE")
    if file:
        with suppress(OSError, ValueError):
            value = Path(file).read_text(encoding="utf-8").strip()
    return addresses.broker_kind(value)


def config_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the configuration file, whether or not it is there."""
    return Path(environ.get("ANCHOR_CONFIG") or "anchor.toml")


def is_development(environ: Mapping[str, str]) -> bool:
    """Tell development mode: no configuration file, and no database named."""
    named = any(environ.get(f"ANCHOR_DATABASE_URL{suffix}") for suffix in ("", "_FILE"))
    return not (environ.get("ANCHOR_CONFIG") or config_file(environ).exists() or named)


def load(environ: Mapping[str, str], *, development: bool = False, signs: bool = True) -> Settings:
    """Read and check everything; raise `Misconfigured` with all problems at once.

    A process that does not sign gets none of the secrets that move money.
    """
    problems: list[str] = []
    values = variables(environ, problems, signs=signs)
    data = _file(config_file(environ), problems)
    settings = None
    if data is not None:
        folder = config_file(environ).parent
        builder = _Builder(values, data, problems, folder, development=development, signs=signs)
        settings = builder.build()
    if problems or settings is None:
        raise Misconfigured(*problems)
    return settings


def _file(path: Path, problems: list[str]) -> dict[str, Any] | None:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path} is not there; `flask anchor init` writes a starter file.")
        return None
    except (OSError, ValueError) as error:
        problems.append(f"{path} cannot be read: {error}.")
        return None
    errors = FileSchema().validate(raw)
    problems.extend(f"{path}: {sentence}" for sentence in sentences(errors))
    if errors:
        return None
    loaded: dict[str, Any] = FileSchema().load(raw)
    return loaded


class _Builder:
    """Puts checked values together, and notes every contradiction on the way."""

    def __init__(
        self,
        values: Mapping[str, str],
        data: dict[str, Any],
        problems: list[str],
        folder: Path,
        *,
        development: bool,
        signs: bool,
    ) -> None:
        self.values = values
        self.data = data
        self.problems = problems
        self.development = development
        self.folder = folder
        self.signs = signs

    def build(self) -> Settings:
        data = self.data
        public_url = self._url("ANCHOR_PUBLIC_URL", data["anchor"].get("public_url"))
        host, passphrase = urlsplit(public_url).netloc, data["network"]["passphrase"]
        seps, rpc_url = frozenset(data["anchor"]["seps"]), self._rpc_url()
        if self.development and passphrase == PUBLIC_PASSPHRASE:
            self.problems.append("Development mode refuses the public network.")
        customers, horizon_urls = self._customers(), self._horizon_urls()
        assets, keys = self._assets(customers), self._customer_keys()
        check_doors(data, self.problems)
        return Settings(
            public_url=public_url,
            home_domains=self._home_domains(host),
            web_auth_domain=data["anchor"].get("web_auth_domain") or host,
            seps=seps,
            network_passphrase=passphrase,
            horizon_urls=horizon_urls,
            database_url=self._database_url(),
            broker_url=broker_url(self.values, self.problems),
            signing_secret=self._seed("ANCHOR_SIGNING_SECRET"),
            jwt_secret=self._jwt_secret(),
            distribution_secrets=self._secrets(DISTRIBUTION_PREFIX),
            issuer_secrets=self._secrets(ISSUER_PREFIX),
            assets=assets,
            organization=data["organization"],
            rails=data["rails"],
            schedule=data["schedule"],
            client_domains=data["client_domains"],
            custody=self._custody(),
            custody_options=data["custody"],
            channel_secret=self._channel_secret(),
            keys_passphrase=Secret(self.values.get("ANCHOR_KEYS_PASSPHRASE", "")),
            signs=self.signs,
            rpc_url=rpc_url,
            web_auth=web_auth_options(data["web_auth"], seps, rpc_url, self.problems),
            published=published(data, self.problems),
            quotes=quote_policy(data, assets, self.problems),
            rates=data["rates"],
            customers=customers,
            sending_anchors=sending_anchors(data, self.problems, development=self.development),
            receiving_anchors=receiving_anchors(data, self.problems, has_keys=bool(keys)),
            customer_keys=keys,
            limits=data["limits"],
            pages=self._pages(horizon_urls[0]),
            redis_url=redis_url(self.values, self.problems),
            operators=operators(self.values.get("ANCHOR_OPERATORS", ""), self.problems),
            watching=watching(self.values, self.problems),
            development=self.development,
            **{name: data[table][name] for table, names in NUMBERS.items() for name in names},
        )

    def _pages(self, horizon_url: str) -> PagesPolicy:
        table = self.data["pages"]
        if self.development:  # its network is in no explorer
            table = {"explorer_url": f"{horizon_url}/transactions/{HASH}"} | table
        return pages_policy(table, self.folder, self.problems, development=self.development)

    def _horizon_urls(self) -> tuple[str, ...]:
        name, network = "ANCHOR_HORIZON_URL", self.data["network"]
        if "horizon_url" in network and "horizon_urls" in network:
            self.problems.append("network: horizon_url and horizon_urls are both set; keep one.")
        listed = network.get("horizon_urls") or [network.get("horizon_url")]
        if name in self.values:
            listed = [each.strip() for each in self.values[name].split(",")]
        if len(listed) > 1 and not all(listed):
            self.problems.append(f"{name} has nothing between two commas, or behind the last.")
        found = tuple(self._checked(name, each or "") for each in listed)
        if len(set(found)) != len(found):
            self.problems.append(f"{name} or horizon_urls names one source twice.")
        return found

    def _home_domains(self, host: str) -> tuple[str, ...]:
        """The domains of this business; the first one is the default, and so no pattern."""
        found = tuple(self.data["anchor"]["home_domains"] or [host])
        if found[0].startswith("*"):
            self.problems.append("The first of home_domains is the default: no *. pattern.")
        return found

    def _rpc_url(self) -> str | None:
        given = self.values.get("ANCHOR_RPC_URL") or self.data["network"].get("rpc_url")
        return self._checked("ANCHOR_RPC_URL", given) if given else None

    def _url(self, name: str, from_file: str | None) -> str:
        return self._checked(name, self.values.get(name) or from_file or "")

    def _checked(self, name: str, address: str) -> str:
        value = address.rstrip("/")
        parts = urlsplit(value)
        if not value:
            self.problems.append(f"{name} is not set, and the file does not say it either.")
        elif parts.scheme not in {"http", "https"} or not parts.netloc:
            self.problems.append(f"{name} must be an address such as https://anchor.example.")
        elif parts.scheme == "http" and name == "ANCHOR_PUBLIC_URL" and not self.development:
            self.problems.append(f"{name} must begin with https:// outside development mode.")
        return value

    def _database_url(self) -> str:
        value = self.values.get("ANCHOR_DATABASE_URL", "")
        for prefix in ("postgres://", "postgresql://"):
            if value.startswith(prefix):
                value = "postgresql+psycopg://" + value.removeprefix(prefix)
        if not value:
            self.problems.append("ANCHOR_DATABASE_URL is not set.")
        elif not value.startswith("postgresql+psycopg://"):
            self.problems.append("ANCHOR_DATABASE_URL must begin with postgresql://.")
        return value

    def _seed(self, name: str) -> Secret:
        value = self.values.get(name, "")
        if not value:
            self.problems.append(f"{name} is not set.")
        elif not is_secret_key(value):
            self.problems.append(f"{name} must be a secret key of a Stellar account (S…).")
        return Secret(value)

    def _jwt_secret(self) -> Secret:
        value = self.values.get("ANCHOR_JWT_SECRET", "")
        if not value:
            self.problems.append("ANCHOR_JWT_SECRET is not set.")
        else:
            try:
                jwt_keys.read(value)
            except ValueError as error:
                self.problems.append(f"ANCHOR_JWT_SECRET {error}.")
        return Secret(value)

    def _custody(self) -> str:
        custody: str = self.data["anchor"]["custody"]
        for code, table in self.data["assets"].items():
            pays = (table.get("deposit") or {}).get("enabled", False)
            is_needed = custody == "local" and pays and self.signs
            if is_needed and f"{DISTRIBUTION_PREFIX}{code}" not in self.values:
                self.problems.append(
                    f"{DISTRIBUTION_PREFIX}{code} is not set, and deposits of {code} need it."
                )
        return custody

    def _channel_secret(self) -> Secret:
        name = "ANCHOR_CHANNEL_SECRET"
        value = self._opened(name)
        if value and len(value.encode()) < jwt_keys.SECRET_MIN_BYTES:
            self.problems.append(f"{name} needs {jwt_keys.SECRET_MIN_BYTES} bytes or more.")
        return Secret(self.values.get(name, ""))

    def _opened(self, name: str) -> str:
        """Return a secret that may be sealed, to be looked at and not kept; "" without it."""
        try:
            passphrase = self.values.get("ANCHOR_KEYS_PASSPHRASE", "")
            return opened(self.values.get(name, ""), passphrase)
        except ValueError as error:
            self.problems.append(f"{name} {error}.")
            return ""

    def _customers(self) -> CustomerPolicy:
        return customer_policy(
            self.data.get("customers"),
            self.problems,
            is_on=CUSTOMERS in self.data["anchor"]["seps"],
            development=self.development,
        )

    def _assets(self, customers: CustomerPolicy) -> dict[str, AssetPolicy]:
        tables = self.data["assets"]
        assets = {code: asset_policy(code, table, self.problems) for code, table in tables.items()}
        return with_sends(assets, tables, customers, self.problems)

    def _customer_keys(self) -> dict[str, Secret]:
        found = customer_keys(
            self.values.get("ANCHOR_CUSTOMER_KEYS", ""),
            self.problems,
            is_on=CUSTOMERS in self.data["anchor"]["seps"],
        )
        return {name: Secret(key) for name, key in found.items()}

    def _secrets(self, prefix: str) -> dict[str, Secret]:
        """Return the keys of one kind of account, by the code of the asset that each is for."""
        secrets = {}
        for name in self.values:
            if not name.startswith(prefix):
                continue
            code = name.removeprefix(prefix)
            if code not in self.data["assets"]:
                self.problems.append(f"{name} names an asset that the file does not have.")
            if (seed := self._opened(name)) and not is_secret_key(seed):
                self.problems.append(f"{name} must be a secret key of a Stellar account (S…).")
            secrets[code] = Secret(self.values[name])
        return secrets
