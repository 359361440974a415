"""Gateways on machines of their own: what do live and new tunnels feel when something breaks?

The same network as in test_machines_apart. The storage has a machine of its own, so that data moves
while the manager is out of reach, and that is looked at while it is so.
"""

import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import envoy
import pytest

from cloudgate.host.envoy.process_set import read_process_set
from tests.namespaces.site import PORTS, SMALL_DISK, Site
from tests.support.machine.network import missing
from tests.support.waiting import until, within

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(missing()), reason=f"to run this: {missing()}"),
]
ENVOY_BEFORE = Path(sys.prefix) / "envoy-before"
LET_IN_AGAIN_SECONDS = 2
"""What is promised of an Envoy that was killed."""
LOST_PERCENT = 5
SILENT_SECONDS = "2"
FILLINGS = 5
_CHAINS = {
    "gw2": "type filter hook input priority 0",
    "router": "type filter hook forward priority 0",
}


@contextmanager
def dropping(site: Site, place: str, what: str) -> Iterator[None]:
    """Packets of that kind are lost at a place, and nobody is told."""
    table = f"table ip lossy {{ chain c {{ {_CHAINS[place]}; {what} drop; }}; }}"
    site.network.run(place, "nft", table)
    try:
        yield
    finally:
        site.network.run(place, "nft", "delete", "table", "ip", "lossy")


@contextmanager
def without_the_manager(site: Site, fault: str) -> Iterator[None]:
    """Nothing that gw2 hears comes from the manager."""
    address = site.network.address("manager")
    if fault == "packets":
        with dropping(site, "gw2", f"ip saddr {address}"):
            yield
        return
    site.network.link("manager", "down")
    try:
        yield
    finally:
        site.network.link("manager", "up")


@contextmanager
def killed_manager(site: Site) -> Iterator[None]:
    """There is none until the operator starts it again."""
    site.network.kill("manager")
    try:
        yield
    finally:
        site.provider.start_manager()


def test_without_the_manager_all_goes_on_and_starts_again(site: Site) -> None:
    with site.undisturbed("gw2") as going:
        with killed_manager(site):
            assert site.lets_in("gw2")
            # The host service is started anew, as after a crash; then Envoy: both from disk alone.
            site.kill_host("gw3")
            site.run_host("gw3")
            site.kill_envoy("gw3")
            until(lambda: site.lets_in("gw3"))
            assert going.moves()
        for place in PORTS:
            site.provider.wait_until("server", place, State="Online")
            site.provider.wait_until("gateway", place, State="Listening")
        site.edit("gw3", Description="after the outage")
        assert site.lets_in("gw3")


def test_while_the_managers_database_is_away_all_goes_on(site: Site) -> None:
    file = site.provider.data / "cloudgate.db"
    with site.undisturbed("gw1") as going:
        file.rename(file.with_name("elsewhere"))
        try:
            refused = site.provider.type("tenant", "list")
            assert refused.returncode == 1
            assert (
                "database's files in the manager's data folder cannot be opened" in refused.stderr
            )
            assert site.lets_in("gw1")
            assert going.moves()
        finally:
            file.with_name("elsewhere").rename(file)
        site.edit("gw1", Description="it is back")
        site.provider.wait_until("gateway", "gw1", State="Listening", Description="it is back")


@pytest.mark.parametrize("fault", ["link", "packets"])
def test_while_the_line_to_the_manager_is_broken_tunnels_move_and_new_ones_are_let_in(
    site: Site, fault: str
) -> None:
    manager = f"{site.network.address('manager')}:9398"
    with site.undisturbed("gw2") as going:
        with without_the_manager(site, fault):
            assert not site.knocks("gw2", manager)
            assert going.moves()
            assert site.lets_in("gw2")
        until(lambda: site.knocks("gw2", manager))
    site.provider.wait_until("server", "gw2", State="Online")


def test_a_tunnel_outlives_a_line_to_the_tenant_that_is_silent_for_a_while(site: Site) -> None:
    with site.undisturbed("gw2") as going:
        with dropping(site, "router", ""):
            site.network.run("tenant", "sleep", SILENT_SECONDS)
        assert going.moves()
        assert site.lets_in("gw2")


def test_on_lines_that_lose_packets_tunnels_move_and_new_ones_are_let_in(site: Site) -> None:
    # Not by chance: now and then one handshake would lose the same packet three times.
    lost = f"numgen inc mod {100 // LOST_PERCENT} == 0"
    with (
        site.undisturbed("gw2") as going,
        dropping(site, "gw2", f"iifname eth0 {lost}"),
        dropping(site, "router", lost),
    ):
        with site.newcomers("gw2") as answers:
            assert going.moves()
            within(60, lambda: answers.total() >= 20)
        assert set(answers) == {"200"}
        assert site.lets_in("gw2")


def test_a_host_service_that_is_killed_or_reloaded_leaves_its_tunnels_alone(site: Site) -> None:
    def adopted() -> int:
        return site.network.log("gw1").count("envoy adopted")

    with site.undisturbed("gw1") as going:
        pid = site.provider.envoy_pid("gw1")
        site.kill_host("gw1")
        assert site.answer("gw1").startswith("503 ")
        assert going.moves()
        site.run_host("gw1")
        until(lambda: site.lets_in("gw1"))
        before = adopted()
        with site.newcomers("gw1") as answers:
            until(lambda: answers["200"] > 0)
            site.signal("gw1", signal.SIGHUP)
            until(lambda: adopted() > before)
            since = answers["200"]
            until(lambda: answers["200"] > since + 10)
        assert set(answers) == {"200"}
        assert going.moves()
        assert site.provider.envoy_pid("gw1") == pid


def test_an_envoy_that_is_killed_takes_its_tunnels_along_and_is_back_in_two_seconds(
    site: Site,
) -> None:
    going = site.transfer("gw1")
    site.kill_envoy("gw1")
    within(LET_IN_AGAIN_SECONDS, lambda: site.accepts("gw1"))
    assert going.is_cut()
    assert site.lets_in("gw1")


def with_the_envoy_before(folder: Path) -> Path:
    """What Python finds there is this installation, but for the Envoy of the release before."""
    (folder / "envoy").mkdir(parents=True)
    places = [each for each in Path(envoy.__path__[0]).iterdir() if each.name != "_bin"]
    for each in (*places, ENVOY_BEFORE / "envoy" / "_bin"):
        (folder / "envoy" / each.name).symlink_to(each)
    for each in ENVOY_BEFORE.glob("*.dist-info"):
        (folder / each.name).symlink_to(each)
    return folder


def test_an_upgrade_of_envoy_cuts_no_tunnel_and_refuses_none(site: Site) -> None:
    installed = with_the_envoy_before(site.network.folder / "installed")
    site.power_off("gw1")
    site.power_on("gw1", PYTHONPATH=str(installed))
    until(lambda: site.lets_in("gw1"))
    assert _envoy_version(site, "gw1") == "1.39.3"
    old = site.provider.envoy_pid("gw1")
    with site.undisturbed("gw1") as going, site.newcomers("gw1") as answers:
        until(lambda: answers["200"] > 0)
        installed.rename(installed.with_name("gone"))
        site.signal("gw1", signal.SIGHUP)
        until(lambda: _envoy_version(site, "gw1") != "1.39.3")
        since = answers["200"]
        until(lambda: answers["200"] > since + 10)
        assert going.moves()
        assert Path(f"/proc/{old}").exists()
    assert set(answers) == {"200"}
    until(lambda: not Path(f"/proc/{old}").exists())
    assert site.lets_in("gw1")


def test_a_machine_that_starts_again_lets_in_before_it_reaches_the_manager(site: Site) -> None:
    going = site.transfer("gw2")
    assert going.moves()
    with without_the_manager(site, "link"):
        site.power_off("gw2")
        site.power_on("gw2")
        assert going.is_cut()
        until(lambda: site.lets_in("gw2"))
        with site.undisturbed("gw2") as new:
            assert new.moves()
        assert not site.knocks("gw2", f"{site.network.address('manager')}:9398")
    site.provider.wait_until("server", "gw2", State="Online")
    assert site.lets_in("gw2")


@contextmanager
def full_disk(site: Site) -> Iterator[None]:
    """The disk of a machine takes nothing more."""
    filler = site.network.folder / SMALL_DISK / "data" / "filler"
    words = ("if=/dev/zero", f"of={filler}", "bs=4k", "oflag=append", "conv=notrunc")
    try:
        # A file that was being replaced meanwhile leaves room again.
        for _ in range(FILLINGS):
            site.network.run(SMALL_DISK, "dd", *words, check=False)
            site.network.run(SMALL_DISK, "sleep", "0.1")
        yield
    finally:
        filler.unlink()


def is_warned(site: Site) -> bool:
    """Whether the manager knows that the disk is full."""
    found = site.provider.wait_until("server", SMALL_DISK, State="Online")
    return "No space left on device" in str(found.get("Warning"))


def test_a_host_whose_disk_is_full_goes_on_with_what_it_knows_and_says_so(site: Site) -> None:
    with site.undisturbed(SMALL_DISK) as going:
        with full_disk(site):
            assert "CreateCloudTenant" in site.create_tenant("nadir", "--no-wait")
            until(lambda: is_warned(site))
            assert site.lets_in(SMALL_DISK)
            assert not site.lets_in(SMALL_DISK, login="nadir:p4ssword")
            assert going.moves()
        until(lambda: site.lets_in(SMALL_DISK, login="nadir:p4ssword"))
        until(lambda: not is_warned(site))


def test_a_host_service_that_is_killed_while_the_disk_is_full_comes_back(site: Site) -> None:
    with site.undisturbed(SMALL_DISK) as going, full_disk(site):
        site.kill_host(SMALL_DISK)
        site.run_host(SMALL_DISK)
        until(lambda: site.lets_in(SMALL_DISK))
        assert going.moves()


def test_an_envoy_that_dies_while_the_disk_is_full_is_back_in_seconds(site: Site) -> None:
    reserve = site.paths(SMALL_DISK).reserve
    within(40, reserve.exists)
    with full_disk(site):
        site.kill_envoy(SMALL_DISK)
        until(lambda: site.lets_in(SMALL_DISK))
    within(40, reserve.exists)
    assert site.lets_in(SMALL_DISK)


@pytest.mark.skipif(
    shutil.which("faketime") is None, reason="to run this: sudo apt-get install faketime"
)
@pytest.mark.parametrize(("offset", "word"), [("-1d", "behind"), ("+1d", "ahead of")])
def test_a_host_whose_clock_is_wrong_by_a_day_works_and_says_so(
    site: Site, offset: str, word: str
) -> None:
    environment = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with site.undisturbed("gw2") as going:
        site.kill_host("gw2")
        site.run_host("gw2", "faketime", "-f", offset, **environment)
        until(lambda: site.lets_in("gw2"))

        def warning() -> str:
            found = site.provider.wait_until("server", "gw2", State="Online")
            return str(found.get("Warning"))

        until(lambda: f"24 hours {word} the manager's" in warning())
        site.edit("gw2", Description=offset)
        site.provider.wait_until("gateway", "gw2", State="Listening", Description=offset)
        assert going.moves()
        site.kill_host("gw2")
        site.run_host("gw2")
        until(lambda: site.lets_in("gw2"))
        within(40, lambda: "24 hours" not in warning())


def _envoy_version(site: Site, place: str) -> str:
    """Of the Envoy that listens."""
    current = read_process_set(site.paths(place)).current
    return current.version if current else ""
