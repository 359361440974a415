"""Does an operator see what goes on, close one tunnel, and hold maintenance, on a real product?"""

import base64
import json
import socket
import ssl
from pathlib import Path

import pytest

from tests.end_to_end.commands import cloudgate
from tests.support.ports import free_port
from tests.support.running.product import Product, product
from tests.support.running.tunnel import echo
from tests.support.waiting import PATIENCE_SECONDS, looks, until

pytestmark = pytest.mark.end_to_end


def connect(started: Product, port: int) -> tuple[ssl.SSLSocket, str]:
    """A tunnel, and what the gateway says."""
    context = ssl.create_default_context(cafile=str(started.ca_file))
    raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    tunnel = context.wrap_socket(raw, server_hostname="localhost")
    login = base64.b64encode(b"acme:p4ssword").decode()
    request = f"CONNECT vault.example:8443 HTTP/1.1\r\nProxy-Authorization: Basic {login}\r\n\r\n"
    tunnel.sendall(request.encode())
    return tunnel, tunnel.recv(4096).decode()


def echoes(tunnel: ssl.SSLSocket) -> bool:
    """Whether a tunnel carries data both ways."""
    tunnel.sendall(b"ping")
    return tunnel.recv(4096) == b"ping"


def live(started: Product, tunnels: int) -> list[dict[str, object]]:
    """The live tunnels, once there are so many."""
    for _ in looks(PATIENCE_SECONDS):
        printed = cloudgate(started, "gateway", "tunnels", "localhost", "-o", "json")
        found: list[dict[str, object]] = json.loads(printed)["CloudGatewayTunnels"]
        if len(found) == tunnels:
            return found
    raise AssertionError(f"{found} is shown")


def test_an_operator_sees_tunnels_closes_one_and_holds_maintenance(tmp_path: Path) -> None:
    port = free_port()
    with (
        product(tmp_path / "data") as started,
        echo() as address,
        started.client() as client,
    ):
        client.create_gateway(port)
        uid = client.add_repository("vault", "vault.example:8443", address)
        client.add_tenant("acme", "p4ssword", uid)
        other, said = connect(started, port)
        assert "200" in said
        tunnel, said = connect(started, port)
        assert "200" in said
        own = "{}:{}".format(*tunnel.getsockname()[:2])
        (shown,) = [each for each in live(started, 2) if each["Client"] == own]
        assert shown["Tenant"] == "acme"
        assert shown["Target"] == "vault.example:8443"

        closed = cloudgate(started, "gateway", "close-tunnel", "localhost", str(shown["TunnelId"]))
        assert "Closed" in closed
        assert tunnel.recv(1) == b""
        tunnel.close()
        assert echoes(other)
        tunnel, said = connect(started, port)
        assert "200" in said
        assert echoes(tunnel)
        tunnel.close()
        other.close()

        begun = cloudgate(
            started, "maintenance", "begin", "--message", "New disks.", "--no-restores"
        )
        assert "New disks." in begun

        def is_refused_with_the_reason() -> bool:
            tunnel, said = connect(started, port)
            tunnel.close()
            return " 503 " in said and "New disks." in said

        until(is_refused_with_the_reason)
        cloudgate(started, "maintenance", "end")
        assert "false" in cloudgate(started, "maintenance", "show").lower()
