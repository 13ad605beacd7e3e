"""Metrics as Prometheus reads them: the name, meaning and labels of each, and their values.

Ages are in seconds and amounts in whole units, by the conventions of Prometheus. A label has few
values: kinds, states, reasons, names of the configuration, and accounts of the anchor's own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from anchor.money import to_decimal
from anchor.services.measures import Measures, Pile

#: What the text is, for whoever asked for it by HTTP.
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Sequence[str], Decimal | int]


@dataclass(frozen=True)
class Gauge:
    """One metric: a number that goes up and down, for each combination of labels that there is."""

    name: str
    means: str
    labels: tuple[str, ...]
    read: Callable[[Measures], Iterable[Sample]]


def written(found: Measures) -> str:
    """Return all metrics in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Collected(found))
    return generate_latest(registry).decode()


class _Collected(Collector):
    """Measures, as a collector of their own: no counter of this process is among them."""

    def __init__(self, found: Measures) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        for gauge in GAUGES:
            family = GaugeMetricFamily(gauge.name, gauge.means, labels=gauge.labels)
            for values, number in gauge.read(self._found):
                family.add_metric(values, cast(float, number))  # which the text makes of it
            yield family


def _counts(piles: Callable[[Measures], Iterable[Pile]]) -> Callable[[Measures], Iterable[Sample]]:
    return lambda found: ((pile.sort, pile.count) for pile in piles(found))


def _ages(piles: Callable[[Measures], Iterable[Pile]]) -> Callable[[Measures], Iterable[Sample]]:
    return lambda found: (
        (pile.sort, pile.oldest_s) for pile in piles(found) if pile.oldest_s is not None
    )


def _in_state(state: str) -> Callable[[Measures], Iterable[Sample]]:
    return lambda found: (
        (pile.sort[:1], pile.oldest_s)
        for pile in found.jobs
        if pile.sort[1] == state and pile.oldest_s is not None
    )


def _callbacks(found: Measures) -> Sample:
    return (), found.callbacks.oldest_s or 0


GAUGES = (
    Gauge(
        "anchor_build_info",
        "Always 1; what runs is in the labels.",
        ("version", "schema"),
        lambda found: [((version("stellar-anchor"), found.schema), 1)],
    ),
    Gauge(
        "anchor_transactions_open",
        "Transactions that are not over.",
        ("kind", "status"),
        _counts(lambda found: found.transactions),
    ),
    Gauge(
        "anchor_transactions_open_unmoved_seconds",
        "How long the one of them has not changed that has not for the longest.",
        ("kind", "status"),
        _ages(lambda found: found.transactions),
    ),
    Gauge(
        "anchor_cases_open",
        "Cases that wait for a person.",
        ("reason",),
        _counts(lambda found: found.cases),
    ),
    Gauge(
        "anchor_cases_open_oldest_seconds",
        "How long the oldest of them has been open.",
        ("reason",),
        _ages(lambda found: found.cases),
    ),
    Gauge(
        "anchor_jobs",
        "Jobs: parked (nobody runs them), leased (under way), due, or waiting for their time.",
        ("kind", "state"),
        _counts(lambda found: found.jobs),
    ),
    Gauge(
        "anchor_jobs_due_oldest_seconds",
        "How long the oldest job has been due that nobody has taken.",
        ("kind",),
        _in_state("due"),
    ),
    Gauge(
        "anchor_jobs_parked_oldest_seconds",
        "How long the oldest job has been parked.",
        ("kind",),
        _in_state("parked"),
    ),
    Gauge(
        "anchor_outflows_open",
        "Payouts, submissions and refunds whose end is not known: prepared, sent or unknown.",
        ("kind", "state"),
        _counts(lambda found: found.outflows),
    ),
    Gauge(
        "anchor_outflows_open_oldest_seconds",
        "How long ago the oldest of them was first told to anybody, or else prepared.",
        ("kind", "state"),
        _ages(lambda found: found.outflows),
    ),
    Gauge(
        "anchor_callbacks_waiting",
        "Callbacks that wallets have not got, and that are still tried.",
        (),
        lambda found: [((), found.callbacks.count)],
    ),
    Gauge(
        "anchor_callbacks_waiting_oldest_seconds",
        "How long the oldest of them has been owed; 0 without any.",
        (),
        lambda found: [_callbacks(found)],
    ),
    Gauge(
        "anchor_account_followed",
        "1 where a stream runner follows an account that is watched, else 0.",
        ("account",),
        lambda found: [((each.account_id,), int(each.is_followed)) for each in found.accounts],
    ),
    Gauge(
        "anchor_account_read_age_seconds",
        "How old the ledger is up to which an account was read.",
        ("account",),
        lambda found: [
            ((each.account_id,), each.age_s) for each in found.accounts if each.age_s is not None
        ],
    ),
    Gauge(
        "anchor_rail_polled_age_seconds",
        "How long ago the last good poll of a rail that is asked began; `+Inf` where none was.",
        ("rail",),
        lambda found: [((name,), age) for name, age in found.rails],
    ),
    Gauge(
        "anchor_schedule_tick_age_seconds",
        "How long ago the last tick of a service was, where a scheduler rings it.",
        ("service",),
        lambda found: [((name,), age) for name, age in found.ticks],
    ),
    Gauge(
        "anchor_paused",
        "1 for each pause that is set.",
        ("scope", "subject"),
        lambda found: [((each.scope, each.subject), 1) for each in found.pauses],
    ),
    Gauge(
        "anchor_outflow_cap",
        "What of an asset may leave in an hour, in whole units.",
        ("asset",),
        lambda found: [((each.asset,), to_decimal(each.cap)) for each in found.caps],
    ),
    Gauge(
        "anchor_outflow_cap_used",
        "What of that left in the last hour, or may have.",
        ("asset",),
        lambda found: [((each.asset,), to_decimal(each.used)) for each in found.caps],
    ),
)
