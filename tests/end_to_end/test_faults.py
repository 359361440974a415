"""What happens when something is in the way, or is killed: the reason is told, nothing is left."""

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.running.product import (
    Client,
    Installation,
    accepts,
    envoy_among,
    installation,
    product,
)
from tests.support.running.tunnel import Tunnel, open_tunnel, repository
from tests.support.waiting import until

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def lasting_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("product") / "data") as made:
        yield made


@pytest.fixture
def site(lasting_site: Installation) -> Iterator[Installation]:
    """A product without a gateway, as it is again after the test."""
    yield lasting_site
    lasting_site.remove_gateways()


@pytest.fixture
def client(site: Installation) -> Iterator[Client]:
    with site.product.client() as made:
        yield made


def test_a_taken_port_is_named_within_15_seconds_and_no_gateway_is_left(client: Client) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        begun = time.monotonic()
        task = client.create_gateway(port)
        assert time.monotonic() - begun < 15
    assert task["Result"]["Success"] is False
    assert str(port) in task["Result"]["Message"]
    assert client.http.get("/cloud/gateways").json() == {"Refs": []}
    assert not accepts(port)
    assert client.create_gateway(port)["Result"]["Success"] is True
    assert accepts(port)


def test_an_address_that_is_not_the_hosts_is_named_and_no_gateway_is_left(client: Client) -> None:
    port = free_port()
    task = client.create_gateway(port, ExternalIp="192.0.2.77")
    assert task["Result"]["Success"] is False
    assert "192.0.2.77" in task["Result"]["Message"]
    assert client.http.get("/cloud/gateways").json() == {"Refs": []}
    assert not accepts(port)


def test_a_log_that_takes_no_line_ends_nothing(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    with product(data, log_file=Path("/dev/full")) as started, started.client() as client:
        assert client.create_gateway(port)["Result"]["Success"] is True
        os.kill(envoy_among(started.processes()), signal.SIGKILL)  # which is worth a line
        until(lambda: not accepts(port))
        until(lambda: accepts(port))
        refused = client.http.post("/sessionMngr/", auth=("admin", "wrong"), headers={})
        assert refused.status_code == 401
        task = client.done(client.http.delete(client.gateway()["Href"]))
        assert task["Result"]["Success"] is True


def test_a_killed_envoy_is_back_within_two_seconds(site: Installation, client: Client) -> None:
    port = free_port()
    client.create_gateway(port)
    os.kill(site.envoy, signal.SIGKILL)
    begun = time.monotonic()
    until(lambda: not accepts(port), 2)
    until(lambda: accepts(port), begun + 2 - time.monotonic())


@pytest.mark.parametrize("moment_seconds", [0.0, 0.05, 0.2])
def test_a_task_survives_a_kill_at_any_moment(site: Installation, moment_seconds: float) -> None:
    port = free_port()
    with site.product.client() as client:
        spec = {"ServerHostName": "127.0.0.1", "NetworkType": "Direct", "ExternalPort": port}
        answer = client.http.post("/cloud/gateways", json=spec)
        assert answer.status_code == 202
        time.sleep(moment_seconds)  # the moment of the kill is what is varied
    site.product.kill()
    site.start_again()
    with site.product.client() as client:
        task = client.done(answer)
        listed = client.http.get("/cloud/gateways").json()["Refs"]
        assert bool(listed) is task["Result"]["Success"]
        if listed:
            assert accepts(port)


def test_a_tunnel_outlives_a_killed_manager_and_a_new_start_adopts_the_gateway(
    site: Installation,
) -> None:
    port, target, login = free_port(), "vault.example:443", "acme:p4ssword"
    with repository() as address:
        with site.product.client() as client:
            client.create_gateway(port)
            client.add_tenant("acme", "p4ssword", client.add_repository("vault", target, address))
        envoy = site.envoy
        opened: list[Tunnel] = []

        def is_let_in() -> bool:
            opened.append(open_tunnel(port, site.product.ca_file, target, login))
            return opened[-1].status == 200

        until(is_let_in)
        tunnel = opened[-1]
        site.product.kill()
        assert accepts(port)
        site.start_again()
        with site.product.client() as client:
            assert client.gateway()["Enabled"] is True
            assert Path(f"/proc/{envoy}").exists()
            assert accepts(port)
            assert tunnel.lives()
        tunnel.close()


def test_a_second_start_on_the_same_folder_is_refused_in_words(site: Installation) -> None:
    with (
        pytest.raises(AssertionError, match="is running already on"),
        product(site.product.data),
    ):
        pass


def test_a_taken_api_port_is_refused_in_words(tmp_path: Path) -> None:
    with (
        socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken,
        pytest.raises(AssertionError, match="choose another with --port"),
        product(tmp_path / "data", port=taken.getsockname()[1]),
    ):
        pass


def test_a_gateway_without_files_is_a_warning_with_the_figure_until_it_has_some(
    site: Installation, client: Client
) -> None:
    client.create_gateway(free_port())
    envoy = site.envoy
    _, most = resource.prlimit(envoy, resource.RLIMIT_NOFILE)
    resource.prlimit(envoy, resource.RLIMIT_NOFILE, (40, most))

    def warning() -> str:
        found = client.http.get("/managedServers?format=Entity").json()
        return str(found["ManagedServers"][0].get("Warning", ""))

    until(lambda: "of the 40 files open" in warning(), said=warning)
    resource.prlimit(envoy, resource.RLIMIT_NOFILE, (most, most))
    until(lambda: "files open" not in warning(), said=warning)
