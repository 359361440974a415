"""Does an operator see what goes on, close one tunnel, and hold maintenance, on a real product?"""

import base64
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.product import PASSWORD, Product, free_port, product

pytestmark = pytest.mark.end_to_end


@contextmanager
def listener() -> Iterator[socket.socket]:
    """A repository that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def cloudgate(started: Product, *arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "cloudgate", *arguments],
        env={
            **os.environ,
            "HOME": str(started.data.parent),
            "CLOUDGATE_URL": started.url,
            "CLOUDGATE_CA": str(started.ca_file),
            "CLOUDGATE_PASSWORD": PASSWORD,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def connect(started: Product, port: int) -> tuple[ssl.SSLSocket, str]:
    """A tunnel, and what the gateway says."""
    context = ssl.create_default_context(cafile=str(started.ca_file))
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    tunnel = context.wrap_socket(raw, server_hostname="localhost")
    login = base64.b64encode(b"acme:p4ssword").decode()
    request = f"CONNECT vault.example:8443 HTTP/1.1\r\nProxy-Authorization: Basic {login}\r\n\r\n"
    tunnel.sendall(request.encode())
    return tunnel, tunnel.recv(4096).decode()


def live(started: Product) -> list[dict[str, object]]:
    """The live tunnels, once there are some."""
    for _ in range(50):
        printed = cloudgate(started, "gateway", "tunnels", "localhost", "-o", "json")
        found: list[dict[str, object]] = json.loads(printed)["CloudGatewayTunnels"]
        if found:
            return found
        threading.Event().wait(0.1)
    raise AssertionError("no tunnel is shown")


def test_an_operator_sees_tunnels_closes_one_and_holds_maintenance(tmp_path: Path) -> None:
    port = free_port()
    with (
        product(tmp_path / "data") as started,
        listener() as repository,
        started.client() as client,
    ):
        client.create_gateway(port)
        address = f"127.0.0.1:{repository.getsockname()[1]}"
        uid = client.add_repository("vault", "vault.example:8443", address)
        client.add_tenant("acme", "p4ssword", uid)
        tunnel, said = connect(started, port)
        assert "200" in said
        (shown,) = live(started)
        assert shown["Tenant"] == "acme"
        assert shown["Target"] == "vault.example:8443"
        own = "{}:{}".format(*tunnel.getsockname()[:2])
        assert shown["Client"] == own

        closed = cloudgate(started, "gateway", "close-tunnel", "localhost", str(shown["TunnelId"]))
        assert "Closed" in closed
        assert tunnel.recv(1) == b""
        tunnel.close()

        begun = cloudgate(
            started, "maintenance", "begin", "--message", "New disks.", "--no-restores"
        )
        assert "New disks." in begun
        for _ in range(50):
            tunnel, said = connect(started, port)
            tunnel.close()
            if "503" in said:
                break
            threading.Event().wait(0.1)
        assert "New disks." in said
        cloudgate(started, "maintenance", "end")
        assert "false" in cloudgate(started, "maintenance", "show").lower()
