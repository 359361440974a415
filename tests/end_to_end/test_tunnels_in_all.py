"""Has a tenant no more tunnels than it was sold, over all its gateways, and without a manager?"""

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from cloudgate.gateway.host import WAIT_VARIABLE
from tests.support.ports import free_port
from tests.support.product import PASSWORD, Client
from tests.support.tunnel import Tunnel, open_tunnel, repository
from tests.support.waiting import until

pytestmark = pytest.mark.end_to_end
LIMIT = 3
WAIT_SECONDS = 3
TARGET, LOGIN = "vault.example:443", "acme:p4ssword"


class Provider:
    """A manager and two gateways, all of them processes of this machine."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.data, self.port = folder / "manager", free_port()
        self.password_file = folder / "password"
        self.password_file.write_text(PASSWORD)
        self.gateways: list[int] = []
        self.start_manager()
        self._say("backup-server", "create", "site.example")

    @property
    def ca_file(self) -> Path:
        return self.data / "tls" / "ca.pem"

    def start_manager(self) -> None:
        words = ("serve", "--data", str(self.data), "--port", str(self.port))
        self.manager = self._run(*words, "--admin-password-file", str(self.password_file))
        until(self.answers, 60.0)

    def kill_manager(self) -> None:
        self.manager.kill()
        self.manager.wait()

    def answers(self) -> bool:
        try:
            with self.client():
                return True
        except (OSError, httpx2.HTTPError):
            return False

    @contextmanager
    def client(self) -> Iterator[Client]:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        url = f"https://localhost:{self.port}/api"
        accept = {"Accept": "application/json"}
        with httpx2.Client(base_url=url, verify=context, headers=accept, timeout=30) as http:
            http.post("/sessionMngr/", auth=("admin", PASSWORD)).raise_for_status()
            yield Client(http)

    def add_gateway(self, name: str) -> None:
        shown = self._say("server", "create", name)
        line = next(line for line in shown.splitlines() if "host join" in line)
        state = str(self.folder / name)
        words = [re.sub(r"^https://[^/]*:", "https://localhost:", each) for each in line.split()]
        self._say(*words[1:], "--data", state)
        self._run("host", "run", "--data", state)
        port = free_port()
        with self.client() as client:
            task = client.create_gateway(port, name, ExternalIp="localhost")
        assert task["Result"]["Success"] is True, task
        self.gateways.append(port)

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "CLOUDGATE_URL": f"https://localhost:{self.port}",
            "CLOUDGATE_CA": str(self.ca_file),
            "CLOUDGATE_PASSWORD_FILE": str(self.password_file),
            "HOME": str(self.folder),
            WAIT_VARIABLE: str(WAIT_SECONDS),
        }

    def _say(self, *words: str) -> str:
        command = [sys.executable, "-m", "cloudgate", *words]
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, *words: str) -> "subprocess.Popen[bytes]":
        log = self._stack.enter_context((self.folder / f"{words[0]}.log").open("ab"))
        command = [sys.executable, "-m", "cloudgate", *words]
        process = subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log)
        self._stack.callback(_end, process)
        return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(30)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with ExitStack() as stack:
        address = stack.enter_context(repository())
        made = Provider(tmp_path, stack)
        for name in ("gw1.example", "gw2.example"):
            made.add_gateway(name)
        with made.client() as client:
            vault = client.add_repository("vault", TARGET, address)
            quota = {"Name": "quota", "RepositoryUid": vault, "QuotaMb": 1024}
            spec = {
                "Name": "acme",
                "Password": LOGIN.partition(":")[2],
                "MaxConcurrentTasks": LIMIT,
                "Resources": {"BackupResources": [quota]},
            }
            client.done(client.http.post("/cloud/tenants", json=spec))
        yield made


def opened(provider: Provider, *gateways: int) -> list[Tunnel]:
    """What came of a tunnel at each of these gateways, all asked at once."""
    ports = [provider.gateways[each] for each in gateways]
    with ThreadPoolExecutor(len(ports)) as threads:
        return list(
            threads.map(lambda port: open_tunnel(port, provider.ca_file, TARGET, LOGIN), ports)
        )


def let_in(tunnels: list[Tunnel]) -> list[Tunnel]:
    return [each for each in tunnels if each.status == 200]


def end(tunnels: list[Tunnel]) -> None:
    for each in tunnels:
        each.close()


def test_the_number_of_tunnels_holds_over_all_gateways(provider: Provider) -> None:
    def gateways_know_the_tenant() -> bool:
        found = let_in(opened(provider, 0, 1))
        end(found)
        return len(found) == len(provider.gateways)

    def all_are_given() -> bool:
        found = let_in(opened(provider, *[0] * LIMIT))
        end(found)
        return len(found) == LIMIT

    until(gateways_know_the_tenant)
    until(all_are_given)  # the manager has heard meanwhile what others hold
    several = opened(provider, 0, 0, 0, 1, 1, 1)
    live = let_in(several)
    assert len(live) == LIMIT
    refused = next(each for each in several if each.status != 200)
    assert refused.status == 503
    assert "3 tunnels here and at other gateways" in refused.reason
    # One that ends makes room at the other gateway, and one there at this.
    end(live)
    for full, other in ((0, 1), (1, 0)):
        live = let_in(opened(provider, *[full] * LIMIT))
        assert len(live) == LIMIT
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(opened, provider, other)
            time.sleep(WAIT_SECONDS / 6)
            live.pop().close()
            (come,) = waiting.result()
        assert come.status == 200
        assert all(each.lives() for each in live)
        end([*live, come])
    live = let_in(opened(provider, 0, 0, 1))
    assert len(live) == LIMIT
    provider.kill_manager()
    more = let_in(opened(provider, 0, 0, 1, 1))
    assert len(more) <= len(provider.gateways) - 1
    assert all(each.lives() for each in live)
    end([*live, *more])
    for gateway in (0, 1):
        found = let_in(opened(provider, gateway))
        assert found, "without a manager nobody is shut out"
        end(found)
    provider.start_manager()
    until(all_are_given)
    live = let_in(opened(provider, 0, 0, 0, 1, 1, 1))
    assert len(live) == LIMIT
    end(live)
