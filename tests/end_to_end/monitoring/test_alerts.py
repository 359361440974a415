"""Is an operator woken? Prometheus and Alertmanager watch a running `up` whose gateway fails."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.ports import free_port
from tests.support.project.monitoring_files import MONITORING, RULES, board_queries
from tests.support.running.product import Product, product
from tests.support.serving import answering
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
        reason="Prometheus is not installed (Debian: prometheus prometheus-alertmanager)",
    ),
]
MAY_BE_ABSENT = {
    "cloudgate_gateway_full_ratio",
    "cloudgate_needs_a_look",
    "cloudgate_tenant_used_bytes",
    "cloudgate_tenant_tunnels_limit",
    "cloudgate_tenant_limit_bytes",
    "cloudgate_tenant_last_activity_timestamp_seconds",
}
"""Where nothing needs a look, is measured, used or filling up, and nobody has a limit."""


def promtool(*words: str, folder: Path = MONITORING) -> str:
    done = subprocess.run(
        ["promtool", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_takes_rules_their_tests_and_the_example_of_a_scrape() -> None:
    assert "SUCCESS" in promtool("check", "rules", "rules.yml")
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yml")
    assert "SUCCESS" in promtool("check", "config", "scrape.yml")


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
def test_amtool_takes_the_example_of_alertmanagers_configuration() -> None:
    command = ["amtool", "check-config", "alertmanager.yml"]
    done = subprocess.run(command, cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass
class Watch:
    """A running product, and who watches it."""

    product: Product
    prometheus: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    """What the hook was told."""

    def query(self, text: str) -> list[dict[str, Any]]:
        """What Prometheus answers."""
        answer = httpx2.get(
            f"{self.prometheus}/api/v1/query", params={"query": text}, timeout=PATIENCE_SECONDS
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def heard(self, alert: str, status: str) -> bool:
        """Whether the hook was called with that alert."""
        return any(
            each["labels"]["alertname"] == alert and each["status"] == status
            for call in self.calls
            for each in call["alerts"]
        )


@contextmanager
def hook(calls: list[dict[str, Any]]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with answering(server):
        yield server.server_address[1]


@contextmanager
def started(folder: Path, *command: str) -> Iterator[None]:
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def configure(folder: Path, metrics: int, hook_port: int, alertmanager: int) -> None:
    """As the examples have it, but impatient with gateways, and looked at each second.

    Not with the manager: one that does not answer within that second would silence all else
    (`inhibit_rules`), and Prometheus tells once more what is over only after a minute.
    """
    patience = r"(alert: GatewayDown\n(?:.*\n)+?\s+for: )\d+[smh]"
    rules, impatient = re.subn(patience, r"\g<1>0s", RULES)
    assert impatient == 1
    (folder / "rules.yml").write_text(rules)
    scrape = (MONITORING / "scrape.yml").read_text("utf-8")
    scrape = re.sub(r"(_interval): \d+s", r"\1: 1s", scrape)
    scrape = scrape.replace("127.0.0.1:9397", f"127.0.0.1:{metrics}")
    scrape = scrape.replace("127.0.0.1:9093", f"127.0.0.1:{alertmanager}")
    (folder / "prometheus.yml").write_text(scrape)
    routes = (MONITORING / "alertmanager.yml").read_text("utf-8")
    routes = routes.replace("127.0.0.1:9099", f"127.0.0.1:{hook_port}")
    routes = routes.replace("group_wait: 10s", "group_wait: 0s")
    routes = routes.replace("group_interval: 1m", "group_interval: 1s")
    (folder / "alertmanager.yml").write_text(routes)


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    folder = tmp_path_factory.mktemp("watch")
    calls: list[dict[str, Any]] = []
    metrics, alertmanager, prometheus = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("CLOUDGATE_METRICS_LISTEN", f"127.0.0.1:{metrics}")
        running = stack.enter_context(product(folder / "data"))
        with running.client() as client:
            assert client.create_gateway(free_port())["Result"]["Success"]
            vault = client.add_repository("vault", "vault.example:443", "127.0.0.1:9")
            client.add_tenant("acme", "p4ssword", vault)
        configure(folder, metrics, stack.enter_context(hook(calls)), alertmanager)
        stack.enter_context(
            started(
                folder,
                "prometheus-alertmanager",
                "--config.file=alertmanager.yml",
                f"--storage.path={folder / 'alerts'}",
                f"--web.listen-address=127.0.0.1:{alertmanager}",
                "--cluster.listen-address=",
            )
        )
        stack.enter_context(
            started(
                folder,
                "prometheus",
                "--config.file=prometheus.yml",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{prometheus}",
            )
        )
        made = Watch(running, f"http://127.0.0.1:{prometheus}", calls)
        until(lambda: _answers(made), PATIENCE_SECONDS)
        yield made


def _answers(watch: Watch) -> bool:
    try:
        is_ready = httpx2.get(f"{watch.prometheus}/-/ready", timeout=PATIENCE_SECONDS).is_success
    except httpx2.TransportError:
        return False
    return is_ready and bool(watch.query("cloudgate_gateway_tunnels"))


def envoy_of(running: Product) -> int:
    (pid,) = [
        each for each, line in running.processes().items() if line.split()[0].endswith("/envoy")
    ]
    return pid


def test_a_gateway_that_fails_is_told_to_the_hook_and_so_is_that_it_is_well_again(
    watch: Watch,
) -> None:
    assert not watch.heard("GatewayDown", "firing")
    envoy = envoy_of(watch.product)
    os.kill(envoy, signal.SIGSTOP)
    try:
        until(lambda: watch.heard("GatewayDown", "firing"), PATIENCE_SECONDS)
        with watch.product.client() as client:
            failed = client.gateway()
        assert failed["State"] == "Failed"
        assert failed["Warning"].startswith(f"Envoy, process {envoy}, does not answer; ")
    finally:
        os.kill(envoy, signal.SIGCONT)
    until(lambda: watch.heard("GatewayDown", "resolved"), PATIENCE_SECONDS)
    told = next(
        each
        for call in watch.calls
        for each in call["alerts"]
        if each["labels"]["alertname"] == "GatewayDown"
    )
    assert told["labels"]["severity"] == "critical"
    assert told["annotations"]["summary"] == "Gateway localhost at localhost lets no tenants in."
    assert told["annotations"]["runbook_url"] == "docs/runbook.md#gatewaydown"


def test_each_query_of_boards_and_rules_finds_what_it_asks_for(watch: Watch) -> None:
    queries = [_resolved(each) for each in board_queries()]
    queries += [_resolved(each) for each in re.findall(r"expr: (?!>-)(.+)", RULES)]
    for each in queries:
        watch.query(each)  # Prometheus' parser takes it
    wanted = set(re.findall(r"cloudgate_\w+", " ".join(queries))) - MAY_BE_ABSENT

    def absent() -> set[str]:
        return wanted - {each["metric"]["__name__"] for each in watch.query('{job=~"cloud.*"}')}

    # What Envoy counts is in the second report of a host.
    until(lambda: not absent(), PATIENCE_SECONDS, said=absent)


def _resolved(query: str) -> str:
    """With what Grafana fills in."""
    return re.sub(r"\$(gateway|site|tenant)", ".*", query).replace("$__range", "1h")
