"""What happens when something is in the way, or is killed: the reason is told, nothing is left."""

import os
import resource
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.product import Product, accepts, product
from tests.support.tunnel import Tunnel, open_tunnel, repository
from tests.support.waiting import until

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def envoy_of(started: Product) -> int:
    (found,) = [
        process
        for process, command in started.processes().items()
        if "--config-path" in command or "envoy" in command.partition(" ")[0].rpartition("/")[2]
    ]
    return found


def test_a_taken_port_is_named_within_15_seconds_and_no_gateway_is_left(data: Path) -> None:
    with product(data) as started, started.client() as client:
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


def test_an_address_that_is_not_the_hosts_is_named_and_no_gateway_is_left(data: Path) -> None:
    port = free_port()
    with product(data) as started, started.client() as client:
        task = client.create_gateway(port, ExternalIp="192.0.2.77")
        assert task["Result"]["Success"] is False
        assert "192.0.2.77" in task["Result"]["Message"]
        assert client.http.get("/cloud/gateways").json() == {"Refs": []}
        assert not accepts(port)


def test_a_log_that_takes_no_line_ends_nothing(data: Path) -> None:
    port = free_port()
    with product(data, log_file=Path("/dev/full")) as started, started.client() as client:
        assert client.create_gateway(port)["Result"]["Success"] is True
        os.kill(envoy_of(started), signal.SIGKILL)  # which is worth a line
        until(lambda: not accepts(port))
        until(lambda: accepts(port))
        refused = client.http.post("/sessionMngr/", auth=("admin", "wrong"), headers={})
        assert refused.status_code == 401
        task = client.done(client.http.delete(client.gateway()["Href"]))
        assert task["Result"]["Success"] is True


def test_a_killed_envoy_is_back_within_two_seconds(data: Path) -> None:
    port = free_port()
    with product(data) as started, started.client() as client:
        client.create_gateway(port)
        os.kill(envoy_of(started), signal.SIGKILL)
        begun = time.monotonic()
        until(lambda: not accepts(port), 2)
        until(lambda: accepts(port), begun + 2 - time.monotonic())


@pytest.mark.parametrize("moment_seconds", [0.0, 0.05, 0.2])
def test_a_task_survives_a_kill_at_any_moment(data: Path, moment_seconds: float) -> None:
    port = free_port()
    with product(data) as started:
        with started.client() as client:
            spec = {"ServerHostName": "127.0.0.1", "NetworkType": "Direct", "ExternalPort": port}
            answer = client.http.post("/cloud/gateways", json=spec)
            assert answer.status_code == 202
            time.sleep(moment_seconds)  # the moment of the kill is what is varied
        started.kill()
        with product(data, port=started.port) as again, again.client() as client:
            task = client.done(answer)
            listed = client.http.get("/cloud/gateways").json()["Refs"]
            assert bool(listed) is task["Result"]["Success"]
            if listed:
                assert accepts(port)


def test_a_tunnel_outlives_a_killed_manager_and_a_new_start_adopts_the_gateway(
    data: Path,
) -> None:
    port, target, login = free_port(), "vault.example:443", "acme:p4ssword"
    with repository() as address, product(data) as started:
        with started.client() as client:
            client.create_gateway(port)
            client.add_tenant("acme", "p4ssword", client.add_repository("vault", target, address))
        envoy = envoy_of(started)
        opened: list[Tunnel] = []

        def is_let_in() -> bool:
            opened.append(open_tunnel(port, started.ca_file, target, login))
            return opened[-1].status == 200

        until(is_let_in)
        tunnel = opened[-1]
        started.kill()
        assert accepts(port)
        with product(data, port=started.port) as again, again.client() as client:
            assert client.gateway()["Enabled"] is True
            assert Path(f"/proc/{envoy}").exists()
            assert accepts(port)
            assert tunnel.lives()
        tunnel.close()


def test_a_second_start_on_the_same_folder_is_refused_in_words(data: Path) -> None:
    with (
        product(data),
        pytest.raises(AssertionError, match="is running already on"),
        product(data),
    ):
        pass


def test_a_taken_api_port_is_refused_in_words(data: Path) -> None:
    with (
        socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken,
        pytest.raises(AssertionError, match="choose another with --port"),
        product(data, port=taken.getsockname()[1]),
    ):
        pass


def test_a_gateway_without_files_is_a_warning_with_the_figure_until_it_has_some(
    data: Path,
) -> None:
    with product(data) as started, started.client() as client:
        client.create_gateway(free_port())
        envoy = envoy_of(started)
        _, most = resource.prlimit(envoy, resource.RLIMIT_NOFILE)
        resource.prlimit(envoy, resource.RLIMIT_NOFILE, (40, most))

        def warning() -> str:
            found = client.http.get("/managedServers?format=Entity").json()
            return str(found["ManagedServers"][0].get("Warning", ""))

        until(lambda: "of the 40 files open" in warning(), said=warning)
        resource.prlimit(envoy, resource.RLIMIT_NOFILE, (most, most))
        until(lambda: "files open" not in warning(), said=warning)
