"""How does a test run two managers on one database? As processes, each with a folder of its own."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import create_engine, text

from cloudgate.manager.storage.postgresql import postgresql_url
from tests.support.observation.monitored_product import Site
from tests.support.ports import free_port
from tests.support.running.product import Client
from tests.support.waiting import until

PATIENCE_SECONDS = 120.0


@dataclass
class Managers:
    """Two of them, and what was accepted by either."""

    url: str
    sites: tuple[Site, Site]
    accepted: list[str] = field(default_factory=list)

    def leading(self) -> tuple[Site, Site]:
        """The one that leads, and the other."""
        engine = create_engine(postgresql_url(self.url))
        with engine.connect() as connection:
            said = text("SELECT value FROM installation_marks WHERE name = 'manager'")
            port = json.loads(connection.execute(said).scalar_one())["url"].rpartition(":")[2]
        engine.dispose()
        one, other = self.sites
        return (one, other) if one.port == int(port) else (other, one)

    def write(self, client: Client, name: str) -> None:
        """Have a repository made, which is refused or not reached meanwhile."""

        def is_made() -> bool:
            try:
                answer = client.http.post("/repositories", json=spec(name))
            except httpx2.TransportError:
                return False
            if answer.status_code == 503:
                assert int(answer.headers["Retry-After"]) > 0
                return False
            # It may have been made where the answer was lost.
            assert answer.status_code == 201 or "already" in answer.text, answer.text
            return True

        until(is_made, PATIENCE_SECONDS)
        self.accepted.append(name)


def spec(name: str) -> dict[str, Any]:
    """A repository."""
    return {"Name": name, "Endpoint": f"{name}:8443", "Address": "127.0.0.1:8443"}


def names(client: Client) -> list[str]:
    """Those of all repositories."""
    answer = client.http.get("/repositories").raise_for_status()
    return [each["Name"] for each in answer.json()["Refs"]]


def start(folder: Path, url: str, stack: ExitStack, sources: Path | None = None) -> Site:
    """One of them; of another release, where its `sources` are named."""
    port = free_port()
    options = ("--database", url, "--own-url", f"https://localhost:{port}")
    plain = ("--http-port", str(free_port()))
    return Site(folder, stack, (*options, *plain), port=port, sources=sources)


def plain_url(site: Site) -> str:
    """Where one of them is reached without TLS."""
    return f"http://localhost:{site.manager_options[-1]}"


@contextmanager
def two_managers(
    folder: Path, url: str, *, is_filled: bool = False, first_of: Path | None = None
) -> Iterator[Managers]:
    """Two that run on a database, which gets a site unless it is filled already.

    `first_of`: the sources of another release, of which the first one is.
    """
    with ExitStack() as stack:
        folders = [folder / each for each in ("one", "other")]
        for each in folders:
            each.mkdir(exist_ok=True)
        one = start(folders[0], url, stack, first_of)
        for key in ("tls/ca.key", "tls/ca.pem", "sealing.key"):
            copy = folders[1] / "manager" / key
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(one.data / key, copy)
        if not is_filled:
            with one.client() as client:
                add_site(client)
        yield Managers(url, (one, start(folders[1], url, stack)))


def add_site(client: Client) -> None:
    """The only one."""
    made = {"DnsNameOrIpAddress": "site.example", "Username": "a", "Password": "b"}
    client.http.post("/backupServers?action=create", json=made).raise_for_status()


@contextmanager
def logged_on(site: Site) -> Iterator[Client]:
    """A client of a manager that may not answer yet."""
    with ExitStack() as stack:
        clients: list[Client] = []

        def is_there() -> bool:
            with suppress(httpx2.TransportError, httpx2.HTTPStatusError):
                clients.append(stack.enter_context(site.client()))
            return bool(clients)

        until(is_there, PATIENCE_SECONDS)
        yield clients[0]
