"""Does `cloudgate gateway drain` show how it goes, and see the drain to its end?"""

import base64
import os
import pty
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from typer.testing import CliRunner

from cloudgate.cli.app import app
from cloudgate.client.core import tasks
from tests.support.ports import free_port
from tests.support.running.product import PASSWORD, Installation, Product, installation
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.end_to_end
Way = Callable[[dict[str, str]], AbstractContextManager["WatchedCommand"]]
COMMAND = [sys.executable, "-m", "cloudgate", "gateway", "drain", "localhost"]


class WatchedCommand:
    """A command that runs, and all that it has said so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", descriptor: int) -> None:
        self._process = process
        self._said = b""
        self._reading = threading.Thread(target=self._read, args=(descriptor,), daemon=True)
        self._reading.start()

    @property
    def text(self) -> str:
        """Without what steers the terminal, and in one line."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._said.decode(errors="replace"))
        return " ".join(plain.split())

    def says(self, words: str) -> bool:
        """Wait until it has said that."""

        def is_said() -> bool:
            has_ended = not self._reading.is_alive()
            assert words in self.text or not has_ended, self.text
            return words in self.text

        return until(is_said, said=lambda: self.text)

    def ends(self) -> int:
        """Wait for its end; its status."""
        status = self._process.wait(PATIENCE_SECONDS)
        self._reading.join(PATIENCE_SECONDS)
        return status

    def _read(self, descriptor: int) -> None:
        # A terminal whose last program has ended gives an error (Linux: EIO).
        with open(descriptor, "rb", buffering=0) as stream:
            while data := _read_or_nothing(stream.fileno()):
                self._said += data


def _read_or_nothing(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


@contextmanager
def at_a_terminal(environment: dict[str, str]) -> Iterator[WatchedCommand]:
    """The command, and somebody who watches it."""
    own, its = pty.openpty()
    terminal = {**environment, "TERM": "xterm-256color"}
    with subprocess.Popen(COMMAND, env=terminal, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        yield WatchedCommand(process, own)


@contextmanager
def by_a_script(environment: dict[str, str]) -> Iterator[WatchedCommand]:
    """The command where nobody is watching."""
    out, nothing, both = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
    with subprocess.Popen(
        COMMAND, env=environment, stdin=nothing, stdout=out, stderr=both
    ) as process:
        assert process.stdout is not None
        yield WatchedCommand(process, os.dup(process.stdout.fileno()))


def environment(started: Product) -> dict[str, str]:
    """Where the manager is, and who asks."""
    return {
        **os.environ,
        "HOME": str(started.data.parent),
        "CLOUDGATE_URL": started.url,
        "CLOUDGATE_CA": str(started.ca_file),
        "CLOUDGATE_PASSWORD": PASSWORD,
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A product with a tenant, and a repository that lets in and says nothing."""
    with (
        installation(tmp_path_factory.mktemp("product") / "data") as made,
        socket.create_server(("127.0.0.1", 0)) as repository,
        made.product.client() as client,
    ):
        address = f"127.0.0.1:{repository.getsockname()[1]}"
        uid = client.add_repository("vault", "vault.example:8443", address)
        client.add_tenant("acme", "p4ssword", uid)
        yield made


@pytest.fixture
def tunnels(site: Installation) -> Iterator[list[ssl.SSLSocket]]:
    """Two live tunnels of a gateway, whatever the test before has left."""
    if site.product.process.poll() is not None:
        site.start_again()
    site.remove_gateways()
    port = free_port()
    with site.product.client() as client:
        assert client.create_gateway(port)["Result"]["Success"] is True
    opened = [connect(site.product, port) for _ in range(2)]
    yield list(opened)
    for tunnel in opened:
        tunnel.close()


def connect(started: Product, port: int) -> ssl.SSLSocket:
    """A tunnel."""
    context = ssl.create_default_context(cafile=str(started.ca_file))
    raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    tunnel = context.wrap_socket(raw, server_hostname="localhost")
    login = base64.b64encode(b"acme:p4ssword").decode()
    request = f"CONNECT vault.example:8443 HTTP/1.1\r\nProxy-Authorization: Basic {login}\r\n\r\n"
    tunnel.sendall(request.encode())
    assert b" 200 " in tunnel.recv(4096)
    return tunnel


@pytest.mark.parametrize("way", [at_a_terminal, by_a_script], ids=["terminal", "script"])
def test_it_shows_how_many_tunnels_are_left_and_ends_with_the_last_one(
    site: Installation, tunnels: list[ssl.SSLSocket], way: Way
) -> None:
    with way(environment(site.product)) as watched:
        assert watched.says("localhost: Draining, 2 tunnels are left")
        tunnels.pop().close()
        assert watched.says("localhost: Draining, 1 tunnel is left")
        tunnels.pop().close()
        assert watched.ends() == 0
        assert "2 finished by themselves and 0 were closed" in watched.text
        if way is by_a_script:
            assert watched.text.count("1 tunnel is left") == 1


def test_a_manager_that_is_killed_meanwhile_does_not_end_it(
    site: Installation, tunnels: list[ssl.SSLSocket]
) -> None:
    with at_a_terminal(environment(site.product)) as watched:
        assert watched.says("2 tunnels are left")
        site.product.kill()
        assert watched.says("Its task goes on")
        tunnels.pop().close()
        site.start_again()
        assert watched.says("1 tunnel is left")
        tunnels.pop().close()
        assert watched.ends() == 0
        assert "2 finished by themselves and 0 were closed" in watched.text


def test_a_manager_that_stays_away_ends_it_with_the_way_to_go_on(
    site: Installation, tunnels: list[ssl.SSLSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "PATIENCE_SECONDS", 0.5)
    for name, value in environment(site.product).items():
        monkeypatch.setenv(name, value)
    results = []
    running = threading.Thread(target=lambda: results.append(CliRunner().invoke(app, COMMAND[3:])))
    running.start()
    with site.product.client() as client:
        until(lambda: client.gateway()["State"] == "Draining")
    site.product.kill()
    running.join(PATIENCE_SECONDS)
    (result,) = results
    assert result.exit_code == 1
    assert re.search(r"The task goes on .* cloudgate task show task-\d+ tells", result.stderr)
