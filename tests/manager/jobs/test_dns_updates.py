"""Does a name lead to the gateways that are well, and to some in any case?"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from cloudgate.errors import UnavailableError
from cloudgate.manager.gateways.operations import list_gateways
from cloudgate.manager.host_protocol.gateway_progress import (
    ReachabilityCheck,
    reachability_check_of,
)
from cloudgate.manager.host_protocol.reachability import record_reachability
from cloudgate.manager.jobs import name_servers
from cloudgate.manager.jobs.dns_updates import DnsWorker
from cloudgate.manager.lease import Lease
from cloudgate.manager.settings.dns_names import dns_names
from cloudgate.protocol import GatewayState
from cloudgate.trust.certificate_names import subject_alt_names
from tests.support.ports import free_port
from tests.support.programs.name_server import KEY, ZONE, name_server, needs_knot
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import until

NAME, OF_POOL = f"gates.{ZONE}", f"vip.gates.{ZONE}"
FIRST, SECOND, THIRD = "192.0.2.1", "192.0.2.2", "2001:db8::3"


class Line:
    """Reaches gateways, but for those that a test says."""

    def __init__(self) -> None:
        self.cut: set[str] = set()
        self.dials: Counter[str] = Counter()

    async def dial(self, reach: ReachabilityCheck) -> str:
        self.dials[reach.address] += 1
        return "Nothing answers." if reach.address in self.cut else ""


@pytest.fixture
def line() -> Line:
    return Line()


def gateway(running: RunningManager, number: int, address: str) -> tuple[ScriptedHost, str]:
    """A gateway that listens, where tenants find it; its host, and its path."""
    host = ScriptedHost(running, f"gw{number}.example")
    running.clients.callback(host.close)
    client = running.logged_on()
    spec = {"ServerHostName": host.name, "NetworkType": "Direct", "ExternalIp": address}
    task = client.post("/cloud/gateways", json=spec).json()
    host.obey()
    done = finished(client, task)
    path = next(each["Href"] for each in done["Links"] if each.get("Type") == "CloudGateway")
    return host, str(path).partition("?")[0]


def awaited(running: RunningManager, holds: Callable[[], object]) -> None:
    def looked() -> bool:
        running.wake()
        return bool(holds())

    until(looked, said=lambda: running.logged_on().get("/warnings").text)


@pytest.mark.alone
@needs_knot
def test_a_name_leads_to_the_gateways_that_are_well_and_to_the_last_ones_in_any_case(
    tmp_path: Path, line: Line
) -> None:
    port = free_port()
    names = dns_names([NAME, f"{OF_POOL}=vip"], f"localhost:{port}", KEY, None)
    with (
        name_server(tmp_path / "knot", port) as server,
        running_manager(tmp_path / "data", dns=names, prober=line.dial) as running,
    ):
        first, _ = gateway(running, 1, FIRST)
        _, second_path = gateway(running, 2, SECOND)
        client = running.logged_on()
        awaited(running, lambda: server.addresses(NAME) == {FIRST: 15, SECOND: 15})
        assert server.addresses(OF_POOL) == {}
        assert first.assignment is not None
        assert first.assignment.gateway is not None
        pem = first.assignment.gateway.certificate_chain_pem
        leaf = x509.load_pem_x509_certificates(pem.encode())[0]
        assert NAME in subject_alt_names(leaf)
        # One dies, and comes back.
        line.cut = {FIRST}
        died = datetime.now(UTC)
        until(lambda: server.addresses(NAME) == {SECOND: 15})
        assert (datetime.now(UTC) - died).total_seconds() < 15
        line.cut = set()
        awaited(running, lambda: server.addresses(NAME) == {FIRST: 15, SECOND: 15})
        # The manager loses its own line.
        line.cut = {FIRST, SECOND}
        seen = line.dials.copy()
        awaited(running, lambda: all(line.dials[each] > seen[each] + 3 for each in (FIRST, SECOND)))
        assert set(server.addresses(NAME)) & {FIRST, SECOND}
        line.cut = set()
        awaited(running, lambda: server.addresses(NAME) == {FIRST: 15, SECOND: 15})
        # One moves into a pool, whose name is another, and one is disabled.
        _, third_path = gateway(running, 3, THIRD)
        awaited(running, lambda: server.addresses(NAME, "AAAA") == {THIRD: 15})
        uid = client.get(third_path).json()["UID"]
        pool = {"Name": "vip", "CloudGateways": {"CloudGatewayUids": [uid]}}
        assert client.post("/cloud/gatewayPools", json=pool).status_code == 202
        awaited(running, lambda: server.addresses(OF_POOL, "AAAA") == {THIRD: 15})
        awaited(running, lambda: server.addresses(NAME, "AAAA") == {})
        client.put(second_path, json={"Enabled": False}).raise_for_status()
        awaited(running, lambda: server.addresses(NAME) == {FIRST: 15})
        assert server.addresses(f"old.{ZONE}") == {"192.0.2.99": 3600}, "nothing else is touched"


@needs_knot
def test_a_name_server_that_refuses_or_is_away_is_told_of_and_gets_it_later(
    tmp_path: Path, line: Line
) -> None:
    port = free_port()
    names = dns_names([NAME], f"127.0.0.1:{port}", KEY, None)
    assert names.server is not None
    wrong = replace(names.server, secret="bm90IHRoZSBzZWNyZXQgb2YgdGhlIGdhdGVz")
    with running_manager(
        tmp_path / "data", dns=replace(names, server=wrong), prober=line.dial
    ) as running:
        client = running.logged_on()
        gateway(running, 1, FIRST)

        def warned() -> str:
            return client.get("/warnings").text

        awaited(running, lambda: "cannot be reached: Connection refused" in warned())
        with name_server(tmp_path / "knot", port) as server:
            awaited(running, lambda: "does not accept the key gates" in warned())
            assert server.addresses(NAME) == {}
            object.__setattr__(running.manager, "dns", names)
            awaited(running, lambda: server.addresses(NAME) == {FIRST: 15})
            awaited(running, lambda: "names of gateways" not in warned())
            elsewhere = dns_names(["gates.other.example"], f"127.0.0.1:{port}", KEY, None)
            object.__setattr__(running.manager, "dns", elsewhere)
            awaited(running, lambda: "refuses gates.other.example" in warned())


def test_a_program_of_the_operators_may_be_told_instead(tmp_path: Path, line: Line) -> None:
    hook, told = tmp_path / "hook", tmp_path / "told"
    hook.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    hook.chmod(0o700)
    names = dns_names([NAME], None, None, hook)
    with running_manager(tmp_path / "data", dns=names, prober=line.dial) as running:
        gateway(running, 1, FIRST)
        awaited(running, told.exists)
    assert told.read_text().splitlines()[0] == f"addresses {NAME} {FIRST}"


def test_a_name_never_leads_to_what_means_the_managers_own_machine(
    tmp_path: Path, line: Line
) -> None:
    hook, told = tmp_path / "hook", tmp_path / "told"
    hook.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    hook.chmod(0o700)
    names = dns_names([NAME], None, None, hook)
    with running_manager(tmp_path / "data", dns=names, prober=line.dial) as running:
        client = running.logged_on()
        gateway(running, 1, "localhost")
        said = f"{NAME} does not lead to the gateway at localhost"
        awaited(running, lambda: said in client.get("/warnings").text)
        assert not told.exists()
        gateway(running, 2, FIRST)
        awaited(running, told.exists)
        assert said in client.get("/warnings").text
    assert told.read_text().splitlines()[0] == f"addresses {NAME} {FIRST}"


@needs_knot
def test_a_name_server_is_tried_at_each_of_its_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    server = dns_names([NAME], f"ns.example:{port}", KEY, None).server
    assert server is not None
    usual = socket.getaddrinfo

    def two(host: str, *more: Any, **other: Any) -> Any:
        if host != "ns.example":
            return usual(host, *more, **other)
        return [*usual("127.0.0.2", *more, **other), *usual("127.0.0.1", *more, **other)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with name_server(tmp_path / "knot", port) as knot:
        name_servers.put(server, NAME, [FIRST])
        assert knot.addresses(NAME) == {FIRST: 15}


class Keeping:
    """How a name is kept, round by round, by managers of which each follows the one before."""

    def __init__(self, running: RunningManager, line: Line, folder: Path) -> None:
        self.manager, self._line = running.manager, line
        self._told, self.fails = folder / "told", folder / "fails"
        hook = folder / "hook"
        hook.write_text(f'#!/bin/sh\necho "$@" >> {self._told}\n[ ! -e {self.fails} ]\n')
        hook.chmod(0o700)
        object.__setattr__(self.manager, "dns", dns_names([NAME], None, None, hook))
        self.begin()

    def begin(self) -> None:
        """Another manager leads from now on, or the same one after a restart."""
        self._job = DnsWorker(self.manager, self._line.dial).job()

    def told(self, rounds: int = 1) -> list[set[str]]:
        """What the name server is told meanwhile: the addresses of the name, each time."""
        before = len(self._lines())
        for _ in range(rounds):
            asyncio.run(self._round())
        return [set(line.split()[2:]) for line in self._lines()[before:]]

    def _lines(self) -> list[str]:
        return self._told.read_text().splitlines() if self._told.exists() else []

    async def _round(self) -> None:
        waiting = self._job.attempt()
        assert waiting is not None
        assert not isinstance(waiting, float)
        await waiting

    def monitor_finds(self, number: int, warning: str) -> None:
        """Gateways are dialled besides, now and then, to warn operators."""
        with self.manager.changing() as work:
            each = list_gateways(work)[number]
            record_reachability(work, reachability_check_of(work, each), warning)

    def of_a_release_before(self, number: int, warning: str) -> None:
        """A manager of that release was the last one to write what it found."""
        with self.manager.changing() as work:
            list_gateways(work)[number].reach_warning = warning

    def upgrade(self) -> None:
        """The release before kept nothing but warnings."""
        with self.manager.changing() as work:
            for each in list_gateways(work):
                each.reached_address = None


def reboot(keeping: Keeping, host: ScriptedHost) -> list[set[str]]:
    """Its gateway does not listen for a round, and then does again; what is told meanwhile."""
    host.report(GatewayState.FAILED, "it starts").raise_for_status()
    told = keeping.told()
    host.report().raise_for_status()
    return told


BOTH, ONLY_SECOND = {FIRST, SECOND}, {SECOND}


@pytest.fixture
def running(tmp_path: Path, line: Line) -> Iterator[RunningManager]:
    with running_manager(tmp_path / "data", prober=line.dial) as started:
        yield started


@pytest.fixture
def keeping(running: RunningManager, line: Line, tmp_path: Path) -> Keeping:
    return Keeping(running, line, tmp_path)


def test_who_was_reached_and_is_not_stays_out_whoever_leads_and_though_its_machine_reboots(
    running: RunningManager, line: Line, keeping: Keeping
) -> None:
    host, _ = gateway(running, 1, FIRST)
    gateway(running, 2, SECOND)
    assert keeping.told() == [BOTH]
    line.cut = {FIRST}
    assert keeping.told(2) == [ONLY_SECOND]
    # Who has just begun knows of no dial yet, and the name stays as it is until it does.
    keeping.begin()
    assert keeping.told() == []
    assert keeping.told(2) == [ONLY_SECOND]
    assert reboot(keeping, host) == []
    assert keeping.told(3) == []
    keeping.monitor_finds(0, "Nothing answers.")
    assert keeping.told(3) == []
    assert reboot(keeping, host) == []
    assert keeping.told(3) == []
    keeping.begin()
    assert keeping.told(3) == [ONLY_SECOND]
    line.cut = set()
    assert keeping.told() == [BOTH]


def test_who_is_never_reached_stays_in_whoever_leads_and_is_out_once_it_was_reached_and_is_not(
    running: RunningManager, line: Line, keeping: Keeping
) -> None:
    line.cut = {FIRST}
    host, _ = gateway(running, 1, FIRST)
    gateway(running, 2, SECOND)
    assert keeping.told(3) == [BOTH]
    keeping.begin()
    assert keeping.told(3) == [BOTH]
    assert reboot(keeping, host) == [ONLY_SECOND]
    assert keeping.told(3) == [BOTH]
    line.cut = set()
    assert keeping.told() == []
    line.cut = {FIRST}
    keeping.begin()
    assert keeping.told(3) == [ONLY_SECOND]


def test_who_moves_to_where_it_is_never_reached_is_in(
    running: RunningManager, line: Line, keeping: Keeping
) -> None:
    host, path = gateway(running, 1, FIRST)
    gateway(running, 2, SECOND)
    assert keeping.told() == [BOTH]
    elsewhere = "192.0.2.3"
    line.cut = {FIRST, elsewhere}
    client = running.logged_on()
    task = client.put(path, json={"ExternalIP": elsewhere}).raise_for_status().json()
    host.obey()
    finished(client, task)
    assert keeping.told(3) == [{elsewhere, SECOND}]
    keeping.begin()
    assert keeping.told(3) == [{elsewhere, SECOND}]


def test_what_a_release_before_has_written_means_what_it_meant(
    running: RunningManager, line: Line, keeping: Keeping
) -> None:
    for number, address in enumerate((FIRST, SECOND, THIRD), start=1):
        gateway(running, number, address)
    keeping.monitor_finds(2, "Nothing answers.")
    keeping.upgrade()
    line.cut = {FIRST, THIRD}
    # The first was reached and is warned of later, the third may be behind a router.
    assert keeping.told(3) == [{SECOND, THIRD}]
    keeping.monitor_finds(0, "Nothing answers.")
    keeping.begin()
    assert keeping.told(3) == [{SECOND, THIRD}]
    # It leads once more meanwhile, reaches the third, and says so in its way.
    keeping.monitor_finds(2, "Still nothing answers.")
    keeping.of_a_release_before(2, "")
    keeping.begin()
    assert keeping.told(3) == [ONLY_SECOND]


def test_addresses_that_may_not_have_been_taken_in_are_put_again_though_they_are_those_of_before(
    running: RunningManager, line: Line, keeping: Keeping
) -> None:
    gateway(running, 1, FIRST)
    gateway(running, 2, SECOND)
    assert keeping.told() == [BOTH]
    line.cut = {FIRST}
    assert keeping.told() == []
    keeping.fails.touch()
    with pytest.raises(UnavailableError, match="failed with status 1"):
        keeping.told()
    keeping.fails.unlink()
    line.cut = set()
    assert keeping.told(3) == [BOTH]


def test_who_may_have_lost_the_lead_meanwhile_puts_nothing(
    running: RunningManager, line: Line, keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway(running, 1, FIRST)
    never_held = Lease(running.manager.database, "elsewhere", running.url)

    async def stand_still(reach: ReachabilityCheck) -> str:
        object.__setattr__(running.manager, "lease", never_held)
        return await Line().dial(reach)

    monkeypatch.setattr(line, "dial", stand_still)
    keeping.begin()
    try:
        with pytest.raises(UnavailableError, match="whether it leads"):
            keeping.told()
    finally:
        object.__setattr__(running.manager, "lease", None)
    monkeypatch.undo()
    keeping.begin()
    assert keeping.told() == [{FIRST}]
