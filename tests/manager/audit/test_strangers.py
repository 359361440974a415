"""Strangers can be refused as often as they like, and fill no log by it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.exc import OperationalError

from cloudgate.manager.audit.sums import write_sums
from cloudgate.manager.registries.audit_throttle import MOST_NOTED, NOTED_EVERY
from cloudgate.manager.registries.refused_callers import FIRST_LOGONS, MOST_GUESSES
from cloudgate.manager.sessions.operations import note_failed_logon
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.database import Database
from cloudgate.protocol import GatewayState, Guess
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import PATIENCE_SECONDS

OFTEN = 200


def counted(running: RunningManager, operation: str) -> tuple[int, int]:
    """How many rows of the audit log there are of that, and how many refusals they tell of."""
    found = [each for each in running.audited() if each.operation == operation and not each.success]
    return len(found), sum((each.after or {}).get("Count", 1) for each in found)


def test_one_stranger_makes_a_few_rows_and_a_sum(running: RunningManager) -> None:
    for _ in range(OFTEN):
        note_failed_logon(running.manager, "admin", "198.51.100.7")
    assert counted(running, "LogOn") == (FIRST_LOGONS, FIRST_LOGONS)
    running.clock.ahead += NOTED_EVERY
    write_sums(running.manager)
    write_sums(running.manager)
    assert counted(running, "LogOn") == (FIRST_LOGONS + 1, OFTEN)
    last = running.audited()[-1]
    assert (last.account, last.address) == ("admin", "198.51.100.7")
    assert last.message.startswith(f"{OFTEN - FIRST_LOGONS} more times between")


def test_each_address_of_ipv4_has_its_own_at_a_port_of_both_families(tmp_path: Path) -> None:
    with running_manager(tmp_path, listens_at="") as running:
        with httpx2.Client(verify=running.context, timeout=PATIENCE_SECONDS) as stranger:
            url = running.url.replace("localhost", "127.0.0.1")
            logon = f"{url}/api/sessionMngr/?v=latest"
            assert stranger.post(logon, auth=("admin", "wrong")).status_code == 401
        assert running.audited()[-1].address == "127.0.0.1"
        for number in range(FIRST_LOGONS + 1):
            for address in ("::ffff:198.51.100.7", "::ffff:203.0.113.9"):
                note_failed_logon(running.manager, f"guess{number % 2}", address)
        rows, _ = counted(running, "LogOn")
        assert rows == 1 + 2 * (FIRST_LOGONS + 1), "one name from one address is not another's"
        for address in ("::ffff:198.51.100.7", "::ffff:203.0.113.9"):
            for _ in range(FIRST_LOGONS):
                note_failed_logon(running.manager, "root", address)
        rows, _ = counted(running, "LogOn")
        assert rows == 1 + 2 * (2 * FIRST_LOGONS + 1)


def test_a_tenant_finds_the_sum_where_it_finds_what_is_summed_up(running: RunningManager) -> None:
    client = running.logged_on()
    made = {"Name": "acme", "Password": "a long password of acme"}
    finished(client, client.post("/cloud/tenants", json=made).json())
    stranger = running.client(Accept="application/json")
    for _ in range(FIRST_LOGONS + 1):
        wrong = stranger.post("/sessionMngr/?as=tenant", auth=("acme", "wrong"))
        assert wrong.status_code == 401
    write_sums(running.manager, all_of_them=True)
    stranger.post("/sessionMngr/?as=tenant", auth=("acme", made["Password"])).raise_for_status()
    shown = stranger.get("/cloud/self/logins").json()["CloudSelfLogins"]
    assert ["more times" in (each["Message"] or "") for each in shown] == [
        False,
        True,
        *[False] * FIRST_LOGONS,
    ]


def test_a_crowd_of_strangers_makes_no_more_than_so_many_rows_and_all_are_counted(
    running: RunningManager,
) -> None:
    for number in range(3 * MOST_NOTED):
        for _ in range(FIRST_LOGONS + 1):
            note_failed_logon(running.manager, f"name{number}", f"2001:db8:{number:x}::1")
    rows, _ = counted(running, "LogOn")
    assert rows == FIRST_LOGONS * MOST_NOTED
    running.clock.ahead += NOTED_EVERY
    write_sums(running.manager)
    rows, times = counted(running, "LogOn")
    assert rows == (FIRST_LOGONS + 1) * MOST_NOTED + 1
    assert times == 3 * MOST_NOTED * (FIRST_LOGONS + 1)
    others = next(each for each in running.audited() if "by others" in each.message)
    assert others.after is not None
    assert others.after["Count"] == 2 * MOST_NOTED * (FIRST_LOGONS + 1)


@pytest.mark.parametrize(
    "header",
    [None, "Basic", "Bearer x", "Basic !!!", "Basic YWRtaW46eA==", "Basic YQBiOng="],
)
def test_whatever_a_logon_says_it_is_summed_up(running: RunningManager, header: str | None) -> None:
    client = running.client(Accept="application/json")
    headers = {} if header is None else {"Authorization": header}
    for _ in range(3):
        assert client.post("/sessionMngr/?v=latest", headers=headers).status_code in (400, 401)
    for _ in range(OFTEN):
        note_failed_logon(running.manager, "", "127.0.0.1")
        note_failed_logon(running.manager, "admin", "127.0.0.1")
    assert counted(running, "LogOn")[0] <= 2 * FIRST_LOGONS + 1


def test_hosts_that_nobody_knows_are_counted_too_and_the_log_has_them_once(
    running: RunningManager, host: ScriptedHost, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"Authorization": "Bearer wrong"}
    for _ in range(10):
        for call in ("poll", "report"):
            assert host.client.post(f"/{call}", headers=headers).status_code == 401
        assert host.client.post("/nothing", headers=headers).status_code == 404
    assert capsys.readouterr().out.count("a host was refused") == 2
    running.clock.ahead += NOTED_EVERY
    write_sums(running.manager)
    assert counted(running, "RefuseUnknownHost") == (4, 20)


def test_who_may_not_is_summed_up(running: RunningManager) -> None:
    admin = running.logged_on()
    spec = {
        "AccountType": "User",
        "AccountName": "reader",
        "Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": str(Role.VM_RESTORE_OPERATOR.id)}]},
        "AllowRestoreAllVms": False,
        "Password": "s3cret-password",
    }
    admin.post("/security/accounts", json=spec).raise_for_status()
    client = running.client(Accept="application/json")
    client.post("/sessionMngr/?v=latest", auth=("reader", "s3cret-password")).raise_for_status()
    for _ in range(20):
        assert client.get("/cloud/tenants").status_code == 403
    assert counted(running, "DenyAccess")[0] == 1
    running.clock.ahead += NOTED_EVERY
    write_sums(running.manager)
    assert counted(running, "DenyAccess") == (2, 20)


def test_gateways_that_tell_of_guesses_without_end_make_no_more_than_so_many_rows(
    running: RunningManager, host: ScriptedHost
) -> None:
    at = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(4):
        guesses = tuple(
            Guess(
                name=f"{number}-{each}",
                address="198.51.100.7",
                count=10,
                first_at=at,
                last_at=at,
            )
            for each in range(100)
        )
        assert host.report(GatewayState.ABSENT, guesses=guesses).status_code == 204
    assert counted(running, "GuessTenantPassword") == (MOST_NOTED, 10 * MOST_NOTED)
    running.clock.ahead += NOTED_EVERY
    write_sums(running.manager)
    assert counted(running, "GuessTenantPassword") == (MOST_NOTED + 1, 4000)
    assert running.audited()[-1].object_name == host.name
    assert MOST_GUESSES < 1000


def test_sums_that_cannot_be_written_are_written_later_with_what_came_meanwhile(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    began = running.clock()
    for _ in range(FIRST_LOGONS + 3):
        note_failed_logon(running.manager, "admin", "198.51.100.7")
    running.clock.ahead += timedelta(seconds=10)
    with monkeypatch.context() as once:
        once.setattr(Database, "writing", full)
        with pytest.raises(OperationalError):
            write_sums(running.manager, all_of_them=True)
    for _ in range(2):
        note_failed_logon(running.manager, "admin", "198.51.100.7")
    for _ in range(2):
        write_sums(running.manager, all_of_them=True)
    assert counted(running, "LogOn") == (FIRST_LOGONS + 1, FIRST_LOGONS + 3 + 2)
    after = running.audited()[-1].after
    assert after is not None
    assert datetime.fromisoformat(after["FirstTime"]) < began + timedelta(seconds=10)
    assert datetime.fromisoformat(after["LastTime"]) >= began + timedelta(seconds=10)


def test_sums_that_cannot_be_written_for_long_stay_as_few_as_they_are(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    # All the time: the manager writes them by itself, too, each few seconds.
    with monkeypatch.context() as long:
        long.setattr(Database, "writing", full)
        for minute in range(4):
            for number in range(MOST_NOTED):
                for _ in range(2):
                    running.manager.strangers.is_to_be_noted(
                        "RefuseUnknownHost",
                        f"name{minute}-{number}",
                        "198.51.100.7",
                        running.clock(),
                    )
            running.clock.ahead += NOTED_EVERY
            with pytest.raises(OperationalError):
                write_sums(running.manager)
    write_sums(running.manager)
    rows, times = counted(running, "RefuseUnknownHost")
    assert times == 4 * MOST_NOTED
    assert rows <= MOST_NOTED + 1


def test_what_was_counted_is_written_down_when_the_manager_stops(running: RunningManager) -> None:
    for _ in range(10):
        note_failed_logon(running.manager, "admin", "198.51.100.7")
    write_sums(running.manager, all_of_them=True)
    assert counted(running, "LogOn") == (FIRST_LOGONS + 1, 10)
