"""Gateway under test: how is it made? By the product: `cloudgate up` and calls of its API."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.testbed.accounting import children, thread_names
from bench.testbed.load import load
from bench.testbed.machine import PROXY_CORES, pinned
from bench.testbed.proxies import GATEWAY, GATEWAY_BY_HTTP, Material, Proxy
from bench.testbed.tunnels import (
    PATIENCE_SECONDS,
    TunnelRefusedError,
    client_context,
    connect_request,
    open_tunnel,
)
from bench.testbed.tunnels import Way as Through
from cloudgate.host.envoy.data_path.choice import VARIABLE, DataPathKind
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.protocol import Assignment
from tests.support.ports import free_port
from tests.support.running.product import Client, product

_TENANT, _PASSWORD, _TARGET = "acme", "p4ssword", "vault.example:443"
_WORKER = "wrk:worker"


NAMES = {DataPathKind.MODULE: GATEWAY, DataPathKind.HTTP: GATEWAY_BY_HTTP}


@contextmanager
def gateway(
    folder: Path, repository_port: int, way: DataPathKind = DataPathKind.MODULE
) -> Iterator[tuple[Proxy, Material]]:
    """A gateway that lets a tenant in, and what others need to do the same work.

    Args:
        folder: for all of its files.
        repository_port: of the repository that tunnels lead to.
        way: which way they go through Envoy.
    """
    data, port = folder / f"data-{way}", free_port()
    with ExitStack() as stack:
        with pinned(PROXY_CORES), _environment(VARIABLE, way):
            started = stack.enter_context(product(data))
        client = stack.enter_context(started.client())
        task = client.create_gateway(port)
        if task["Result"]["Success"] is not True:
            raise RuntimeError(f"There is no gateway: {task['Result']['Message']}")
        vault = client.add_repository("vault", _TARGET, f"127.0.0.1:{repository_port}")
        client.add_tenant(_TENANT, _PASSWORD, vault)
        paths = state_paths(data / "host")
        through = Through(port, connect_request(_TARGET, _TENANT, _PASSWORD))
        ciphersuite = _ciphersuite(through)
        material = Material(folder, _certificate(paths, folder), repository_port, ciphersuite)
        host = host_service(started.process.pid)
        yield gateway_proxy(paths, through, host, NAMES[way]), material


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def gateway_proxy(
    paths: StatePaths, way: Through, host_service_pid: int, name: str = GATEWAY
) -> Proxy:
    """The gateway that this host service runs; an Envoy of one worker."""
    envoy_pid = int(json.loads(paths.roster.read_text())["current"]["pid"])
    workers = sum(name.startswith(_WORKER) for name in thread_names(envoy_pid))
    if workers != 1:
        raise RuntimeError(f"Envoy has {workers} workers, where one core is compared.")
    return Proxy(name, way, (envoy_pid,), (host_service_pid,))


@contextmanager
def provider(folder: Path, *tenants: str) -> Iterator[tuple[Client, dict[str, Through]]]:
    """A product with a repository that answers, and how each of these tenants comes in there."""
    folder.mkdir()
    with load() as work, product(folder / "data") as started, started.client() as client:
        port = free_port()
        client.create_gateway(port)
        vault = client.add_repository("vault", _TARGET, f"127.0.0.1:{work.port}")
        for each in tenants:
            client.add_tenant(each, _PASSWORD, vault)
        yield (
            client,
            {each: Through(port, connect_request(_TARGET, each, _PASSWORD)) for each in tenants},
        )


def host_service(manager_pid: int) -> int:
    """The process id of the host service that `cloudgate up` has started."""
    (found,) = (
        pid for pid in children(manager_pid) if b"host" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return found


def _ciphersuite(way: Through) -> str:
    """What the gateway agrees on with a client; asked until it knows the tenant."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with open_tunnel(way, client_context()) as tunnel:
                name, _, _ = tunnel.cipher() or ("", "", 0)
                return name
        except TunnelRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _certificate(paths: StatePaths, folder: Path) -> Path:
    """The gateway's certificate with its key, for the others to use too."""
    wanted = Assignment.model_validate_json(paths.assignment.read_text()).gateway
    if wanted is None:
        raise RuntimeError("The gateway has gone.")
    file = folder / "certificate.pem"
    file.write_text(wanted.certificate_chain_pem + paths.private_key.read_text())
    return file
