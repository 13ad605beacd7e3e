"""What is given to Prometheus and Grafana names metrics, reasons and commands that are there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from anchor.cli import group
from anchor.models import OUTFLOW_OPEN
from anchor.reasons import Reason
from anchor.serializers.metrics import GAUGES
from anchor.services.measures import JOB_STATES
from tests.test_docs import text_of

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = [
    rule
    for group_ in yaml.safe_load(text_of(FOLDER / "anchor.rules.yml"))["groups"]
    for rule in group_["rules"]
]
BOARD = json.loads(text_of(FOLDER / "anchor-dashboard.json"))
QUERIES = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
LABELS = {gauge.name: set(gauge.labels) for gauge in GAUGES}
_NAME = re.compile(r"\banchor_\w+")
_BY = re.compile(r"by \(([^)]*)\) \((anchor_\w+)")
_SELECTED = re.compile(r'(anchor_\w+)\{(\w+)(?:=|!=|=~)"([^"]*)"\}')


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_of_the_shape_that_prometheus_takes(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Anchor[A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.fullmatch(r"[1-9][0-9]*[smh]", rule.get("for", "1m"))
    assert set(rule["annotations"]) == {"summary", "look"}
    assert rule["expr"].count("(") == rule["expr"].count(")")
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert used <= {each for by, _ in _BY.findall(rule["expr"]) for each in by.split(", ")}


def test_each_alert_has_a_name_of_its_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) > 10


def test_rules_and_panels_name_metrics_and_labels_that_are_there() -> None:
    for query in [*(rule["expr"] for rule in RULES), *QUERIES]:
        for name in _NAME.findall(query):
            assert name in LABELS, query
        for by, name in _BY.findall(query):
            assert set(by.split(", ")) == LABELS[name] - _chosen(query), query


def _chosen(query: str) -> set[str]:
    """Return the labels of which a query chooses one value, and so needs not to tell them apart."""
    return {label for _, label, value in _SELECTED.findall(query) if f'{label}="{value}"' in query}


def test_values_of_labels_that_queries_choose_are_there() -> None:
    known = {"reason": {*Reason}, "state": {*JOB_STATES, *OUTFLOW_OPEN}}
    for query in [*(rule["expr"] for rule in RULES), *QUERIES]:
        for name, label, values in _SELECTED.findall(query):
            assert label in LABELS[name], query
            assert set(values.split("|")) <= known.get(label, set(values.split("|"))), query


def test_each_alert_names_the_command_or_page_to_look_at() -> None:
    for rule in RULES:
        look = rule["annotations"]["look"]
        commands = re.findall(r"flask anchor ([a-z-]+)((?: --[a-z]+)*)", look)
        for name, options in commands:
            known = {each for option in group.commands[name].params for each in option.opts}
            assert set(options.split()) <= known, look
        for page in re.findall(r"docs/\S+\.md", look):
            assert (ROOT / page).exists(), look
        assert commands or "journalctl" in look, rule["alert"]


def test_every_metric_is_on_the_page_of_metrics_as_it_is() -> None:
    page = text_of(ROOT / "docs" / "reference" / "metrics.md")
    for gauge in GAUGES:
        labels = ", ".join(f"`{label}`" for label in gauge.labels)
        assert f"| `{gauge.name}` | {labels} | {gauge.means} |" in page
    assert set(_NAME.findall(page)) == set(LABELS)


def test_every_alert_is_on_the_page_of_watching() -> None:
    page = text_of(ROOT / "docs" / "how-to" / "watch-it.md")
    assert {rule["alert"] for rule in RULES} == set(re.findall(r"`(Anchor[A-Za-z]+)`", page))


def test_prometheus_bears_a_token_from_a_file_and_reads_the_rules() -> None:
    said = yaml.safe_load(text_of(FOLDER / "prometheus.yml"))
    assert said["rule_files"] == ["anchor.rules.yml"]
    [job] = said["scrape_configs"]
    assert job["job_name"] == "anchor"
    assert job["metrics_path"] == "/metrics"
    assert set(job["authorization"]) == {"credentials_file"}


def test_panels_of_the_board_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
