"""Do gateways keep to their pools and share a tenant's speed, with the manager and without it?

One gateway in the pool gold, one in the pool silver and one in none; tenants of either pool, of
both, and of none, each with a real program on the other side of the internet.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.namespaces import knock, transfer
from tests.support.machine.network import PUBLIC, Provider, missing, provider
from tests.support.programs.repository import rest_server_command, webdav_server_command
from tests.support.running.connector import connector
from tests.support.waiting import until, within

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
POOLS = {"gold": "gw1", "silver": "gw2"}
MEMBERS = {"gold": ("golden", "either"), "silver": ("sterling", "either")}
HOME = {
    "golden": {"gw1"},
    "sterling": {"gw2"},
    "either": {"gw1", "gw2"},
    "plain": {"gw3"},
}
"""By which gateways each tenant comes in while all are up."""
REFUSAL = "403 This gateway is set apart for others; use another one."
"""What is said to who may fail over to a gateway, while those of its pools are up."""
UNKNOWN = "407 Name or password are missing or wrong."
"""What is said to all others: of whom a gateway may not let in, it is told nothing."""
TARGETS = {"rest": 8443, "dav": 8444, "sink": 9000}
SINK = "sink.example:9000"
MEGABITS = 80
LIMIT_BYTES = MEGABITS * 125_000
SEND = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
import transfer
transfer.PAUSE_SECONDS = 0
transfer.send(transfer.connect(sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
"""
SHARED_BY = "fast"
"""A tenant of both pools with a speed limit."""
SPEED = {"ThrottlingSpeedLimit": MEGABITS, "ThrottlingSpeedUnit": "Mbps"}
TENANTS: dict[str, dict[str, Any]] = {
    "golden": {},
    "sterling": {},
    "either": {"FailoverToOthersGatewaysIfFail": True},
    "plain": {},
    SHARED_BY: {"ThrottlingEnabled": True, **SPEED},
}


class Site:
    """A provider with two pools, and tenants."""

    def __init__(self, started: Provider, folder: Path) -> None:
        self.provider = started
        self.network = started.network
        self.folder = folder
        self.trusted = folder / "trusted.pem"
        self.orphaned_at_seconds: float | None = None

    def open(self) -> None:
        """Have the provider do its part."""
        call = self.provider.call
        (self.folder / "password").write_text("p4ssword")
        with ThreadPoolExecutor() as together:
            list(together.map(self.provider.join, PORTS))
        for place, port in PORTS.items():
            where = {"ExternalIp": PUBLIC, "ExternalPort": port, "InternalPort": 8080}
            call(
                "POST", "/cloud/gateways", {"ServerHostName": place, "NetworkType": "NAT", **where}
            )
        quotas = []
        for name, uid in self._open_repositories().items():
            quotas.append({"Name": name, "RepositoryUid": uid, "QuotaMb": 1024})
        tenant = {"Password": "p4ssword", "Resources": {"BackupResources": quotas}}
        for name, more in TENANTS.items():
            call("POST", "/cloud/tenants", {"Name": name, **tenant, **more})
        uids = self._uids("/cloud/tenants") | self._uids("/cloud/gateways")
        for pool, place in POOLS.items():
            members = [uids[each] for each in (*MEMBERS[pool], SHARED_BY)]
            spec = {
                "Name": pool,
                "CloudGateways": {"CloudGatewayUids": [uids[place]]},
                "CloudTenants": {"CloudTenantUids": members},
            }
            call("POST", "/cloud/gatewayPools", spec)

    def _uids(self, path: str) -> dict[str, str]:
        found = self.provider.call("GET", path)["Refs"]
        return {each["Name"]: each["UID"] for each in found}

    def _open_repositories(self) -> dict[str, str]:
        at = self.network.address("manager")
        commands = {"rest": rest_server_command, "dav": webdav_server_command}
        for name, command in commands.items():
            address = f"{at}:{TARGETS[name]}"
            words = command(self.folder / name, address, f"{name}.example", "localhost")
            self.network.start("manager", *words)
        self.network.start("manager", sys.executable, transfer.__file__, "serve", "9000")
        authorities = [self.folder / name / "ca.pem" for name in commands]
        texts = [each.read_text() for each in (self.provider.ca_file, *authorities)]
        self.trusted.write_text("".join(texts))
        found = {}
        for name, port in TARGETS.items():
            where = {"Endpoint": f"{name}.example:{port}", "Address": f"{at}:{port}"}
            found[name] = self.provider.call("POST", "/repositories", {"Name": name, **where})[
                "UID"
            ]
        return found

    def said(self, tenant: str, *places: str) -> list[str]:
        """What each of these gateways answers to a tenant."""
        words = (knock.__file__, PUBLIC, str(self.provider.ca_file), SINK)
        asked = "".join(f"{PORTS[place]} {tenant}:p4ssword\n" for place in places)
        done = self.network.run("tenant", sys.executable, *words, text=asked)
        return done.stdout.splitlines()

    def ways(self, tenant: str) -> dict[str, str]:
        """What each gateway answers to a tenant."""
        return dict(zip(PORTS, self.said(tenant, *PORTS), strict=True))

    def run(self, tenant: str, place: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Have a tenant's program go by a gateway."""
        return self.network.run(
            "tenant",
            *words,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "HTTPS_PROXY": f"https://{tenant}:p4ssword@{PUBLIC}:{PORTS[place]}",
                "RESTIC_PASSWORD": "backup",
            },
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pools")
    with provider(folder / "network") as started:
        made = Site(started, folder)
        made.open()
        yield made


@pytest.fixture(scope="module")
def orphaned(site: Site) -> Site:
    """The same, whose manager was killed."""
    site.provider.kill_manager()
    site.orphaned_at_seconds = time.monotonic()
    return site


def only_by(places: set[str], otherwise: str = REFUSAL) -> dict[str, str]:
    """What all gateways say to somebody who comes in by some."""
    return {place: "200" if place in places else otherwise for place in PORTS}


def ways_of(tenant: str) -> dict[str, str]:
    """What all gateways say to a tenant while all are up."""
    return only_by(HOME[tenant], REFUSAL if TENANTS[tenant] else UNKNOWN)


@pytest.mark.parametrize("tenant", HOME)
def test_a_tenant_comes_in_by_its_own_gateways_and_others_do_not_know_it(
    site: Site, tenant: str
) -> None:
    assert site.ways(tenant) == ways_of(tenant)


def test_restic_backs_up_by_the_gateway_of_its_pool_only(site: Site, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(os.urandom(1024 * 1024))
    url = "rest:https://rest.example:8443/golden"
    restic = ("restic", "--cacert", str(site.trusted), "--no-cache", "-r", url)
    for place in ("gw2", "gw3"):
        refused = site.run("golden", place, *restic, "init")
        assert refused.returncode != 0
        assert "Proxy Authentication Required" in refused.stderr
    for words in (("init",), ("backup", str(tmp_path)), ("check", "--read-data")):
        done = site.run("golden", "gw1", *restic, *words)
        assert done.returncode == 0, done.stderr


def test_rclone_copies_by_the_gateway_of_its_pool_only(site: Site, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(os.urandom(1024 * 1024))
    options = ("--ca-cert", str(site.trusted), "--config", os.devnull)
    tries = ("--retries", "1", "--low-level-retries", "1")
    remote = ":webdav,url='https://dav.example:8444':sterling"
    copy = ("rclone", *options, *tries, "copy", str(tmp_path), remote)
    for place in ("gw1", "gw3"):
        refused = site.run("sterling", place, *copy)
        assert refused.returncode != 0
        assert "Proxy Authentication Required" in refused.stderr
    done = site.run("sterling", "gw2", *copy)
    assert done.returncode == 0, done.stderr
    stored = site.folder / "dav" / "storage" / "sterling" / "data"
    assert stored.read_bytes() == (tmp_path / "data").read_bytes()


def test_curl_of_a_tenant_of_two_pools_goes_by_both_gateways(site: Site) -> None:
    curl = [
        *("curl", "--silent", "--show-error", "--cacert", str(site.trusted)),
        *("--proxy-cacert", str(site.provider.ca_file), "https://dav.example:8444/"),
    ]
    for place in ("gw1", "gw2"):
        done = site.run("either", place, *curl)
        assert done.returncode == 0, done.stderr
    refused = site.run("either", "gw3", *curl)
    assert refused.returncode == 56
    assert "403 from proxy" in refused.stderr or "response 403" in refused.stderr


def test_a_connector_that_was_told_a_gateway_to_fail_over_to_finds_its_own(site: Site) -> None:
    words = (f"{PUBLIC}:{PORTS['gw3']}", "--tenant", "either", "--password-file", "password")
    ports = ("--ca", str(site.provider.ca_file), "-L", "18444:dav.example:8444")
    inside = site.network.command("tenant")
    with connector((*words, *ports), site.folder, dict(os.environ), within=inside):
        curl = ("curl", "--silent", "--cacert", str(site.trusted), "https://localhost:18444/")
        assert site.network.run("tenant", *curl).returncode == 0


@contextmanager
def sending(site: Site, place: str) -> Iterator[None]:
    """The tenant with a limit sends by a gateway all that it can."""
    words = (transfer.__file__, PUBLIC, str(PORTS[place]), str(site.provider.ca_file), SINK)
    login = f"{SHARED_BY}:p4ssword"
    started = subprocess.Popen(
        site.network.command("tenant", sys.executable, "-c", SEND, *words, login),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == "connected\n", started.communicate()[1]
        yield
    finally:
        _, complaint = started.communicate("", timeout=60)
    assert started.returncode == 0, complaint


def arrived_bytes(site: Site) -> Counter[str]:
    """How much has come to the repository by each gateway, in connections that are open."""
    shown = site.network.run("manager", "ss", "-HOtin", "state", "established", "sport", "9000")
    places = {site.network.address(place): place for place in PORTS}
    found: Counter[str] = Counter()
    for address, size in re.findall(r":9000\s+([\d.]+):\d+\s.*bytes_received:(\d+)", shown.stdout):
        found[places[address]] += int(size)
    return found


def speeds(site: Site, seconds: float) -> dict[str, float]:
    """What comes by each gateway each second, as a part of the limit."""
    before, began = arrived_bytes(site), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    moved = arrived_bytes(site) - before
    return {place: moved[place] / took / LIMIT_BYTES for place in before}


@pytest.mark.alone
def test_a_tenants_limit_holds_over_two_gateways_and_goes_to_where_it_sends(site: Site) -> None:
    with sending(site, "gw2"):
        with sending(site, "gw1"):
            within(30, lambda: sum(speeds(site, 2).values()) < 1.2)
            both = speeds(site, 5)
            assert both.keys() == {"gw1", "gw2"}
            assert 0.5 < sum(both.values()) < 1.25
            assert min(both.values()) > 0.15
        until(lambda: speeds(site, 2)["gw2"] > 0.75)
        assert speeds(site, 3)["gw2"] < 1.25


@pytest.mark.parametrize("tenant", HOME)
def test_without_the_manager_the_same_gateways_let_a_tenant_in(orphaned: Site, tenant: str) -> None:
    assert orphaned.ways(tenant) == ways_of(tenant)


@pytest.mark.parametrize("turns_around", [True, False], ids=["router turns around", "does not"])
def test_only_who_may_fail_over_comes_in_elsewhere_while_all_gateways_of_its_pools_are_down(
    orphaned: Site, *, turns_around: bool
) -> None:
    def elsewhere(tenant: str) -> str:
        return orphaned.said(tenant, "gw3")[0]

    with nullcontext() if turns_around else orphaned.network.no_way_round():
        _fail_over(orphaned, elsewhere)


def _fail_over(orphaned: Site, elsewhere: Callable[[str], str]) -> None:
    assert elsewhere("either") == REFUSAL
    orphaned.network.kill("gw1")
    assert orphaned.ways("either") == {**only_by({"gw2"}), "gw1": orphaned.said("golden", "gw1")[0]}
    orphaned.network.link("gw2", "down")
    until(lambda: elsewhere("either") == "200")
    others = [elsewhere(each) for each in ("golden", "sterling", "plain")]
    assert others == [UNKNOWN, UNKNOWN, "200"]
    orphaned.network.link("gw2", "up")
    until(lambda: elsewhere("either") == REFUSAL)
    orphaned.provider.run_host("gw1")
    until(lambda: orphaned.ways("either") == only_by(HOME["either"]))


@pytest.mark.alone
def test_without_the_manager_each_gateway_keeps_to_the_whole_limit(orphaned: Site) -> None:
    assert orphaned.orphaned_at_seconds is not None
    with ExitStack() as stack:
        for place in ("gw1", "gw2"):
            stack.enter_context(sending(orphaned, place))
        # What the manager told last is good for 30 seconds.
        within(45, lambda: min(speeds(orphaned, 2).values()) > 0.75)
        assert max(speeds(orphaned, 3).values()) < 1.25
