"""Simulated hosts: how is a manager asked as many hosts ask, at little cost of their own?"""

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import insert

from cloudgate import __version__
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol.enrolment import join, preregister
from cloudgate.manager.servers.backup_servers import BackupServerSettings, create_backup_server
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.protocol import Answer, HostFacts, JoinRequest, LiveTunnel, PollRequest
from cloudgate.protocol.base import Document
from tests.support.running.host import gateway_scope, public_key_pem

AT_ONCE = 50
"""Hosts that come for the first time."""
PAUSE_SECONDS = 1.0
"""Of a host whose manager does not answer, at most, before it asks the other."""


class RefusedError(Exception):
    """The manager says why."""


@dataclass
class SimulatedHost:
    """A host that only listens, at as little cost as can be: what is measured is the manager."""

    ports: tuple[int, ...]
    """Of the managers, the one that it asks first."""
    context: ssl.SSLContext
    credential: str
    revision: int
    assignment: int | None = None
    site: int = 0
    tunnels: tuple[LiveTunnel, ...] = ()
    """What it says when it is asked for its live tunnels."""
    bytes_heard: int = 0
    is_new: bool = True

    async def listen_to_any(self, heard: "asyncio.Queue[int]") -> None:
        """As `listen`; where its manager does not answer, to the next one."""
        while True:
            try:
                await self.listen(heard)
            except (OSError, EOFError, RefusedError):  # refused, reset, ended, 503
                await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
                self.ports = (*self.ports[1:], self.ports[0])

    async def listen(self, heard: "asyncio.Queue[int]") -> None:
        """Poll for ever; the first answer and each new directory revision are put into `heard`.

        Raises:
            OSError, EOFError: it does not answer any more.
            RefusedError: it refuses.
        """
        ways = await asyncio.open_connection("localhost", self.ports[0], ssl=self.context)
        try:
            while True:
                update = await self._polled(*ways)
                self._take(update, heard)
                if update["question"] is not None:
                    answer = Answer(question=update["question"]["question"], tunnels=self.tunnels)
                    await self._post("answer", answer, *ways)
        finally:
            ways[1].transport.abort()

    def _take(self, update: dict[str, Any], heard: "asyncio.Queue[int]") -> None:
        if self.is_new:
            heard.put_nowait(self.revision)
            self.is_new = False
        if update["assignment"] is not None:
            self.assignment = update["assignment"]["revision"]
        if update["site"] is not None:
            self.site = update["site"]["revision"]
        if update["directory"] is not None:
            self.revision = update["directory"]["revision"]
            heard.put_nowait(self.revision)

    async def _polled(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, Any]:
        request = PollRequest(
            assignment_revision=self.assignment,
            directory_revision=self.revision,
            site_revision=self.site,
        )
        found: dict[str, Any] = json.loads(await self._post("poll", request, reader, writer))
        return found

    async def _post(
        self,
        name: str,
        message: Document,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bytes:
        body = message.model_dump_json().encode()
        writer.write(
            f"POST /host/v1/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: Bearer {self.credential}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = sum(
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        self.bytes_heard += length
        said = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 20"):
            raise RefusedError(said)
        return said


@dataclass(frozen=True)
class FilledManager:
    """What is there: credentials of hosts, and the directory revision that they know."""

    credentials: list[str]
    revision: int

    def some(self, count: int) -> "FilledManager":
        """With as many hosts."""
        return FilledManager(self.credentials[:count], self.revision)


@asynccontextmanager
async def polling(
    filled: FilledManager, ca_file: Path, *ports: int
) -> AsyncIterator[tuple[list[SimulatedHost], "asyncio.Queue[int]"]]:
    """All of them poll, at each manager as many, once they have been answered for the first time.

    Of several managers, they go to the next one when theirs is away; where there is one, a host
    that fails ends all of it.
    """
    context = ssl.create_default_context(cafile=str(ca_file))
    heard: asyncio.Queue[int] = asyncio.Queue()
    hosts: list[SimulatedHost] = []
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, credential in enumerate(filled.credentials):
            first = number % len(ports)
            mine = (*ports[first:], *ports[:first])
            host = SimulatedHost(mine, context, credential, filled.revision)
            hosts.append(host)
            listening = host.listen_to_any if len(ports) > 1 else host.listen
            tasks.append(group.create_task(listening(heard)))
            if len(hosts) > AT_ONCE:  # all at once would be hung up on, and come again later
                await heard.get()
        for _ in hosts[-AT_ONCE:]:
            await heard.get()
        yield hosts, heard
        for each in tasks:
            each.cancel()


def fill(manager: Manager, hosts: int, tenants: int) -> FilledManager:
    """Have a site with hosts that have joined, and tenants."""
    key, credentials = public_key_pem(), []
    with manager.changing() as work:
        site = create_backup_server(work, BackupServerSettings(name="localhost"))
        for number in range(hosts):
            _, token = preregister(work, site, f"host{number:04d}.example")
            facts = HostFacts(
                host_name=f"host{number:04d}.example",
                addresses=("192.0.2.1",),
                platform="Linux",
                version=__version__,
                envoy_version="1.40.0",
                public_key_pem=key,
            )
            work.session.flush()
            joined = join(work, JoinRequest(token=token, facts=facts))
            # Told as gateways are; with the role, each change of a tenant would wait for all.
            get_managed_server(work, joined.server_id).scope = gateway_scope()
            credentials.append(joined.credential)
        revision = work.next_directory_revision()
        rows = [
            {
                "id": uuid4(),
                "backup_server_id": site.id,
                "name": f"t{number}",
                "login": f"t{number}",
                "directory_revision": revision,
            }
            for number in range(tenants)
        ]
        work.session.execute(insert(CloudTenant), rows)
    return FilledManager(credentials, revision)
