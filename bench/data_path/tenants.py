"""Many tenants: what does a gateway feel of many tenants?"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.report import Goal, Section, table
from bench.testbed.accounting import memory_kib
from bench.testbed.gateway import gateway_proxy, host_service
from bench.testbed.load import Load, load
from bench.testbed.machine import PROXY_CORES, pinned
from bench.testbed.proxies import Proxy
from bench.testbed.tunnels import (
    PATIENCE_SECONDS,
    TunnelRefusedError,
    Way,
    client_context,
    connect_request,
    open_tunnel,
)
from cloudgate.host.state.paths import state_paths
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.repositories.operations import RepositoryChange, create_repository
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.servers.backup_servers import BackupServerSettings, create_backup_server
from cloudgate.manager.sessions.accounts import ensure_administrator
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import CloudTenant, TenantResource
from cloudgate.manager.tenants import rules
from cloudgate.trust.password_hashes import hash_password
from tests.support.ports import free_port
from tests.support.running.product import PASSWORD, product

FEW = 10
TARGETS = 3
ROUNDS = 4
SETTLE_SECONDS = 0.3
WANTED_PART = 0.10
_TENANT_PASSWORD = "p4ssword"


@dataclass
class LoadedGateway:
    """A gateway that knows so many tenants."""

    proxy: Proxy
    seconds: float
    """From the gateway's creation until the last tenant is let in."""
    mib: float
    """Memory of the host service."""


def measure(folder: Path, many: int, tunnels: int) -> Section:
    """Compare a gateway of few tenants with one of many, in alternation."""
    folder.mkdir()
    with ExitStack() as stack:
        work = stack.enter_context(load())
        both = [_loaded(stack, folder / str(tenants), work, tenants) for tenants in (FEW, many)]
        costs: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            for found, loaded in zip(costs, both, strict=True):
                found.append(_cpu_ms(work, loaded.proxy, tunnels))
    more = median(theirs / ours for ours, theirs in zip(*costs, strict=True)) - 1
    head = (f"Tenants with {TARGETS} targets each", f"{FEW}", f"{many:,}")
    rows = [
        ("until the last one is let in, s", *(f"{each.seconds:.1f}" for each in both)),
        ("memory of the host service, MiB", *(f"{each.mib:.0f}" for each in both)),
        ("CPU of a new tunnel, ms", *(f"{median(each):.2f}" for each in costs)),
    ]
    goal = Goal(
        f"CPU of a new tunnel with {many:,} tenants",
        f"at most {WANTED_PART:.0%} more",
        f"{more:+.0%}",
        more <= WANTED_PART,
    )
    note = "The same gateway twice, on one core; proxy and authorizer together."
    return Section("Many tenants", note, table(head, rows), (goal,))


def _loaded(stack: ExitStack, data: Path, work: Load, tenants: int) -> LoadedGateway:
    _fill(data, tenants, f"127.0.0.1:{work.port}")
    with pinned(PROXY_CORES):
        started = stack.enter_context(product(data))
    client = stack.enter_context(started.client())
    port = free_port()
    way = Way(port, connect_request("vault0.example:443", f"t{tenants - 1}", _TENANT_PASSWORD))
    begin = time.perf_counter()
    client.create_gateway(port)
    context = client_context()
    while True:
        try:
            open_tunnel(way, context).close()
            break
        except (OSError, TunnelRefusedError):
            if time.perf_counter() - begin > 3 * PATIENCE_SECONDS:
                raise
            time.sleep(0.05)
    seconds = time.perf_counter() - begin
    host = host_service(started.process.pid)
    return LoadedGateway(
        gateway_proxy(state_paths(data / "host"), way, host), seconds, memory_kib([host]) / 1024
    )


def _cpu_ms(work: Load, proxy: Proxy, tunnels: int) -> float:
    used = proxy.cpu_seconds() + proxy.authorizer_cpu_seconds()
    wall = work.open_one_by_one(proxy.way, tunnels, 1)
    time.sleep(SETTLE_SECONDS)
    spent = proxy.cpu_seconds() + proxy.authorizer_cpu_seconds() - used
    return 1000 * spent / (len(wall) + 1)


def _fill(data: Path, tenants: int, address: str) -> None:
    """A data folder with these tenants, before its manager is started."""
    (data / "tls").mkdir(parents=True)
    database = Database(sqlite_url(data / "cloudgate.db"))
    manager = Manager(database, open_authority(data / "tls"), open_sealing(data))
    ensure_administrator(manager, PASSWORD)
    password_hash = hash_password(_TENANT_PASSWORD)
    with manager.changing() as work:
        site = create_backup_server(work, BackupServerSettings(name="localhost"))
        work.session.flush()
        vaults = [
            create_repository(
                work,
                RepositoryChange(
                    name=f"vault{number}", endpoint=f"vault{number}.example:443", address=address
                ),
                None,
            )
            for number in range(TARGETS)
        ]
        revision = work.next_directory_revision()
        for number in range(tenants):
            name = f"t{number}"
            tenant = CloudTenant(
                backup_server_id=site.id,
                name=name,
                login=rules.login(name),
                directory_revision=revision,
                password_hash=password_hash,
            )
            work.session.add(tenant)
            tenant.resources = [
                TenantResource(
                    repository_id=vault.id, position=position, name=vault.name, quota_mb=1024
                )
                for position, vault in enumerate(vaults)
            ]
    database.close()
