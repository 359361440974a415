"""Do manager and host show whether they live and are ready, to load balancers and to systemd?"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.observation.monitored_product import Site, site
from tests.support.waiting import until

pytestmark = pytest.mark.end_to_end
WATCHDOG_SECONDS = 1.5
"""After which systemd would start a service anew, as `monitored_product` has it."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("watched")) as made:
        made.add_host()
        yield made


def envoy_of(folder: Path) -> int:
    """The process id of the Envoy whose state is below a folder."""
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if Path(words[0]).name == "envoy" and any(str(folder) in word for word in words):
            return int(each.name)
    raise AssertionError("There is no Envoy.")


def test_a_host_is_ready_without_a_gateway_and_with_one_as_long_as_its_envoy_answers(
    watched: Site,
) -> None:
    host = watched.host
    until(host.is_ready)
    assert "[+]gateway ok: none is wanted on this host" in host.get("/readyz?verbose").text
    watched.add_gateway()
    until(lambda: "[+]gateway ok\n" in host.get("/readyz?verbose").text)
    envoy = envoy_of(watched.folder)
    os.kill(envoy, signal.SIGSTOP)
    try:
        until(lambda: not host.is_ready())
        said = host.get("/readyz?verbose").text
        assert "[-]envoy failed: " in said
        assert host.get("/livez").status_code == 200
    finally:
        os.kill(envoy, signal.SIGCONT)
    until(host.is_ready)


def test_a_gateway_that_takes_no_new_tunnels_is_not_ready(watched: Site) -> None:
    host = watched.host
    until(host.is_ready)
    watched.say("gateway", "drain", "gw1.example")
    until(lambda: not host.is_ready())
    assert "[-]gateway failed: it is drained or disabled" in host.get("/readyz?verbose").text
    watched.say("gateway", "edit", "gw1.example", "--enable")
    until(host.is_ready)


def test_one_that_is_closed_on_purpose_is_settled_and_keeps_no_upgrade_of_others_waiting(
    watched: Site,
) -> None:
    host = watched.host
    until(host.is_ready)
    assert host.get("/settledz").text == "ok\n"
    envoy = envoy_of(watched.folder)
    os.kill(envoy, signal.SIGSTOP)
    try:
        until(lambda: host.get("/settledz").status_code == 503)
        assert host.get("/settledz?verbose").text.endswith("settledz failed\n")
    finally:
        os.kill(envoy, signal.SIGCONT)
    watched.say("gateway", "edit", "gw1.example", "--disable")
    until(lambda: host.get("/settledz?verbose").text.endswith("settledz passed\n"))
    assert not host.is_ready()
    watched.say("gateway", "edit", "gw1.example", "--enable")
    until(host.is_ready)


@pytest.mark.parametrize("name", ["manager", "host"])
def test_systemd_hears_that_a_service_is_ready_and_lives(watched: Site, name: str) -> None:
    said = getattr(watched, name).systemd
    until(lambda: said.lines.count("WATCHDOG=1") >= 2)
    assert said.lines[0] == "READY=1"
    until(lambda: any(each.startswith("STATUS=ready: ") for each in said.lines))


def test_a_host_service_that_is_started_anew_is_ready_once_more(watched: Site) -> None:
    watched.host.process.send_signal(signal.SIGHUP)
    said = watched.host.systemd
    until(lambda: said.lines.count("READY=1") == 2)
    # One that is told to be stopping, and is there half a minute later, systemd ends by force.
    assert "STOPPING=1" not in said.lines
    assert "RELOADING=1" in said.lines
    until(watched.host.is_ready)


def test_systemd_hears_nothing_of_one_that_hangs(watched: Site) -> None:
    manager = watched.manager
    manager.process.send_signal(signal.SIGSTOP)
    try:
        before = len(manager.systemd.lines)
        with pytest.raises(AssertionError):
            until(lambda: len(manager.systemd.lines) > before, 2 * WATCHDOG_SECONDS)
    finally:
        manager.process.send_signal(signal.SIGCONT)
    until(lambda: len(manager.systemd.lines) > before)
