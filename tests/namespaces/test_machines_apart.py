"""Gateways on machines of their own: what do live tunnels feel of what is changed, and new ones?

Three managed servers behind a NAT router, each with the real host service and Envoy; the tenant is
on the other side. A transfer with a running hash goes through each event, and both ends agree.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.namespaces.site import PORTS, Site, running
from tests.support.certificates.brought import Made, pem_of
from tests.support.machine import processes
from tests.support.machine.network import PUBLIC, PUBLIC_IPV6, missing
from tests.support.programs.repository import rest_server_command
from tests.support.programs.restic import Restic
from tests.support.waiting import until, within

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(missing()), reason=f"to run this: {missing()}"),
]
ENDS_WITHIN_SECONDS = 5
"""What is promised of the tunnels of a tenant who may not be there any more."""
NAME = "public.example"
SECOND_ADDRESS = "10.77.0.113"


def test_a_gateway_behind_nat_is_seen_to_be_reached(site: Site) -> None:
    found = site.provider.wait_until("gateway", "gw1", State="Listening")
    assert (found["ExternalIP"], found["NetworkMode"]) == (PUBLIC, "NAT")
    assert "Warning" not in found
    assert site.lets_in("gw1")


def test_an_address_that_does_not_lead_to_the_gateway_is_a_warning(site: Site) -> None:
    with site.undisturbed("gw2"):
        site.edit("gw2", ExternalPort=7777)
        found = site.provider.wait_until("gateway", "gw2", State="Listening", ExternalPort=7777)
        assert "port 7777" in found["Warning"]
        site.edit("gw2", ExternalPort=PORTS["gw1"])
        found = site.provider.wait_until("gateway", "gw2", ExternalPort=PORTS["gw1"])
        assert "Another server than this gateway answers" in found["Warning"]
        site.edit("gw2", ExternalPort=PORTS["gw2"])
        found = site.provider.wait_until("gateway", "gw2", ExternalPort=PORTS["gw2"])
        assert "Warning" not in found


def test_an_edit_that_needs_another_certificate_and_port_leaves_tunnels_alone(site: Site) -> None:
    say = site.provider.cloudgate
    with site.undisturbed("gw3"):
        site.edit("gw3", ExternalIP="gw3.example.com")
        site.edit("gw3", InternalPort=8081)
        say("gateway", "edit", "gw3", "--external-ip", PUBLIC, "--internal-port", "8080")
        assert site.lets_in("gw3")


def test_a_new_tenant_is_let_in_and_nobody_else_feels_it(site: Site) -> None:
    with site.undisturbed("gw1"):
        site.create_tenant("zenith")
        assert site.lets_in("gw1", login="zenith:p4ssword")


def test_who_may_not_be_here_any_more_loses_tunnels_in_seconds_and_gets_no_new_one(
    site: Site,
) -> None:
    say, disable = site.provider.cloudgate, ("tenant", "edit", "disabled", "--disable")
    for name in ("disabled", "removed", "leased"):
        site.create_tenant(name)
    with site.undisturbed("gw1") as other:
        for name, words, status in (
            ("disabled", disable, "403 "),
            ("removed", ("tenant", "delete", "removed"), "407 "),
            ("leased", ("tenant", "edit", "leased", "--lease", "2020-01-01"), "403 "),
        ):
            login = f"{name}:p4ssword"
            going = site.transfer("gw1", login=login)
            assert going.moves()
            say(*words)
            assert going.is_cut(ENDS_WITHIN_SECONDS)
            assert site.answer("gw1", login).startswith(status)
        assert other.moves()


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
                until(lambda: site.lets_in(place, ca_file=trusted))  # noqa: B023  used at once
        (found,) = json.loads(say("certificate", "list", "-o", "json").stdout)["CloudCertificates"]
        say("certificate", "delete", found["UID"])
        until(lambda: site.lets_in("gw1"))


def test_a_gateway_is_reached_by_ipv6_behind_nat_and_directly(site: Site) -> None:
    own = site.network.ipv6("gw3")
    with site.undisturbed("gw3"):
        site.edit("gw3", ExternalIP=PUBLIC_IPV6)
        found = site.provider.wait_until("gateway", "gw3", State="Listening")
        assert (found["ExternalIP"], found.get("Warning")) == (PUBLIC_IPV6, None)
        assert site.lets_in("gw3", address=PUBLIC_IPV6)
        site.edit("gw3", NetworkMode="Direct", ExternalIP=own)
        found = site.provider.wait_until("gateway", "gw3", State="Listening")
        assert (found["ExternalIP"], found.get("Warning")) == (own, None)
        assert site.lets_in("gw3", address=own)
        site.edit("gw3", NetworkMode="NAT", ExternalIP=PUBLIC, InternalPort=8080)
        site.provider.wait_until("gateway", "gw3", State="Listening")
        assert site.lets_in("gw3")


def test_a_gateway_is_reached_by_a_name_and_by_the_address_that_it_speaks_from(site: Site) -> None:
    own = site.network.address("gw3")
    site.network.run("gw3", "ip", "address", "add", f"{SECOND_ADDRESS}/24", "dev", "eth0")
    with site.undisturbed("gw3"):
        site.edit("gw3", ExternalIP=NAME)
        found = site.provider.wait_until("gateway", "gw3", State="Listening", ExternalIP=NAME)
        assert "Warning" not in found
        assert site.lets_in("gw3", address=NAME)
        site.edit("gw3", NetworkMode="Direct", ExternalIP=SECOND_ADDRESS)
        found = site.provider.wait_until("gateway", "gw3", ExternalIP=SECOND_ADDRESS)
        assert "Warning" not in found
        assert site.lets_in("gw3", address=SECOND_ADDRESS)
        assert not site.knocks("tenant", f"{own}:{PORTS['gw3']}")
        site.edit("gw3", ExternalIP="gw3.example")
        found = site.provider.wait_until("gateway", "gw3", ExternalIP="gw3.example")
        assert "Warning" not in found
        ways = ("gw3.example", own)  # said by the operator, and seen by the manager
        at_once = [site.transfer("gw3", address=each) for each in ways]
        assert all(each.moves() for each in at_once)
        assert all(each.ends_well() for each in at_once)
        site.edit("gw3", NetworkMode="NAT", ExternalIP=PUBLIC, InternalPort=8080)
        assert site.lets_in("gw3")
    site.network.run("gw3", "ip", "address", "delete", f"{SECOND_ADDRESS}/24", "dev", "eth0")


def test_a_drain_lets_tunnels_finish_and_closes_what_is_left_at_the_deadline(site: Site) -> None:
    finishing, staying = site.transfer("gw3"), site.transfer("gw3")
    say = site.provider.cloudgate
    say("gateway", "edit", "gw3", "--disable", "--deadline", "6s", "--no-wait")
    found = site.provider.wait_until("gateway", "gw3", State="Draining", LiveTunnels=2)
    assert found["LiveTunnels"] == 2
    assert not site.lets_in("gw3")
    assert staying.moves()
    assert finishing.ends_well()
    assert staying.is_cut()
    site.provider.wait_until("gateway", "gw3", State="Closed", LiveTunnels=0)
    assert "1 finished by themselves and 1 were closed" in say("task", "list").stdout
    say("gateway", "edit", "gw3", "--enable")
    assert site.lets_in("gw3")


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
            within(40, lambda: "from another machine" in site.network.log("tenant"))
            # It is a copy once both are heard, and this has the other one speak.
            site.edit("gw1", Description="still here")
            within(40, lambda: "copy of its disk" in site.network.log("tenant"))
            found = site.provider.wait_until("server", "gw1", State="Online")
            assert "A second machine speaks as gw1" in found["Warning"]
        finally:
            processes.kill(running(str(copy)))
            copied.wait(20)


@pytest.mark.skipif(
    shutil.which("restic") is None or shutil.which("rclone") is None,
    reason="to run this: sudo apt-get install restic rclone",
)
def test_a_backup_goes_through_nat_and_comes_back_equal(site: Site, tmp_path: Path) -> None:
    address = f"{site.network.address('store')}:8443"
    folder = tmp_path / "vault"
    site.network.start("store", *rest_server_command(folder, address, "backup.example"))
    until(lambda: site.knocks("gw1", address))
    say = site.provider.cloudgate
    say("repository", "create", "backup", "--endpoint", "backup.example:8443", "--address", address)
    create = ("tenant", "create", "omega", "--repository", "backup=100")
    say(*create, "--password-file", str(site.password))
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(site.provider.ca_file.read_text() + (folder / "ca.pem").read_text())
    source = tmp_path / "source"
    source.mkdir()
    (source / "data.bin").write_bytes(os.urandom(8 * 1024 * 1024))
    restic = Restic(
        "https://backup.example:8443/omega",
        trusted,
        proxy=f"https://omega:p4ssword@{PUBLIC}:{PORTS['gw1']}",
        within=tuple(site.network.command("tenant")),
    )
    restic.run("init")
    restic.run("backup", str(source))
    restic.run("check", "--read-data")
    restic.run("restore", "latest", "--target", str(tmp_path / "restored"))
    restored = tmp_path / "restored" / source.relative_to("/") / "data.bin"
    assert restored.read_bytes() == (source / "data.bin").read_bytes()
