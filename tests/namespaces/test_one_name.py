"""Does a program that knows one DNS name and nothing else survive the death of a gateway?

Two gateways, each at an address of its own on the internet; the manager keeps the name to those
that are well, in Debian's knot. restic backs up through them with its usual retries.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine.network import PUBLIC, Network, Provider, missing, provider
from tests.support.programs.name_server import KEY, KNOT, ZONE, name_server_command
from tests.support.programs.repository import rest_server_command
from tests.support.programs.restic import Restic, stream_backup
from tests.support.waiting import until

PROGRAMS = ("restic", "rclone")
pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(missing()), reason=f"to run this: {missing()}"),
    pytest.mark.skipif(
        KNOT is None or any(shutil.which(name) is None for name in PROGRAMS),
        reason="to run this: sudo apt-get install knot restic rclone",
    ),
]
NAME = f"gates.{ZONE}"
AT = {"gw1": PUBLIC, "gw2": "203.0.113.2"}
"""Where each gateway is found, at port 6180."""
INSIDE = "10.77.0.1"
LOOK_UP = f"import socket; print(*socket.gethostbyname_ex({NAME!r})[2])"
PATIENCE_SECONDS = 90.0


class Tenant:
    """Somebody on the internet who has restic, a password and the name."""

    def __init__(self, started: Provider) -> None:
        self.provider, self.network = started, started.network
        self.folder = self.network.folder
        self.trusted = self.folder / "trusted.pem"
        self.restic = Restic(
            "https://vault.example:8443/acme",
            self.trusted,
            proxy=f"https://acme:p4ssword@{NAME}:6180",
            within=tuple(self.network.command("tenant")),
        )

    def open(self) -> None:
        """Have the provider do its part."""
        rule = f"ip daddr {AT['gw2']} tcp dport 6180 dnat to 10.77.0.12:8080"
        self.network.also("router", AT["gw2"], device="to-tenant")
        self.network.run("router", "nft", f"add rule ip nat prerouting {rule}")
        address = f"{self.network.address('manager')}:8443"
        vault = rest_server_command(self.folder / "vault", address, "vault.example")
        self.network.start("manager", *vault)
        authority = (self.folder / "vault" / "ca.pem").read_text()
        self.trusted.write_text(self.provider.ca_file.read_text() + authority)
        call = self.provider.call
        with ThreadPoolExecutor() as together:
            made = {place: call("POST", "/managedServers", {"Name": place}) for place in AT}
            list(together.map(self._join, made, made.values()))
        repository = {"Name": "vault", "Endpoint": "vault.example:8443", "Address": address}
        uid = call("POST", "/repositories", repository)["UID"]
        quota = {"Name": "vault", "RepositoryUid": uid, "QuotaMb": 102400}
        resources = {"Resources": {"BackupResources": [quota]}}
        call("POST", "/cloud/tenants", {"Name": "acme", "Password": "p4ssword", **resources})
        for place, at in AT.items():
            where = {"NetworkType": "NAT", "ExternalIp": at, "InternalPort": 8080}
            spec = {"ServerHostName": place, "ExternalPort": 6180, **where}
            call("POST", "/cloud/gateways", spec)

    def _join(self, place: str, server: dict[str, Any]) -> None:
        told = ("--token", server["JoinToken"], "--fingerprint", server["JoinFingerprint"])
        state = ("--data", str(self.folder / place / "data"))
        self.provider.cloudgate("host", "join", self.provider.url, *told, *state, place=place)
        joined_at = self._last_seen(place)
        self.provider.run_host(place)
        until(lambda: self._last_seen(place) != joined_at, PATIENCE_SECONDS)

    def _last_seen(self, place: str) -> str:
        return str(self.provider.wait_until("server", place, State="Online")["LastSeen"])

    def addresses(self) -> set[str]:
        """Where the name leads, as the tenant's machine is told."""
        words = (sys.executable, "-c", LOOK_UP)
        return set(self.network.run("tenant", *words, check=False).stdout.split())

    def carrying(self) -> set[str]:
        """The gateways that restic's connections lead to, as the tenant's machine sees it."""
        words = ("-HOtn", "state", "established", "dport", "=", ":6180")
        shown = self.network.run("tenant", "ss", *words).stdout
        return {place for place, at in AT.items() if re.search(rf"{re.escape(at)}:6180", shown)}


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Tenant]:
    folder = tmp_path / "network"
    key = tmp_path / "dns.key"
    key.write_text(KEY)
    names = ("--dns-name", NAME, "--dns-server", INSIDE, "--dns-key-file", str(key))
    with provider(folder, *names) as started:
        network: Network = started.network
        listen = (f"{INSIDE}@53", f"{PUBLIC}@53")
        network.start("router", *name_server_command(tmp_path / "knot", *listen))
        network.ask_names_of(PUBLIC, "tenant")
        made = Tenant(started)
        made.open()
        yield made


def test_a_backup_by_a_name_alone_ends_well_though_the_gateway_that_carries_it_is_killed(
    tenant: Tenant,
) -> None:
    until(lambda: tenant.addresses() == set(AT.values()), PATIENCE_SECONDS, said=tenant.addresses)
    with stream_backup(tenant.restic, tenant.folder / "vault" / "storage") as backup:
        backup.feed(PATIENCE_SECONDS)
        dying = min(tenant.carrying())
        left = AT.keys() - {dying}
        tenant.network.kill(dying)
        backup.feed(PATIENCE_SECONDS)
        assert tenant.carrying() == left
        assert backup.ends_well()
        found = {AT[place] for place in left}
        until(lambda: tenant.addresses() == found, PATIENCE_SECONDS, said=tenant.addresses)
        assert backup.is_whole()
