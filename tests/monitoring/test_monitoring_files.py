"""Do alerts, boards and documents speak of metrics that there are, and of each other?"""

import html
import json
import re
from pathlib import Path

import pytest
import yaml

from cloudgate.host.access_log.record import JSON_FORMAT
from cloudgate.monitoring.metrics_table import METRICS, TABLE, Kind, Page
from tests.support.project.metrics_page import PAGE, table, written
from tests.support.project.monitoring_files import (
    MONITORING,
    ROOT,
    RULES,
    board_queries,
    rule_queries,
)

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
INHIBITIONS = yaml.safe_load((MONITORING / "alertmanager.yml").read_text("utf-8"))["inhibit_rules"]
SUFFIXES = ("_bucket", "_sum", "_count")
ALERTS = re.findall(r"- alert: (\w+)", RULES)
PARTS = ("**Means**", "**Customers**", "**Look**", "**Do**")


def unknown(text: str) -> set[str]:
    """Names of metrics that are not in the table."""
    named = {each for each in re.findall(r"\bcloudgate_\w+", text) if not each.endswith("_")}
    families = {re.sub(f"({'|'.join(SUFFIXES)})$", "", each) for each in named}
    return {each for each in families if each not in METRICS}


def test_rules_and_boards_name_metrics_that_are_there() -> None:
    assert not unknown(RULES)
    assert not unknown(" ".join(board_queries()))
    assert unknown("cloudgate_nonsense_total")


def test_each_alert_says_what_to_do_and_has_its_part_of_the_runbook() -> None:
    parts = dict(re.findall(r"\n## (\w+)\n(.*?)(?=\n## |\Z)", RUNBOOK, re.DOTALL))
    assert list(parts) == ALERTS
    for alert, text in parts.items():
        assert all(each in text for each in PARTS), alert
        assert f"runbook_url: docs/runbook.md#{alert.lower()}" in RULES
    blocks = RULES.split("- alert: ")[1:]
    for needed in ("expr:", "severity:", "summary:", "description:", "runbook_url:"):
        assert all(needed in block for block in blocks)


def test_each_alert_is_tried() -> None:
    tried = (MONITORING / "rules_test.yml").read_text("utf-8")
    assert all(re.search(rf"alertname(=\"|: ){alert}\b", tried) for alert in ALERTS)


def test_the_page_has_the_table_of_metrics() -> None:
    assert written(PAGE.read_text("utf-8")) == PAGE.read_text("utf-8"), (
        ".venv/bin/python -m tests.support.project.metrics_page writes it anew"
    )
    for page in Page:
        assert table(page).count("\n") > 5


def test_names_are_as_prometheus_wants_them() -> None:
    assert len(METRICS) == len(TABLE)
    for each in TABLE:
        assert re.fullmatch(r"cloudgate_[a-z_]+", each.name)
        assert each.name.endswith("_total") == (each.kind is Kind.COUNTER), each.name
        assert each.name.endswith("_info") == (each.kind is Kind.INFO), each.name
        assert bool(each.buckets) == (each.kind is Kind.HISTOGRAM), each.name
        assert each.help.endswith(".")


@pytest.mark.parametrize("label", ["target", "user", "address", "subtenant", "password"])
def test_no_label_is_of_what_is_not_bounded_or_nobodys_business(label: str) -> None:
    assert not [each for each in TABLE if label in each.labels]


@pytest.mark.parametrize("label", ["job", "instance", "le", "quantile"])
def test_no_label_has_a_name_that_prometheus_gives_itself(label: str) -> None:
    """It renames what is shown as ``job``, and a rule then reads the name of what is scraped."""
    assert not [each for each in TABLE if label in each.labels]


def labels_of(alert: str) -> set[str]:
    """What an alert tells apart: the labels of the metrics that it is about."""
    names = re.findall(r"\bcloudgate_\w+", rule_queries()[alert])
    named = [set(METRICS[each].labels) for each in names]
    return set.intersection(*named)


def test_an_alert_keeps_back_no_other_but_of_the_same_thing() -> None:
    """What has none of the labels that are to be equal would count as equal."""
    (by_gateway,) = (each for each in INHIBITIONS if "equal" in each)
    ((source,), (target,)) = (
        re.findall(r'^alertname="(\w+)"$', said, re.MULTILINE)
        for said in ("\n".join(by_gateway[f"{part}_matchers"]) for part in ("source", "target"))
    )
    assert set(by_gateway["equal"]) == labels_of(source) == labels_of(target)


def test_tenants_are_named_on_their_own_page_alone() -> None:
    assert {each.pages for each in TABLE if "tenant" in each.labels} == {(Page.TENANTS,)}


BOARDS = sorted(MONITORING.glob("dashboard-*.json"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda each: each.stem)
def test_titles_fit_into_their_panels(board: Path) -> None:
    for panel in json.loads(board.read_text("utf-8"))["panels"]:
        # A twenty-fourth of a screen has room for four letters of a title, also in the pictures.
        assert len(panel["title"]) <= 4 * panel["gridPos"]["w"] + 2, panel["title"]


def test_pictures_are_of_the_boards_as_they_are() -> None:
    for board in BOARDS:
        picture = ROOT / "docs" / f"board-{board.stem.removeprefix('dashboard-')}.svg"
        shown = re.findall(r'font-weight="bold">([^<]*)<', picture.read_text("utf-8"))
        panels = json.loads(board.read_text("utf-8"))["panels"]
        assert shown == [html.escape(each["title"]) for each in panels]


def test_each_key_of_a_line_about_a_tunnel_is_explained() -> None:
    page = (ROOT / "docs" / "logs.md").read_text("utf-8")
    part = re.findall(r"\n## A line about a tunnel\n(.*?)\n## ", page, re.DOTALL)[0]
    keys = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    assert {each for some in keys for each in re.findall(r"`(\w+)`", some)} == JSON_FORMAT.keys()
