"""What is there for Prometheus and Grafana: rules, and queries of boards."""

import json
from collections.abc import Iterator

import yaml

from tests.support.project.source import TESTS

ROOT = TESTS.parent
MONITORING = ROOT / "monitoring"
RULES = (MONITORING / "rules.yml").read_text("utf-8")


def rule_queries() -> dict[str, str]:
    """By alert."""
    groups = yaml.safe_load(RULES)["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def board_queries() -> Iterator[str]:
    for board in sorted(MONITORING.glob("dashboard-*.json")):
        for panel in json.loads(board.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                yield target["expr"]
