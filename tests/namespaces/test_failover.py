"""What does a tenant feel when gateways die without a word, one after the other?

Three gateways, a connector on the other side of the internet, and a backup that runs through it.
A gateway that dies is killed with its host service, and nothing answers in its place; nor, in one
case, is anything heard of its end.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.machine.network import PUBLIC, Provider, missing, provider
from tests.support.programs.repository import rest_server_command
from tests.support.programs.restic import Restic, stream_backup
from tests.support.running.connector import connector
from tests.support.waiting import until

PROGRAMS = ("restic", "rclone", "curl")
pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(missing()), reason=f"to run this: {missing()}"),
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in PROGRAMS),
        reason=f"to run this: sudo apt-get install {' '.join(PROGRAMS)}",
    ),
]
PORTS = {"gw1": 6180, "gw2": 6181, "gw3": 6182}
LOCAL_PORT = 18443
FAILOVER_SECONDS = 2.0
"""What the connector promises for a new tunnel."""
TUNNELS = 9
HOLD = f"""
import socket, ssl, sys
trusted = ssl.create_default_context(cafile=sys.argv[1])
held = []
for number in range({TUNNELS}):
    plain = socket.create_connection(("localhost", {LOCAL_PORT}), timeout=20)
    held.append(trusted.wrap_socket(plain, server_hostname="localhost"))
print("held", flush=True)
sys.stdin.read()
"""


class Tenant:
    """Somebody on the other side, with a connector to three gateways."""

    def __init__(self, started: Provider, folder: Path) -> None:
        self.provider = started
        self.network = started.network
        self.folder = folder
        self.trusted = folder / "trusted.pem"
        self.restic = Restic(
            f"https://localhost:{LOCAL_PORT}/acme",
            self.trusted,
            within=tuple(self.network.command("tenant")),
        )

    def open(self) -> None:
        """Have the provider do its part."""
        say = self.provider.cloudgate
        words = ("--mode", "NAT", "--external-ip", PUBLIC, "--internal-port", "8080")

        def open_gateway(place: str) -> None:
            self.provider.join(place)
            say("gateway", "create", place, "--port", str(PORTS[place]), *words)

        with ThreadPoolExecutor() as together:
            list(together.map(open_gateway, PORTS))
        address = f"{self.network.address('manager')}:8443"
        vault = rest_server_command(self.folder / "vault", address, "vault.example", "localhost")
        self.network.start("manager", *vault)
        authority = (self.folder / "vault" / "ca.pem").read_text()
        self.trusted.write_text(self.provider.ca_file.read_text() + authority)
        endpoint = ("--endpoint", "vault.example:8443", "--address", address)
        say("repository", "create", "vault", *endpoint)
        password = self.folder / "password"
        password.write_text("p4ssword")
        name = ("tenant", "create", "acme", "--repository", "vault=100")
        say(*name, "--password-file", str(password))

    @contextmanager
    def connected(self) -> Iterator[None]:
        """The connector runs."""
        words = (f"{PUBLIC}:{PORTS['gw1']}", "--tenant", "acme", "--password-file", "password")
        ports = ("--ca", str(self.provider.ca_file), "-L", f"{LOCAL_PORT}:vault.example:8443")
        within = self.network.command("tenant")
        with connector((*words, *ports), self.folder, dict(os.environ), within=within):
            yield

    def carrying(self) -> Counter[str]:
        """How many tunnels go through each gateway, as the tenant's machine sees it."""
        words = ("-HOtn", "state", "established", "dst", PUBLIC)
        shown = self.network.run("tenant", "ss", *words).stdout
        ports = {str(port): place for place, port in PORTS.items()}
        found = re.findall(rf"{re.escape(PUBLIC)}:(\d+)", shown)
        return Counter(ports[port] for port in found)

    def busiest(self) -> str:
        """The gateway that has carried most in the connections that are open."""
        words = ("-HOtin", "state", "established", "dst", PUBLIC)
        shown = self.network.run("tenant", "ss", *words).stdout
        found = re.findall(rf"{re.escape(PUBLIC)}:(\d+).*bytes_acked:(\d+)", shown)
        port, _ = max(found, key=lambda each: int(each[1]))
        return next(place for place, number in PORTS.items() if number == int(port))

    def seconds_to_answers(self) -> list[float]:
        """How long new connections to the local port wait for the storage's answer.

        So many at once that some would have gone to each gateway; then a few more.
        """
        words = ("--silent", "--output", "/dev/null", "--cacert", str(self.trusted))
        form = ("--write-out", "%{time_starttransfer}", f"https://localhost:{LOCAL_PORT}/acme/")

        def knock(_number: int) -> float:
            return float(self.network.run("tenant", "curl", *words, *form).stdout)

        with ThreadPoolExecutor(TUNNELS) as together:
            return [*together.map(knock, range(TUNNELS)), *map(knock, range(3))]

    def die(self, place: str, *, is_heard: bool) -> None:
        """Have a gateway die, and nothing answer there from then on.

        `is_heard`: the machine still closes the connections, as a kernel does when programs die.
        """
        if is_heard:
            self.network.kill(place)
        self.network.silence(place)
        self.network.kill(place)

    def told(self, event: str) -> Counter[str]:
        """Of which gateways the connector said that, and how often."""
        lines = (self.folder / "connector.log").read_text().splitlines()
        said = [json.loads(line) for line in lines]
        ports = {f"{PUBLIC}:{port}": place for place, port in PORTS.items()}
        return Counter(ports[each["gateway"]] for each in said if each["event"] == event)


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Tenant]:
    with provider(tmp_path / "network") as started:
        made = Tenant(started, tmp_path)
        made.open()
        yield made


def tell(text: str) -> None:
    """Say it to who looks (pytest -s)."""
    sys.stdout.write(f"\n{text}\n")


def test_a_backup_ends_well_though_two_of_three_gateways_die_and_they_are_used_again_when_back(
    tenant: Tenant,
) -> None:
    dead = []
    with tenant.connected():
        with stream_backup(tenant.restic, tenant.folder / "vault" / "storage") as backup:
            backup.feed()
            for is_heard in (False, True):
                dying = tenant.busiest()
                tenant.die(dying, is_heard=is_heard)
                dead.append(dying)
                waited = tenant.seconds_to_answers()
                tell(f"{dying} died; {is_heard=}; new tunnels had answers after {sorted(waited)} s")
                assert max(waited) < FAILOVER_SECONDS
                began = time.monotonic()
                backup.feed()
                tell(f"the backup went on after {time.monotonic() - began:.1f} seconds")
            assert backup.ends_well()
            assert len(set(dead)) == 2
            assert set(tenant.carrying()) <= PORTS.keys() - set(dead)
            assert backup.is_whole()

        for place in dead:
            tenant.network.end_silence(place)
            tenant.provider.run_host(place)
        until(lambda: set(tenant.told("gateway is back")) >= set(dead))
        words = tenant.network.command("tenant", sys.executable, "-c", HOLD, str(tenant.trusted))
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holding:
            assert holding.stdout is not None
            assert holding.stdout.readline() == b"held\n"
            until(lambda: tenant.carrying().total() >= TUNNELS)
            tell(f"{TUNNELS} new tunnels: {tenant.carrying()}")
            assert tenant.carrying().keys() == PORTS.keys()
