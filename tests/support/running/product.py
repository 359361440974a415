"""How does a test run the whole product? As a user would: `cloudgate up`, as real processes."""

import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.support.machine import processes, standing
from tests.support.observation import process_output
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, looks

PASSWORD = "correct horse battery staple"
_MARK = "CLOUDGATE_TEST_MARK"


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens on a port."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


@dataclass
class Product:
    """A running `cloudgate up`."""

    process: subprocess.Popen[str]
    data: Path
    port: int
    mark: str
    output: list[str] = field(default_factory=list)
    log_file: Path = Path()

    @property
    def url(self) -> str:
        """Address of the manager."""
        return f"https://localhost:{self.port}"

    @property
    def ca_file(self) -> Path:
        """What clients trust."""
        return self.data / "tls" / "ca.pem"

    @property
    def log(self) -> str:
        """What was written to standard error so far."""
        return self.log_file.read_text() if self.log_file.is_file() else "nothing that was kept"

    def processes(self) -> dict[int, str]:
        """The processes of this product that are running: id and command line."""
        return marked_processes(self.mark)

    def client(self) -> AbstractContextManager["Client"]:
        """A client of the REST API that has logged on."""
        return logged_on(self.url, self.ca_file)

    def interrupt(self) -> int:
        """Press Ctrl-C, and wait for the end."""
        return standing.end(self.process, self.log_file, signal.SIGINT, PATIENCE_SECONDS)

    def kill(self) -> None:
        """End the process that was started, and only it, without a chance to tidy up."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)


@dataclass
class Client:
    """The REST API, as far as most tests need it."""

    http: httpx2.Client

    def done(self, answer: httpx2.Response) -> dict[str, Any]:
        """The finished task of a 202 answer."""
        assert answer.status_code == 202, answer.text
        task: dict[str, Any] = answer.json()
        for _ in looks(PATIENCE_SECONDS):
            if task["State"] == "Finished":
                return task
            task = self.http.get(task["Href"]).raise_for_status().json()
        raise AssertionError(f"The task did not end: {task}")

    def create_gateway(self, port: int, server: str = "localhost", **more: Any) -> dict[str, Any]:
        """The finished task of a new gateway."""
        spec = {"ServerHostName": server, "NetworkType": "Direct", "ExternalPort": port, **more}
        return self.done(self.http.post("/cloud/gateways", json=spec))

    def gateway(self) -> dict[str, Any]:
        """The only gateway."""
        (entity,) = self.http.get("/cloud/gateways?format=Entity").json()["CloudGateways"]
        return dict(entity)

    def add_repository(self, name: str, endpoint: str, address: str) -> str:
        """The UID of a new repository."""
        spec = {"Name": name, "Endpoint": endpoint, "Address": address}
        return str(self.http.post("/repositories", json=spec).raise_for_status().json()["UID"])

    def add_tenant(self, name: str, password: str, *repository_uids: str) -> dict[str, Any]:
        """The finished task of a new tenant with a quota on each repository."""
        quotas = [
            {"Name": f"quota {number}", "RepositoryUid": uid, "QuotaMb": 10240}
            for number, uid in enumerate(repository_uids)
        ]
        spec = {"Name": name, "Password": password, "Resources": {"BackupResources": quotas}}
        return self.done(self.http.post("/cloud/tenants", json=spec))


@contextmanager
def logged_on(url: str, ca_file: Path) -> Iterator[Client]:
    """A client of a manager's REST API that has logged on."""
    with httpx2.Client(
        base_url=f"{url}/api",
        verify=ssl.create_default_context(cafile=str(ca_file)),
        headers={"Accept": "application/json"},
        timeout=PATIENCE_SECONDS,
    ) as http:
        http.post("/sessionMngr/", auth=("admin", PASSWORD)).raise_for_status()
        yield Client(http)


def marked_processes(mark: str) -> dict[int, str]:
    """The running processes that inherited a mark in their environment."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"{_MARK}={mark}".encode() in environment and command:
            found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


@contextmanager
def product(
    data: Path, *arguments: str, port: int | None = None, log_file: Path | None = None
) -> Iterator[Product]:
    """`cloudgate up` on a data folder, ready; whatever is left of it at the end is ended."""
    chosen = port or free_port()
    password_file = data.parent / "admin-password"
    password_file.write_text(PASSWORD)
    mark = uuid.uuid4().hex
    log_file = log_file or data.parent / f"up-{mark}.log"
    process_output.keep(log_file)
    command = [sys.executable, "-m", "cloudgate", "up", "--data", str(data), "--port", str(chosen)]
    if "--generate" not in arguments:
        command += ["--admin-password-file", str(password_file)]
    with log_file.open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **standing.environment(), _MARK: mark},
        )
    started = Product(process, data, chosen, mark, log_file=log_file)
    try:
        _wait_until_ready(started)
        yield started
    finally:
        try:
            standing.end(process, log_file)
        finally:
            assert process.stdout is not None
            process.stdout.close()
            processes.kill(marked_processes(mark))


class Installation:
    """A product that outlives its processes: tests kill it, and start it again."""

    def __init__(self, data: Path, stack: ExitStack) -> None:
        """Whatever was started is ended with `stack`."""
        self._stack = stack
        self.product = stack.enter_context(product(data))
        self._starts = [self.product]

    def start_again(self) -> None:
        """The operator starts once more what has ended."""
        before = self.product
        self.product = self._stack.enter_context(product(before.data, port=before.port))
        self._starts.append(self.product)

    def processes(self) -> dict[int, str]:
        """What runs, whichever start it came from: Envoy outlives them."""
        return {pid: said for each in self._starts for pid, said in each.processes().items()}

    @property
    def envoy(self) -> int:
        """The process of the only Envoy."""
        return envoy_among(self.processes())

    def remove_gateways(self) -> None:
        """Have no gateway, whatever a test has left."""
        with self.product.client() as client:
            for each in client.http.get("/cloud/gateways").json()["Refs"]:
                answer = client.http.delete(each["Href"], params={"drainSeconds": 0})
                assert client.done(answer)["Result"]["Success"], self.product.log


@contextmanager
def installation(data: Path) -> Iterator[Installation]:
    """An installation that runs."""
    with ExitStack() as stack:
        yield Installation(data, stack)


def envoy_among(processes: Mapping[int, str]) -> int:
    """The only process that is an Envoy."""
    (found,) = [
        process
        for process, command in processes.items()
        if "--config-path" in command or "envoy" in command.partition(" ")[0].rpartition("/")[2]
    ]
    return found


def _wait_until_ready(started: Product) -> None:
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert started.process.stdout is not None
        for line in started.process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        line = lines.get(timeout=max(deadline - time.monotonic(), 0.01))
        if line is None:
            raise AssertionError(f"cloudgate up ended: {started.output} {started.log}")
        started.output.append(line)
        if line == "ready":
            return
