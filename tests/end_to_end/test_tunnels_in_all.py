"""Has a tenant no more tunnels than it was sold, over all its gateways, and without a manager?"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from cloudgate.host.settings import WAIT_VARIABLE
from tests.support.machine import standing
from tests.support.ports import free_port
from tests.support.running.product import PASSWORD, Client, logged_on
from tests.support.running.tunnel import Tunnel, open_tunnel, repository
from tests.support.waiting import until

pytestmark = pytest.mark.end_to_end
LIMIT = 3
WAIT_SECONDS = 4
"""How long a tunnel waits for its turn: long enough for tokens to be fetched on a busy machine."""
PATIENCE_SECONDS = 90.0
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

    def client(self) -> AbstractContextManager[Client]:
        return logged_on(f"https://localhost:{self.port}", self.ca_file)

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
        return {
            **os.environ,
            **standing.environment(),
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
        path = self.folder / f"{words[0]}.log"
        log = self._stack.enter_context(path.open("ab"))
        command = [sys.executable, "-m", "cloudgate", *words]
        process = subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log)
        self._stack.callback(standing.end, process, path)
        return process


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


@contextmanager
def let_in(provider: Provider, *gateways: int) -> Iterator[list[Tunnel]]:
    """The tunnels that were let in of those that are asked for at these gateways."""
    found = [each for each in opened(provider, *gateways) if each.status == 200]
    try:
        yield found
    finally:
        for each in found:
            each.close()


def can_have(provider: Provider, *gateways: int) -> bool:
    """Whether one is let in at each of these gateways, all at a time."""
    with let_in(provider, *gateways) as found:
        return len(found) == len(gateways)


def test_the_number_of_tunnels_holds_over_all_gateways_with_and_without_a_manager(
    provider: Provider,
) -> None:
    both = (0, 1)
    until(lambda: can_have(provider, *both), PATIENCE_SECONDS)  # the gateways know the tenant
    for each in both:  # the manager knows who holds what, and each of them has heard of its part
        until(lambda each=each: can_have(provider, *[each] * LIMIT), PATIENCE_SECONDS)  # type: ignore[misc]
    with let_in(provider, 0, 0, 0, 1, 1, 1) as live:
        assert len(live) <= LIMIT
        (refused,) = opened(provider, 1)
        assert refused.status == 503
        assert f"{LIMIT} tunnels here and at other gateways" in refused.reason
    # All may be at either, and one that ends makes room at the other.
    for here, there in ((0, 1), (1, 0)):
        until(lambda here=here: can_have(provider, *[here] * LIMIT), PATIENCE_SECONDS)  # type: ignore[misc]
        with let_in(provider, *[here] * LIMIT) as live:
            assert len(live) == LIMIT
            with ThreadPoolExecutor(1) as threads:
                waiting = threads.submit(opened, provider, there)
                live.pop().close()
                (come,) = waiting.result()
            assert come.status == 200
            assert all(each.lives() for each in live)
            come.close()
    # Without a manager it is exceeded by one at most, and nobody gets none.
    until(lambda: can_have(provider, 0, 0, 1), PATIENCE_SECONDS)
    with let_in(provider, 0, 0, 1) as live:
        assert len(live) == LIMIT
        provider.kill_manager()
        with let_in(provider, 0, 0, 0, 1, 1, 1) as more:
            assert len(more) <= len(provider.gateways) - 1
            assert all(each.lives() for each in live)
    for gateway in range(len(provider.gateways)):
        until(lambda gateway=gateway: can_have(provider, gateway), PATIENCE_SECONDS)  # type: ignore[misc]
