"""Gateways on machines of their own: what do live tunnels feel of what happens, and new ones?

Three managed servers behind a NAT router, each with the real host service and Envoy; the tenant is
on the other side. A transfer with a running hash goes through each event, and both ends agree.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.network import transfer
from tests.support.certificates import Made, pem_of
from tests.support.network import PUBLIC, PUBLIC_IPV6, Provider, missing, provider
from tests.support.repository import rest_server_command

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(missing()), reason=f"to run this: {missing()}"),
]
PORTS = {"gw1": 6180, "gw2": 6181, "gw3": 6182}
SMALL_DISK = "gw3"
"""The machine whose disk a test can fill."""
TARGET = "vault.example:9000"
LOGIN = "acme:p4ssword"
SCRIPT = str(Path(transfer.__file__))


class Site:
    """A provider with three gateways, a repository and a tenant."""

    def __init__(self, started: Provider) -> None:
        self.provider = started
        self.network = started.network
        self.hosts: dict[str, subprocess.Popen[bytes]] = {}

    def open(self) -> None:
        """Do what the operator's guide says."""
        self.network.small_disk(self.network.folder / SMALL_DISK / "data", "24m")
        for place, port in PORTS.items():
            self.hosts[place] = self.provider.join(place)
            self.create_gateway(place, port)
        address = f"{self.network.address('manager')}:9000"
        self.network.start("manager", sys.executable, SCRIPT, "serve", "9000")
        say = self.provider.cloudgate
        say("repository", "create", "vault", "--endpoint", TARGET, "--address", address)
        password = self.network.folder / "tenant-password"
        password.write_text("p4ssword")
        tenant = ("tenant", "create", "acme", "--repository", "vault=100")
        say(*tenant, "--password-file", str(password))

    def create_gateway(self, place: str, port: int) -> None:
        """Make a machine behind the router a gateway."""
        words = ("--mode", "NAT", "--external-ip", PUBLIC, "--internal-port", "8080")
        self.provider.cloudgate("gateway", "create", place, "--port", str(port), *words)

    def transfer(self, place: str) -> "subprocess.Popen[str]":
        """A transfer that goes on until its standard input is closed."""
        words = ("send", PUBLIC, str(PORTS[place]), str(self.provider.ca_file), TARGET, LOGIN)
        started = subprocess.Popen(
            self.network.command("tenant", sys.executable, SCRIPT, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert started.stdout is not None
        assert started.stdout.readline() == "connected\n", started.communicate()[1]
        return started

    def lets_in(
        self,
        place: str,
        *,
        address: str = PUBLIC,
        ca_file: Path | None = None,
        login: str = LOGIN,
    ) -> bool:
        """Whether a new tunnel is possible, and carries data."""
        ca = str(ca_file or self.provider.ca_file)
        words = ("send", address, str(PORTS[place]), ca, TARGET, login)
        done = self.network.run("tenant", sys.executable, SCRIPT, *words, text="", check=False)
        return done.returncode == 0

    @contextmanager
    def undisturbed(self, place: str) -> Iterator[None]:
        """See a transfer go on from before to after, and both ends agree."""
        going = self.transfer(place)
        try:
            yield
        finally:
            _, complaint = going.communicate("", timeout=60)
        assert going.returncode == 0, complaint


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with provider(tmp_path_factory.mktemp("network")) as started:
        made = Site(started)
        made.open()
        yield made


def within(seconds: float, holds: Callable[[], bool]) -> None:
    """Something holds before the time is over."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline


def test_a_gateway_behind_nat_is_seen_to_be_reached(site: Site) -> None:
    found = site.provider.wait_until("gateway", "gw1", State="Listening")
    assert (found["ExternalIP"], found["NetworkMode"]) == (PUBLIC, "NAT")
    assert "Warning" not in found
    assert site.lets_in("gw1")


def test_an_address_that_does_not_lead_to_the_gateway_is_a_warning(site: Site) -> None:
    say = site.provider.cloudgate
    with site.undisturbed("gw2"):
        say("gateway", "edit", "gw2", "--port", "7777")
        found = site.provider.wait_until("gateway", "gw2", State="Listening", ExternalPort=7777)
        assert "port 7777" in found["Warning"]
        say("gateway", "edit", "gw2", "--port", str(PORTS["gw1"]))
        found = site.provider.wait_until("gateway", "gw2", ExternalPort=PORTS["gw1"])
        assert "Another server than this gateway answers" in found["Warning"]
        say("gateway", "edit", "gw2", "--port", str(PORTS["gw2"]))
        found = site.provider.wait_until("gateway", "gw2", ExternalPort=PORTS["gw2"])
        assert "Warning" not in found


def test_an_edit_that_needs_another_certificate_and_port_leaves_tunnels_alone(site: Site) -> None:
    say = site.provider.cloudgate
    with site.undisturbed("gw3"):
        say("gateway", "edit", "gw3", "--external-ip", "gw3.example.com")
        say("gateway", "edit", "gw3", "--internal-port", "8081")
        say("gateway", "edit", "gw3", "--external-ip", PUBLIC, "--internal-port", "8080")
        assert site.lets_in("gw3")


def test_a_new_tenant_is_let_in_and_nobody_else_feels_it(site: Site) -> None:
    password = site.network.folder / "tenant-password"
    with site.undisturbed("gw1"):
        tenant = ("tenant", "create", "zenith", "--repository", "vault=100")
        site.provider.cloudgate(*tenant, "--password-file", str(password))
        assert site.lets_in("gw1", login="zenith:p4ssword")


def test_without_the_manager_all_goes_on_and_starts_again(site: Site) -> None:
    with site.undisturbed("gw2"):
        site.provider.manager.kill()
        for pid in _serving(site):
            os.kill(pid, signal.SIGKILL)
        assert site.lets_in("gw2")
        # The host service is started anew, as after a crash; then Envoy: both from disk alone.
        _kill(site, "gw3")
        site.hosts["gw3"] = site.provider.run_host("gw3")
        os.kill(site.provider.envoy_pid("gw3"), signal.SIGKILL)
        within(10, lambda: site.lets_in("gw3"))
        site.provider.start_manager()
        for place in PORTS:
            site.provider.wait_until("server", place, State="Online")
            site.provider.wait_until("gateway", place, State="Listening")
        site.provider.cloudgate("gateway", "edit", "gw3", "--description", "after the outage")
        assert site.lets_in("gw3")


def test_a_host_service_that_is_killed_or_renewed_leaves_its_tunnels_alone(site: Site) -> None:
    with site.undisturbed("gw1"):
        envoy = site.provider.envoy_pid("gw1")
        _kill(site, "gw1")
        assert site.network.run("tenant", "true").returncode == 0
        site.hosts["gw1"] = site.provider.run_host("gw1")
        within(10, lambda: site.lets_in("gw1"))
        before = site.network.log("gw1").count("envoy adopted")
        _signal(site, "gw1", signal.SIGHUP)
        within(20, lambda: site.network.log("gw1").count("envoy adopted") > before)
        within(10, lambda: site.lets_in("gw1"))
        assert site.provider.envoy_pid("gw1") == envoy


def test_an_envoy_that_is_killed_takes_its_tunnels_along_and_is_back_in_two_seconds(
    site: Site,
) -> None:
    going = site.transfer("gw1")
    os.kill(site.provider.envoy_pid("gw1"), signal.SIGKILL)
    within(2, lambda: _accepts(site, "gw1"))
    going.communicate("", timeout=20)
    assert going.returncode != 0
    assert site.lets_in("gw1")


@pytest.mark.parametrize("fault", ["link", "packets"])
def test_a_bad_line_to_the_manager_or_the_tenant_is_survived(site: Site, fault: str) -> None:
    with site.undisturbed("gw2"):
        if fault == "link":
            site.network.link("manager", "down")
            site.network.run("tenant", "sleep", "2")
            site.network.link("manager", "up")
        else:
            rule = "table ip lossy { chain c { type filter hook forward priority 0; drop; }; }"
            site.network.run("router", "nft", rule)
            site.network.run("tenant", "sleep", "2")
            site.network.run("router", "nft", "delete table ip lossy")
        within(20, lambda: site.lets_in("gw2"))
    site.provider.wait_until("server", "gw2", State="Online")


def test_certificates_come_and_go_under_load_and_no_tunnel_is_cut(
    site: Site, tmp_path: Path
) -> None:
    say = site.provider.cloudgate
    with site.undisturbed("gw1"), site.undisturbed("gw2"):
        for number in range(3):
            made = Made(PUBLIC, f"round{number}.example")
            (tmp_path / "brought.pem").write_text(made.pem)
            trusted = tmp_path / f"issuer{number}.pem"
            trusted.write_text(pem_of(made.issuer))
            say("certificate", "import", str(tmp_path / "brought.pem"))
            for place in ("gw1", "gw2"):
                within(10, lambda: site.lets_in(place, ca_file=trusted))  # noqa: B023  used at once
        (found,) = json.loads(say("certificate", "list", "-o", "json").stdout)["CloudCertificates"]
        say("certificate", "delete", found["UID"])
        within(10, lambda: site.lets_in("gw1"))


def test_a_gateway_is_reached_by_ipv6_behind_nat_and_directly(site: Site) -> None:
    say, own = site.provider.cloudgate, site.network.ipv6("gw3")
    with site.undisturbed("gw3"):
        say("gateway", "edit", "gw3", "--external-ip", PUBLIC_IPV6)
        found = site.provider.wait_until("gateway", "gw3", State="Listening")
        assert (found["ExternalIP"], found.get("Warning")) == (PUBLIC_IPV6, None)
        assert site.lets_in("gw3", address=PUBLIC_IPV6)
        say("gateway", "edit", "gw3", "--mode", "Direct", "--external-ip", own)
        found = site.provider.wait_until("gateway", "gw3", State="Listening")
        assert (found["ExternalIP"], found.get("Warning")) == (own, None)
        assert site.lets_in("gw3", address=own)
        words = ("--mode", "NAT", "--external-ip", PUBLIC, "--internal-port", "8080")
        say("gateway", "edit", "gw3", *words)
        site.provider.wait_until("gateway", "gw3", State="Listening")
        assert site.lets_in("gw3")


def test_while_the_managers_database_is_away_all_goes_on(site: Site) -> None:
    file = site.provider.data / "cloudgate.db"
    with site.undisturbed("gw1"):
        file.rename(file.with_name("elsewhere"))
        refused = site.provider.type("tenant", "list")
        assert refused.returncode == 1
        assert "database cannot be used" in refused.stderr
        assert site.lets_in("gw1")
        file.with_name("elsewhere").rename(file)
        site.provider.cloudgate("gateway", "edit", "gw1", "--description", "it is back")
        site.provider.wait_until("gateway", "gw1", State="Listening", Description="it is back")


def test_a_host_whose_disk_is_full_goes_on_with_what_it_knows_and_says_so(site: Site) -> None:
    say, password = site.provider.cloudgate, site.network.folder / "tenant-password"
    filler = site.network.folder / SMALL_DISK / "data" / "filler"
    with site.undisturbed(SMALL_DISK):
        site.network.run(SMALL_DISK, "dd", "if=/dev/zero", f"of={filler}", check=False)
        tenant = ("tenant", "create", "nadir", "--repository", "vault=100")
        told = say(*tenant, "--password-file", str(password), "--no-wait").stdout
        assert "CreateCloudTenant" in told

        def is_warned() -> bool:
            found = site.provider.wait_until("server", SMALL_DISK, State="Online")
            return "No space left on device" in str(found.get("Warning"))

        within(20, is_warned)
        assert site.lets_in(SMALL_DISK)
        assert not site.lets_in(SMALL_DISK, login="nadir:p4ssword")
        filler.unlink()
        within(30, lambda: site.lets_in(SMALL_DISK, login="nadir:p4ssword"))
        within(20, lambda: not is_warned())


@pytest.mark.skipif(
    shutil.which("faketime") is None, reason="to run this: sudo apt-get install faketime"
)
@pytest.mark.parametrize(("offset", "word"), [("-1d", "behind"), ("+1d", "ahead of")])
def test_a_host_whose_clock_is_wrong_by_a_day_works_and_says_so(
    site: Site, offset: str, word: str
) -> None:
    environment = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with site.undisturbed("gw2"):
        _kill(site, "gw2")
        site.hosts["gw2"] = site.provider.run_host("gw2", "faketime", "-f", offset, **environment)
        within(20, lambda: site.lets_in("gw2"))

        def warning() -> str:
            found = site.provider.wait_until("server", "gw2", State="Online")
            return str(found.get("Warning"))

        within(20, lambda: f"24 hours {word} the manager's" in warning())
        site.provider.cloudgate("gateway", "edit", "gw2", "--description", offset)
        site.provider.wait_until("gateway", "gw2", State="Listening", Description=offset)
        _kill(site, "gw2")
        site.hosts["gw2"] = site.provider.run_host("gw2")
        within(20, lambda: site.lets_in("gw2"))
        within(40, lambda: "24 hours" not in warning())


def test_a_drain_lets_tunnels_finish_and_closes_what_is_left_at_the_deadline(site: Site) -> None:
    finishing, staying = site.transfer("gw3"), site.transfer("gw3")
    say = site.provider.cloudgate
    say("gateway", "edit", "gw3", "--disable", "--deadline", "6s", "--no-wait")
    found = site.provider.wait_until("gateway", "gw3", State="Draining", LiveTunnels=2)
    assert found["LiveTunnels"] == 2
    assert not site.lets_in("gw3")
    _, complaint = finishing.communicate("", timeout=30)
    assert finishing.returncode == 0, complaint
    assert _ended_by_itself(staying)
    site.provider.wait_until("gateway", "gw3", State="Closed", LiveTunnels=0)
    assert "1 finished by themselves and 1 were closed" in say("task", "list").stdout
    say("gateway", "edit", "gw3", "--enable")
    assert site.lets_in("gw3")


def test_a_host_that_reboots_opens_its_gateway_before_it_reaches_the_manager(site: Site) -> None:
    _kill(site, "gw2")
    os.kill(site.provider.envoy_pid("gw2"), signal.SIGKILL)
    site.network.link("manager", "down")
    try:
        site.hosts["gw2"] = site.provider.run_host("gw2")
        within(15, lambda: _accepts(site, "gw2"))
    finally:
        site.network.link("manager", "up")
    within(15, lambda: site.lets_in("gw2"))


def test_a_copied_disk_is_refused_and_the_gateway_goes_on(site: Site) -> None:
    site.provider.wait_until("server", "gw1", State="Online")
    state = site.network.folder / "gw1" / "data"
    copy = site.network.folder / "copy"
    site.network.run("gw1", "cp", "-r", str(state), str(copy))
    # On a machine of its own there is no Envoy of that process id; here all share their ids.
    next(copy.rglob("process.json")).unlink()
    words = (sys.executable, "-m", "cloudgate", "host", "run", "--data", str(copy))
    with site.undisturbed("gw1"):
        copied = site.network.start("tenant", *words)
        try:
            within(20, lambda: "copy of its disk" in site.network.log("tenant"))
            found = site.provider.wait_until("server", "gw1", State="Online")
            assert "A second machine speaks as gw1" in found["Warning"]
        finally:
            for pid in _running(str(copy)):
                os.kill(pid, signal.SIGKILL)
            copied.wait(20)


@pytest.mark.skipif(
    shutil.which("restic") is None or shutil.which("rclone") is None,
    reason="to run this: sudo apt-get install restic rclone",
)
def test_a_backup_goes_through_nat_and_comes_back_equal(site: Site, tmp_path: Path) -> None:
    address = f"{site.network.address('manager')}:8443"
    folder = tmp_path / "vault"
    site.network.start("manager", *rest_server_command(folder, address, "backup.example"))
    within(20, lambda: site.network.run("gw1", *_knock(address), check=False).returncode == 0)
    say = site.provider.cloudgate
    say("repository", "create", "backup", "--endpoint", "backup.example:8443", "--address", address)
    password = site.network.folder / "tenant-password"
    create = ("tenant", "create", "omega", "--repository", "backup=100")
    say(*create, "--password-file", str(password))
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(site.provider.ca_file.read_text() + (folder / "ca.pem").read_text())
    source = tmp_path / "source"
    source.mkdir()
    (source / "data.bin").write_bytes(os.urandom(8 * 1024 * 1024))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "HTTPS_PROXY": f"https://omega:p4ssword@{PUBLIC}:{PORTS['gw1']}",
        "RESTIC_PASSWORD": "backup",
    }

    def restic(*words: str) -> None:
        usual = ("--cacert", str(trusted), "-r", "rest:https://backup.example:8443/omega")
        site.network.run("tenant", "restic", *usual, *words, env=environment)

    restic("init")
    restic("backup", str(source))
    restic("check", "--read-data")
    restic("restore", "latest", "--target", str(tmp_path / "restored"))
    restored = tmp_path / "restored" / source.relative_to("/") / "data.bin"
    assert restored.read_bytes() == (source / "data.bin").read_bytes()


def _knock(address: str) -> tuple[str, ...]:
    return ("curl", "--silent", "--insecure", "--max-time", "1", f"https://{address}/")


def _ended_by_itself(transfer: "subprocess.Popen[str]") -> bool:
    failed = transfer.wait(40) != 0
    transfer.communicate("")
    return failed


def _accepts(site: Site, place: str) -> bool:
    url = f"https://{PUBLIC}:{PORTS[place]}/"
    words = ("--silent", "--insecure", "--max-time", "1", url)
    return site.network.run("tenant", "curl", *words, check=False).returncode == 0


def _running(words: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if words in command and "cloudgate" in command:
            found.append(int(folder.name))
    return found


def _serving(site: Site) -> list[int]:
    return _running(f"serve --data {site.provider.data}")


def _signal(site: Site, place: str, number: signal.Signals) -> None:
    for pid in _running(f"host run --data {site.network.folder / place / 'data'}"):
        os.kill(pid, number)


def _kill(site: Site, place: str) -> None:
    _signal(site, place, signal.SIGKILL)
    site.hosts[place].wait(20)
