"""Finding plug-ins by entry point, and refusing to start with a broken one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from anchor.errors import Misconfigured
from anchor.integrations.protocols import RailsIntegration

RAILS = "anchor.rails"


def load_rails(
    names: Iterable[str], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, RailsIntegration]:
    """Make the rails of these names, each with its table of the configuration.

    Raises `Misconfigured` with one sentence for each that is unknown, registered twice,
    not importable, not a rail, or that refuses its options.
    """
    found: dict[str, list[EntryPoint]] = defaultdict(list)
    for point in entry_points(group=RAILS):
        if point not in found[point.name]:
            found[point.name].append(point)
    rails: dict[str, RailsIntegration] = {}
    problems: list[str] = []
    for name in sorted(set(names)):
        try:
            rails[name] = _make(name, found.get(name, []), options.get(name, {}))
        except Misconfigured as problem:
            problems.extend(problem.problems)
    if problems:
        raise Misconfigured(*problems)
    return rails


def available() -> list[tuple[str, str, str]]:
    """Return (name, distribution with version, object) of each rail that is installed."""
    return sorted(
        (point.name, f"{point.dist.name} {point.dist.version}" if point.dist else "?", point.value)
        for point in entry_points(group=RAILS)
    )


def _make(name: str, points: list[EntryPoint], options: Mapping[str, Any]) -> RailsIntegration:
    if not points:
        raise Misconfigured(f"The rail {name} is not installed (entry point group {RAILS}).")
    if len({point.value for point in points}) > 1:
        values = " and ".join(sorted(point.value for point in points))
        raise Misconfigured(f"The rail {name} is registered twice: {values}.")
    try:
        kind = points[0].load()
    except Exception as error:
        raise Misconfigured(f"The rail {name} cannot be imported: {error}.") from error
    if not (isinstance(kind, type) and issubclass(kind, RailsIntegration)):
        raise Misconfigured(f"The rail {name} ({points[0].value}) is not a RailsIntegration.")
    try:
        return kind(name, dict(options))
    except Exception as error:
        raise Misconfigured(f"The rail {name} refuses its options: {error}.") from error
