"""Do boards and rules tell the same, whether a manager is asked once or twice, and hosts, too?"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudgate.monitoring.metrics_table import TABLE, Kind, Metric, Page
from tests.support.project.monitoring_files import board_queries, rule_queries

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)
MANAGERS = ("m1.example", "m2.example")
GATEWAYS = ("a", "b")
SAID = {"site": "s", "route": "/tenants", "code": "500", "state": "Running"}
"""What labels say that boards choose by."""
OF_EACH_MANAGER = {"ManagerAway", "ManagerNotReady"}
"""Alerts that say which of several managers it is."""
TROUBLE = {
    "cloudgate_database_up": "0x60",
    "cloudgate_gateway_clock_skew_seconds": "100x60",
    "cloudgate_gateway_refused_total": "0+30x60",
    "cloudgate_gateway_up": "0x60",
    "cloudgate_host_up": "0x60",
}
"""Where what is shown of others has no alert fire."""
Labels = dict[str, str]


def shown(metric: Metric, **of: str) -> Iterator[tuple[str, Labels, str]]:
    """Its series in a page: names, labels, and values as promtool has them."""
    labels = {each: SAID.get(each, each) for each in metric.labels} | of
    if metric.kind is Kind.HISTOGRAM:
        for number, bound in enumerate((*map(str, metric.buckets), "+Inf"), 1):
            yield f"{metric.name}_bucket", {**labels, "le": bound}, f"0+{number}x60"
    else:
        values = "0+3x60" if metric.kind is Kind.COUNTER else "1x60"
        yield metric.name, labels, TROUBLE.get(metric.name, values)


def series(managers: tuple[str, ...], hosts: tuple[str, ...]) -> Iterator[Labels]:
    """What Prometheus has of those that it asks."""
    for metric in TABLE:
        asked: list[tuple[str, str, Labels]] = [("cloudgate", each, {}) for each in managers]
        if Page.HOST in metric.pages:
            asked += [("cloudgate-hosts", each, {"site": ""}) for each in hosts]
        for job, instance, its in asked:
            named = GATEWAYS if job == "cloudgate" else (instance,)
            of = (
                [{"gateway": each, **its} for each in named] if "gateway" in metric.labels else [{}]
            )
            for each in of:
                for name, labels, values in shown(metric, **each):
                    target = {**labels, "job": job, "instance": instance}
                    text = ",".join(f"{key}={json.dumps(value)}" for key, value in target.items())
                    yield {"series": f"{name}{{{text}}}", "values": values}


def found(
    folder: Path, asking: list[str], managers: tuple[str, ...], hosts: tuple[str, ...] = ()
) -> list[str]:
    """What each query finds; promtool tells, as it was to find nothing."""
    queries = [
        re.sub(r"\$(gateway|site|tenant)", ".*", each).replace("$__range", "10m") for each in asking
    ]
    asked = [{"expr": each, "eval_time": "20m", "exp_samples": []} for each in queries]
    test = {"interval": "30s", "input_series": list(series(managers, hosts))}
    file = folder / "test.json"
    file.write_text(json.dumps({"tests": [{**test, "promql_expr_test": asked}]}))
    done = subprocess.run(
        ["promtool", "test", "rules", file], capture_output=True, text=True, check=False
    )
    told = re.findall(r"^\s+got:(.*)$", done.stdout + done.stderr, re.MULTILINE)
    assert len(told) == len(queries), done.stdout + done.stderr
    return told


@needs_promtool
def test_a_board_shows_the_same_however_often_a_manager_is_asked(tmp_path: Path) -> None:
    assert_once(tmp_path, list(board_queries()))


@needs_promtool
def test_a_rule_tells_the_same_however_often_a_manager_is_asked(tmp_path: Path) -> None:
    rules = rule_queries()
    assert rules.keys() > OF_EACH_MANAGER
    assert_once(tmp_path, [rules[each] for each in rules if each not in OF_EACH_MANAGER])


def assert_once(folder: Path, asking: list[str]) -> None:
    once = found(folder, asking, MANAGERS[:1])
    assert not [each for each in once if "instance=" in each or not each.strip()]
    assert found(folder, asking, MANAGERS) == once
    assert found(folder, asking, MANAGERS, GATEWAYS) == once
