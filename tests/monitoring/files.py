"""What is there for Prometheus and Grafana: rules, and queries of boards."""

import json
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


MONITORING = ROOT / "monitoring"


RULES = (MONITORING / "rules.yml").read_text("utf-8")


def board_queries() -> Iterator[str]:
    for board in sorted(MONITORING.glob("dashboard-*.json")):
        for panel in json.loads(board.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                yield target["expr"]
