"""How does a test watch the product? A manager and a host as processes, and where they show it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.support.machine import standing
from tests.support.ports import free_port
from tests.support.running.product import PASSWORD, Client, logged_on
from tests.support.waiting import PATIENCE_SECONDS, until

START_SECONDS = 120.0


class SystemdSocket:
    """Hears what a service tells systemd."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)  # of a service that was started before
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.02)
        self.path = path
        self._lines: list[str] = []

    @property
    def lines(self) -> list[str]:
        """All that was said so far."""
        try:
            while True:
                self._lines += self._socket.recv(65536).decode().splitlines()
        except TimeoutError:
            return self._lines

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


@dataclass
class Service:
    """A process of the product, and where it shows itself."""

    process: "subprocess.Popen[bytes]"
    metrics_port: int
    systemd: SystemdSocket
    log: Path

    @property
    def url(self) -> str:
        """Where it shows its health and figures."""
        return f"http://127.0.0.1:{self.metrics_port}"

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """What it shows there."""
        return httpx2.get(f"{self.url}{path}", headers=headers, timeout=PATIENCE_SECONDS)

    def is_ready(self) -> bool:
        """Whether it answers that it is ready."""
        try:
            return self.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def stands(self) -> str:
        """What it has logged, and where it is at this moment."""
        return standing.stands(self.process, self.log)

    def end(self) -> int:
        """End it as systemd does. Its status."""
        return standing.end(self.process, self.log)


@dataclass
class Site:
    """A manager, and a host with a gateway."""

    folder: Path
    stack: ExitStack
    manager_options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)
    sources: Path | None = None
    """Of another release; this one's where None."""

    def __post_init__(self) -> None:
        self.password_file = self.folder / "password"
        self.password_file.write_text(PASSWORD)
        self.start_manager()

    def start_manager(self) -> None:
        """Start it; it is ready when this returns."""
        self.manager = self._run(
            "manager",
            *("serve", *self.folder_option, "--port", str(self.port)),
            *("--admin-password-file", str(self.password_file)),
            *self.manager_options,
        )
        until(self.manager.is_ready, START_SECONDS, said=self.manager.stands)

    @property
    def data(self) -> Path:
        """The manager's data folder."""
        return self.folder / "manager"

    @property
    def folder_option(self) -> tuple[str, str]:
        """Names it to a command."""
        return "--data", str(self.data)

    @property
    def ca_file(self) -> Path:
        """What clients of the manager trust."""
        return self.data / "tls" / "ca.pem"

    def client(self) -> AbstractContextManager[Client]:
        """A client of the REST API that has logged on."""
        return logged_on(f"https://localhost:{self.port}", self.ca_file)

    def add_host(self, name: str = "gw1.example") -> Service:
        """A host that has joined, without a gateway."""
        with self.client() as client:
            if not client.http.get("/backupServers").json()["Refs"]:
                self.say("backup-server", "create", "site.example")
        shown = self.say("server", "create", name)
        line = next(line for line in shown.splitlines() if "host join" in line)
        state = str(self.folder / name)
        words = [re.sub(r"^https://[^/]*:", "https://localhost:", each) for each in line.split()]
        self.say(*words[1:], "--data", state)
        self.host = self._run(name, "host", "run", "--data", state)
        return self.host

    def add_gateway(self, name: str = "gw1.example") -> None:
        """The role for that host."""
        with self.client() as client:
            task = client.create_gateway(self.gateway_port, name, ExternalIp="localhost")
        assert task["Result"]["Success"] is True, task

    def say(self, *words: str | Path) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "cloudgate", *map(str, words)]
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **standing.environment(),
            **self._another_release(),
            "CLOUDGATE_URL": f"https://localhost:{self.port}",
            "CLOUDGATE_CA": str(self.ca_file),
            "CLOUDGATE_PASSWORD_FILE": str(self.password_file),
            "HOME": str(self.folder),
        }

    def _another_release(self) -> dict[str, str]:
        if self.sources is None:
            return {}
        return {"PYTHONPATH": f"{standing.environment()['PYTHONPATH']}{os.pathsep}{self.sources}"}

    def _run(self, name: str, *words: str) -> Service:
        metrics, systemd = free_port(), SystemdSocket(self.folder / f"{name}.notify")
        self.stack.callback(systemd.close)
        path = self.folder / f"{name}.log"
        log = self.stack.enter_context(path.open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", "cloudgate", *words, "--metrics-listen", f"127.0.0.1:{metrics}"],
            env=self._environment()
            | {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "1500000"},
            stdout=log,
            stderr=log,
        )
        self.stack.callback(standing.end, process, path)
        return Service(process, metrics, systemd, path)


@contextmanager
def site(folder: Path, *manager_options: str) -> Iterator[Site]:
    """A manager that runs, and all that is added to it, until the end."""
    with ExitStack() as stack:
        yield Site(folder, stack, manager_options)
