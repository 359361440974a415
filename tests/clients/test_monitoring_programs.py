"""Published monitoring programs, unchanged: against a manager with repositories, tenants, sessions.

They are installed apart from the tests' own libraries, because their pins are older.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.ports import free_port
from tests.support.running.manager import PASSWORD, RunningManager, finished
from tests.support.waiting import until

PROGRAMS = Path(sys.prefix) / "api-clients"
GB = 1024**3
TIME_LIMIT_SECONDS = 60
pytestmark = pytest.mark.skipif(not PROGRAMS.exists(), reason="to run this: make .venv/api-clients")
ASK = """
import json, sys
from veeam.client import VeeamClient

url, password, ca = sys.argv[1:]
client = VeeamClient(url, "admin", password, verify=ca)
answers = {
    "repos": client.get_repos(),
    "jobs": client.get_jobs(),
    "backups": client.get_backups(),
    "vms": client.get_vms_processed_day(),
    "job_stats": client.get_summary_job_stats(),
    "summary_vms": client.get_summary_vms(),
    "overview": client.get_summary_overview(),
    "jobs_1_day": client.get_jobs_1_day(),
    "failed": client.get_persistently_failed_jobs(),
    "token": client.session.headers["X-RestSvcSessionId"],
}
client.logout()
answers["after"] = client.session.get(url + "/tasks").status_code
print(json.dumps(answers))
"""
CONFIG = """
veeams:
  - host: localhost
    port: {port}
    user: admin
    password: "{password}"
    protocol: https
    verify_ssl: "{ca}"
    timeout: 20
    keep_session: false
weblisten: {{address: 127.0.0.1, port: {listen}}}
logger: {{level: warning, facility: stdout}}
metrics_file: "{metrics}/*_metrics.yml"
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROGRAMS), "PYTHONWARNINGS": "ignore"}


@pytest.fixture
def sessions(running: RunningManager) -> list[httpx2.Client]:
    """Three logon sessions, older than those of the program; and what it is to look at."""
    clients = [running.logged_on() for _ in range(3)]
    client = clients[0]
    for name, capacity in (("known", 100 * GB), ("full", 10 * GB), ("unknown", None)):
        spec = {"Name": name, "Endpoint": f"{name}.example:1", "Capacity": capacity}
        vault = client.post("/repositories", json=spec).raise_for_status().json()
        quota = {"Name": "q", "RepositoryUid": vault["UID"], "QuotaMb": 20 * 1024}
        tenant = {"Name": name, "Password": "p", "Resources": {"BackupResources": [quota]}}
        finished(client, client.post("/cloud/tenants", json=tenant).json())
    return clients


def test_the_client_veeam_reads_everything_and_ends_its_own_session_only(
    running: RunningManager, sessions: list[httpx2.Client]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, f"{running.url}/api", PASSWORD, str(running.ca_file)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert {each["Name"]: each["percentage_free"] for each in said["repos"]} == {
        "full": 0.0,
        "known": 80.0,
    }
    assert said["overview"]["RepositoryServers"] == 3
    assert (said["jobs"], said["jobs_1_day"], said["failed"]) == ({"Refs": []}, [], [])
    assert said["after"] == 401, "its own session has ended"
    assert [client.get("/tasks").status_code for client in sessions] == [200, 200, 200]


@pytest.fixture
def exporter(
    running: RunningManager, sessions: list[httpx2.Client], tmp_path: Path
) -> Iterator[tuple[str, Path]]:
    """The address of a running veeam-exporter, and its log."""
    listen = free_port()
    config, log = tmp_path / "config.yml", tmp_path / "log"
    metrics = PROGRAMS / "veeam_exporter" / "conf" / "metrics"
    config.write_text(
        CONFIG.format(
            port=running.url.rpartition(":")[2],
            password=PASSWORD,
            ca=running.ca_file,
            listen=listen,
            metrics=metrics,
        )
    )
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "veeam_exporter.veeam_exporter", "-c", str(config)],
            env=environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            yield f"http://127.0.0.1:{listen}", log
        finally:
            process.terminate()
            process.wait(TIME_LIMIT_SECONDS)


def test_veeam_exporter_exports_what_there_is(
    exporter: tuple[str, Path], sessions: list[httpx2.Client]
) -> None:
    address, log = exporter
    with httpx2.Client(timeout=TIME_LIMIT_SECONDS, trust_env=False) as client:

        def answers() -> bool:
            try:
                return client.get(f"{address}/").status_code == 200
            except httpx2.TransportError:
                return False

        until(answers, TIME_LIMIT_SECONDS, said=log.read_text)
        text = client.get(f"{address}/metrics?target=localhost").text
    found = dict(re.findall(r'^(veeam_em_\w+\{[^}]*name="\w+"[^}]*\}) (\S+)$', text, re.MULTILINE))
    capacities = {
        match[1]: float(value)
        for key, value in found.items()
        if "capacity_total_bytes" in key and (match := re.search(r'name="(\w+)"', key))
    }
    # Of what is left out, this program says 0 by itself.
    expected = {"known": 100 * GB, "full": 10 * GB, "unknown": 0}
    assert capacities == expected, text + log.read_text()
    assert re.search(r"^veeam_em_overview\w*\{.*\} 3\.0$", text, re.MULTILINE), text
    assert [client.get("/tasks").status_code for client in sessions] == [200, 200, 200]
