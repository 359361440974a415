"""Launcher: how is Cloudgate started and stopped in one process tree, with nothing left?"""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import (
    suppress,
)
from functools import partial
from pathlib import Path

import structlog

from cloudgate.background import Background, FailingJob, Job
from cloudgate.cli.service.logs import log_to_stderr
from cloudgate.cli.service.manager.greeting import say
from cloudgate.cli.service.manager.leader_election import run_elected
from cloudgate.cli.service.manager.options import Options
from cloudgate.cli.service.manager.serving import (
    administrator,
    alone,
    served,
    started,
    telling_systemd,
)
from cloudgate.errors import UnavailableError
from cloudgate.host.manager_link.join import join_host
from cloudgate.host.state.paths import state_paths
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.gateways.operations import (
    list_gateways,
    settings_in_force,
    wanted_settings,
)
from cloudgate.manager.gateways.rules import listening_addresses, listening_port
from cloudgate.manager.host_protocol.enrolment import new_token, preregister
from cloudgate.manager.servers.backup_servers import (
    BackupServerSettings,
    create_backup_server,
    list_backup_servers,
)
from cloudgate.manager.servers.managed_servers import list_managed_servers

log = structlog.get_logger(__name__)

STOP_SECONDS = 30.0
"""How long the host service may take to end, also where it has hardly started: killed, it would
leave Envoy and its ports behind."""
RESTART_SECONDS = 1.0
"""How long to wait before a host service that died is started again."""
LONGEST_RESTART_SECONDS = 5.0
"""Before it is started once more, however often it has ended."""
GATEWAY_SECONDS = 30.0
"""How long at most it waits for the gateway of this machine before it says that it is ready."""
_Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def run_serve(options: Options) -> None:
    """The manager alone, until SIGINT or SIGTERM; on a server's database it may stand by."""
    log_to_stderr()
    with started(options) as service:
        if service.lease is None:
            async with service.leading():
                await service.stop.wait()
        else:
            await run_elected(
                service.lease, service.stop, lead=service.leading, stand_by=service.standing_by
            )
        say("stopping")


async def run_up(options: Options) -> None:
    """Manager, local backup server and local managed server, until SIGINT or SIGTERM."""
    log_to_stderr()
    with started(options) as service, alone(service):
        manager = service.new_manager()
        password = administrator(manager, options)
        token = _local_server_token(manager)
        async with served(manager, options, service.listeners) as server:
            url = f"https://localhost:{options.port}"
            await join_host(options.data / "host", url, token, manager.authority.certificate_pem)
            host = asyncio.create_task(_host_running(manager, options.data).run())
            stopped = asyncio.create_task(service.stop.wait())
            back = asyncio.create_task(_gateway_back(manager, options.data))
            try:
                await asyncio.wait({stopped, back}, return_when=asyncio.FIRST_COMPLETED)
                if not stopped.done():
                    await service.greet(manager, password)
                async with telling_systemd(manager, server):
                    await stopped
                say("stopping")
            finally:
                for each in (host, back):
                    each.cancel()
                await asyncio.gather(host, back, return_exceptions=True)


def _local_server_token(manager: Manager) -> str:
    """See to the local backup server and managed server; a token for the latter to join with."""
    with manager.changing() as work:
        local = next((server for server in list_managed_servers(work) if server.local), None)
        if local is not None:
            return new_token(work, local)
        site = next((s for s in list_backup_servers(work) if s.name == "localhost"), None)
        if site is None:
            settings = BackupServerSettings(
                name="localhost", description="The backup server of this machine."
            )
            site = create_backup_server(work, settings)
        _, token = preregister(
            work, site, socket.gethostname(), description="This machine.", local=True
        )
        return token


def _host_running(manager: Manager, data: Path) -> Background:
    """Keeps the host service running as a child, and says so where it does not."""
    job = Job(
        name="Running the host service of this machine",
        attempt=partial(_run_host_service, data),
        interval_seconds=RESTART_SECONDS,
        longest_pause_seconds=LONGEST_RESTART_SECONDS,
        lasts=True,
    )

    def note(name: str, failing: FailingJob | None) -> None:
        manager.warn(name, failing.text if failing else "")

    background = Background([job], on_change=note)
    manager.warnings.await_kinds(lambda: background.untried)
    return background


async def _run_host_service(data: Path) -> None:
    """Until it ends; it is ended when this is cancelled.

    Raises:
        OSError: it cannot be started.
        UnavailableError: it has ended.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cloudgate",
        "host",
        "run",
        "--with-parent",
        str(os.getpid()),
        "--data",
        str(data),
        "--until-input-ends",
        # By its end it is told to end, however young it is: a signal may come before it is heard.
        stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        status = await child.wait()
    except asyncio.CancelledError:
        await _end(child)
        raise
    raise UnavailableError(f"It has ended with status {status}, and is started again.")


async def _gateway_back(manager: Manager, data: Path) -> None:
    """Wait until this machine's gateway, should it have one, lets tenants in; but not for ever.

    One that drains lets nobody in any more, whatever was in force before.
    """
    with manager.reading() as work:
        here = [each for each in list_gateways(work) if each.managed_server.local]
        open_ = [each for each in here if not each.removing and wanted_settings(each).enabled]
        known = [each for each in map(settings_in_force, open_) if each.enabled]
        listeners = [
            (address, listening_port(each))
            for each in known
            for address in listening_addresses(each)[:1] or ("localhost",)
        ]
    authorizer = str(state_paths(data / "host").authorizer_socket)
    with suppress(TimeoutError):
        async with asyncio.timeout(GATEWAY_SECONDS):
            for address, port in listeners:
                await _until_open(partial(asyncio.open_unix_connection, authorizer))
                await _until_open(partial(asyncio.open_connection, address, port))


async def _until_open(connect: Callable[[], Awaitable[_Line]]) -> None:
    while True:
        try:
            _, writer = await connect()
        except OSError:  # ENOENT, ECONNREFUSED: nobody listens yet
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None or child.stdin is None:
        return
    child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), STOP_SECONDS)
    except TimeoutError:
        log.warning("the host service did not end in time; it was killed")
        child.kill()
        await child.wait()
