"""An older database is put back: hosts that it does not know are let in again, and who says so?"""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from cloudgate.manager.host_protocol.authentication import CREDENTIAL_LIFE
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.registries.unknown_hosts import MOST_KEPT, RefusedPoll, UnknownHosts
from cloudgate.protocol import SERVER_HEADER, GatewayState, Tenant
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, running_manager
from tests.support.waiting import until


def restored(folder: Path, between: Callable[[RunningManager, ScriptedHost], None]) -> ScriptedHost:
    """A host that joined before a backup, and what happened to it after that."""
    with running_manager(folder) as running:
        host = ScriptedHost(running)
        host.poll()
    backup = folder.parent / "backup.db"
    shutil.copy(folder / "cloudgate.db", backup)
    with running_manager(folder, site=None) as running:
        meet(running, host)
        between(running, host)
    for each in folder.glob("cloudgate.db*"):
        each.unlink()
    shutil.copy(backup, folder / "cloudgate.db")
    return host


def meet(running: RunningManager, host: ScriptedHost) -> None:
    """The manager has another port now."""
    before = host.client
    host.client = httpx2.Client(
        base_url=f"{running.url}/host/v1",
        verify=running.context,
        timeout=60,
        headers={"Authorization": before.headers["Authorization"]},
    )
    before.close()


def rotate_twice(running: RunningManager, host: ScriptedHost) -> None:
    for _ in range(2):
        running.clock.ahead += CREDENTIAL_LIFE
        host.poll()
        host.report(GatewayState.ABSENT)
    assert len(host.credentials) == 2


def knock(host: ScriptedHost) -> int:
    host.assignment = None
    return host.client.post("/poll", content='{"protocol": 1}').status_code


def warning(running: RunningManager, host: ScriptedHost) -> str:
    href = f"/managedServers/{host.server_id}?format=Entity"
    return str(running.logged_on().get(href).json().get("Warning", ""))


def readmit(running: RunningManager, host: ScriptedHost) -> httpx2.Response:
    return running.logged_on().post(f"/managedServers/{host.server_id}?action=readmit")


@pytest.fixture
def host(tmp_path: Path) -> ScriptedHost:
    (tmp_path / "data").mkdir()
    return restored(tmp_path / "data", rotate_twice)


@pytest.mark.parametrize("says_who_it_is", [True, False])
def test_the_operator_hears_of_a_host_that_is_not_known_any_more_and_lets_it_in_with_one_call(
    tmp_path: Path, host: ScriptedHost, says_who_it_is: bool
) -> None:
    with running_manager(tmp_path / "data", site=None) as running:
        running.clock.ahead = 3 * CREDENTIAL_LIFE
        meet(running, host)
        if says_who_it_is:
            host.client.headers[SERVER_HEADER] = str(host.server_id)
        refused = readmit(running, host)
        assert refused.status_code == 400
        assert "No machine was refused" in refused.json()["Message"]
        assert knock(host) == 401
        running.wake()
        until(lambda: "cloudgate server readmit gw1.example" in warning(running, host))
        assert "127.0.0.1, from where it spoke before" in warning(running, host)
        assert knock(host) == 401
        assert readmit(running, host).status_code == 204
        host.poll()
        assert len(host.credentials) == 3, "it gets a credential that was never shown before"
        host.report(GatewayState.ABSENT).raise_for_status()
        assert warning(running, host) == ""
        (event,) = (e for e in running.audited() if e.operation == "ReadmitManagedServer")
        assert event.after == {"Address": "127.0.0.1"}
        assert event.account == "admin"
    host.close()


def test_a_host_is_let_in_by_what_it_had_before(tmp_path: Path, host: ScriptedHost) -> None:
    with running_manager(tmp_path / "data", site=None) as running:
        running.clock.ahead = 3 * CREDENTIAL_LIFE
        meet(running, host)
        assert knock(host) == 401
        host.client.headers["Authorization"] = f"Bearer {host.credentials[0]}"
        host.poll()
        host.report(GatewayState.ABSENT).raise_for_status()

        def is_quiet() -> bool:
            running.clock.ahead += ONLINE_FOR / 2
            host.report(GatewayState.ABSENT).raise_for_status()
            running.wake()
            return not warning(running, host)

        until(is_quiet)
    host.close()


def test_nobody_is_let_in_again_who_was_revoked_or_might_be_another(
    tmp_path: Path, host: ScriptedHost
) -> None:
    with running_manager(tmp_path / "data", site=None) as running:
        running.clock.ahead = 3 * CREDENTIAL_LIFE
        meet(running, host)
        assert knock(host) == 401
        good = host.client.headers["Authorization"]
        host.client.headers["Authorization"] = "Bearer of-somebody-else-at-the-same-address"
        assert knock(host) == 401
        many = readmit(running, host)
        assert (many.status_code, "Several machines" in many.json()["Message"]) == (400, True)
        host.client.headers["Authorization"] = good
        client = running.logged_on()
        client.post(f"/managedServers/{host.server_id}?action=revoke").raise_for_status()
        running.clock.ahead += timedelta(minutes=3)
        assert knock(host) == 401
        assert "revoked" in readmit(running, host).json()["Message"]
        assert knock(host) == 401
    host.close()


def test_a_host_that_knows_a_future_that_is_gone_is_told_everything_however_late_it_comes(
    tmp_path: Path,
) -> None:
    def add(running: RunningManager, name: str) -> None:
        client = running.logged_on()
        client.post("/cloud/tenants", json={"Name": name, "Password": "x" * 20}).raise_for_status()

    def lose(running: RunningManager, host: ScriptedHost) -> None:
        add(running, "lost")
        assert [each.name for each in changed(host)] == ["lost"]

    (tmp_path / "data").mkdir()
    host = restored(tmp_path / "data", lose)
    with running_manager(tmp_path / "data", site=None) as running:
        meet(running, host)
        add(running, "kept")
        host.poll()
        assert host.update.directory is not None
        assert host.update.directory.from_revision == 0
        assert [each.name for each in host.update.directory.tenants] == ["kept"]
        known = host.directory_revision
        add(running, "more")
        assert [each.name for each in changed(host)] == ["more"]
        assert host.update.directory.from_revision == known
    host.close()


def changed(host: ScriptedHost) -> tuple[Tenant, ...]:
    host.poll()
    assert host.update.directory is not None
    return host.update.directory.tenants


def test_a_crowd_of_strangers_fills_no_memory_and_hides_no_host_that_speaks_again() -> None:
    refused_polls, now = UnknownHosts(), datetime(2030, 1, 1, tzinfo=UTC)
    for number in range(3 * MOST_KEPT):
        refused_polls.record(RefusedPoll(f"{number}", "198.51.100.1", None, now))
    refused_polls.record(RefusedPoll("right", "192.0.2.1", UUID(int=1), now))
    assert len(refused_polls._heard) == MOST_KEPT
    found = refused_polls.of(UUID(int=1), ("192.0.2.1",), now)
    assert [each.credential_hash for each in found] == ["right"]
    assert refused_polls.of(UUID(int=2), ("192.0.2.1",), now) == ()
