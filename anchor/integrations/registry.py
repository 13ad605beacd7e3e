"""Finding plug-ins by entry point, and refusing to start with a broken one."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any, TypeVar

from anchor.customers.rules import CustomerPolicy
from anchor.errors import Misconfigured
from anchor.integrations.custody import Custodian, KeyHolder, Signer
from anchor.integrations.customers import CustomersIntegration
from anchor.integrations.interactive import InteractiveIntegration
from anchor.integrations.protocols import RailsIntegration
from anchor.integrations.rates import RatesIntegration
from anchor.policies.pages import PagesPolicy

RAILS = "anchor.rails"
CUSTODY = "anchor.custody"
RATES = "anchor.rates"
CUSTOMERS = "anchor.customers"
INTERACTIVE = "anchor.interactive"
#: How a reader calls one plug-in of a group, and what it has to be.
_KINDS: Mapping[str, tuple[str, tuple[type, ...], str]] = {
    RAILS: ("rail", (RailsIntegration,), "a RailsIntegration"),
    RATES: ("source of rates", (RatesIntegration,), "a RatesIntegration"),
    CUSTODY: ("custody", (Signer, Custodian), "a Signer or a Custodian"),
    CUSTOMERS: ("customers plug-in", (CustomersIntegration,), "a CustomersIntegration"),
    INTERACTIVE: ("pages plug-in", (InteractiveIntegration,), "an InteractiveIntegration"),
}
Plugin = TypeVar("Plugin")


def load_rails(
    names: Iterable[str], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, RailsIntegration]:
    """Make the rails of these names, each with its table of the configuration.

    Raises `Misconfigured` with one sentence for each that is unknown, registered twice,
    not importable, not a rail, or that refuses its options.
    """
    return _load(RAILS, names, lambda kind, name: kind(name, dict(options.get(name, {}))))


def load_rates(
    names: Iterable[str], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, RatesIntegration]:
    """Make the sources of rates of these names; raises `Misconfigured` as `load_rails` does."""
    return _load(RATES, names, lambda kind, name: kind(name, dict(options.get(name, {}))))


def load_custody(
    names: Iterable[str],
    options: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, str],
) -> dict[str, Signer | Custodian]:
    """Make the custodies of these names, each with its table of the configuration.

    `keys` are the secret keys of the settings by account; only a `KeyHolder` is made with
    them. Raises `Misconfigured` as `load_rails` does.
    """

    def make(kind: Any, name: str) -> Signer | Custodian:
        own = {"keys": keys} if issubclass(kind, KeyHolder) else {}
        made: Signer | Custodian = kind(name, dict(options.get(name, {})), **own)
        return made

    return _load(CUSTODY, names, make)


def load_customers(policy: CustomerPolicy) -> CustomersIntegration:
    """Make the customers plug-in that the configuration names, with its rules and options.

    Raises `Misconfigured` as `load_rails` does.
    """

    def make(kind: Any, name: str) -> CustomersIntegration:
        made: CustomersIntegration = kind(name, dict(policy.options), dict(policy.types))
        return made

    return _load(CUSTOMERS, [policy.plugin], make)[policy.plugin]


@cache
def entry_points(group: str) -> EntryPoints:
    """Return what is installed for a group; the disk is read once in a process."""
    return metadata.entry_points(group=group)


def load_interactive(policy: PagesPolicy) -> InteractiveIntegration:
    """Make the pages plug-in that the configuration names, with its options.

    Raises `Misconfigured` as `load_rails` does.
    """

    def make(kind: Any, name: str) -> InteractiveIntegration:
        made: InteractiveIntegration = kind(name, dict(policy.options))
        return made

    return _load(INTERACTIVE, [policy.plugin], make)[policy.plugin]


def available(group: str = RAILS) -> list[tuple[str, str, str]]:
    """Return (name, distribution with version, object) of each plug-in that is installed."""
    return sorted(
        (point.name, f"{point.dist.name} {point.dist.version}" if point.dist else "?", point.value)
        for point in entry_points(group=group)
    )


def _load(
    group: str, names: Iterable[str], make: Callable[[Any, str], Plugin]
) -> dict[str, Plugin]:
    found: dict[str, list[EntryPoint]] = defaultdict(list)
    for point in entry_points(group=group):
        if point not in found[point.name]:
            found[point.name].append(point)
    made: dict[str, Plugin] = {}
    problems: list[str] = []
    for name in sorted(set(names)):
        try:
            made[name] = _make(group, name, found.get(name, []), make)
        except Misconfigured as problem:
            problems.extend(problem.problems)
    if problems:
        raise Misconfigured(*problems)
    return made


def _make(
    group: str, name: str, points: list[EntryPoint], make: Callable[[Any, str], Plugin]
) -> Plugin:
    word, bases, needed = _KINDS[group]
    if not points:
        raise Misconfigured(f"The {word} {name} is not installed (entry point group {group}).")
    if len({point.value for point in points}) > 1:
        values = " and ".join(sorted(point.value for point in points))
        raise Misconfigured(f"The {word} {name} is registered twice: {values}.")
    try:
        kind = points[0].load()
    except Exception as error:
        raise Misconfigured(f"The {word} {name} cannot be imported: {error}.") from error
    if not (isinstance(kind, type) and issubclass(kind, bases)):
        raise Misconfigured(f"The {word} {name} ({points[0].value}) is not {needed}.")
    try:
        return make(kind, name)
    except Exception as error:
        raise Misconfigured(f"The {word} {name} refuses its options: {error}.") from error
