"""Does a tenant get a new password in time, with the old one beside it, and is that seen?"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select

from cloudgate.manager.core.unit_of_work import SETTLED
from cloudgate.manager.storage.tables import CloudTenant, Subtenant
from cloudgate.manager.tenants import passwords
from cloudgate.protocol import GatewayState, OldPasswordUse, Tenant
from cloudgate.trust.password_hashes import matches
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import PASSWORD, RunningManager, finished
from tests.support.waiting import until

OLD, NEW = "the first one", "the second one"
ROTATE, END = "?action=rotatePassword", "?action=endOldPassword"


@pytest.fixture
def path(client: httpx2.Client) -> str:
    """Of a tenant with a quota."""
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    quota = {"Name": "q", "RepositoryUid": vault["UID"], "QuotaMb": 20480}
    spec = {"Name": "acme", "Password": OLD, "Resources": {"BackupResources": [quota]}}
    task = finished(client, client.post("/cloud/tenants", json=spec).json())
    return str(task["Links"][1]["Href"]).partition("?")[0]


@pytest.fixture
def user(client: httpx2.Client, path: str) -> str:
    """Of a user of the tenant."""
    found = client.get(f"{path}?format=Entity").json()
    resource = found["Resources"]["CloudTenantResources"][0]["Id"]
    spec = {"Name": "u", "Password": OLD, "TenantResourceId": resource, "UnlimitedQuota": True}
    finished(client, client.post(f"{path}/subtenants", json=spec).json())
    (user,) = client.get(f"{path}/subtenants").json()["CloudSubtenants"]
    return str(user["Href"])


def change(client: httpx2.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    task: dict[str, Any] = answer.json()
    finished(client, task)
    return task


def told(host: ScriptedHost) -> Tenant:
    host.directory_revision = 0
    directory = host.poll().directory
    assert directory is not None
    return directory.tenants[0]


def shown(client: httpx2.Client, path: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{path}?format=Entity").json()
    return found


def logs_on(running: RunningManager, password: str) -> bool:
    """Whether the tenant logs on at the API with a password."""
    who = {"TenantCredentials": {"Username": "acme", "Password": password}}
    client = running.client(Accept="application/json")
    answer = client.post("/sessionMngr/?v=latest", auth=("admin", PASSWORD), json=who)
    assert answer.status_code in (201, 401), answer.text
    return answer.status_code == 201


@pytest.mark.parametrize("of_user", [False, True])
def test_gateways_are_told_both_hashes_and_until_when_the_old_one_is_good(
    client: httpx2.Client, path: str, user: str, host: ScriptedHost, of_user: bool
) -> None:
    where = user if of_user else path
    change(client, where + ROTATE, Password=NEW, OldPasswordSeconds=3600)
    tenant = told(host)
    who = tenant.users[0] if of_user else tenant
    assert matches(who.password_hash, NEW)
    assert matches(who.old_password_hash, OLD)
    assert who.old_password_until is not None
    left = who.old_password_until - datetime.now(UTC)
    assert timedelta(minutes=30) < left <= timedelta(hours=1)
    ends = datetime.fromisoformat(shown(client, where)["OldPasswordExpirationDate"])
    assert ends == who.old_password_until
    change(client, where + END)
    tenant = told(host)
    who = tenant.users[0] if of_user else tenant
    assert (who.old_password_hash, who.old_password_until) == ("", None)
    assert matches(who.password_hash, NEW)
    assert "OldPasswordExpirationDate" not in shown(client, where)


def test_a_password_is_made_when_none_is_given_and_shown_this_once(
    running: RunningManager, client: httpx2.Client, path: str, host: ScriptedHost
) -> None:
    task = change(client, path + ROTATE)
    made = task["NewPassword"]
    assert len(made) >= 20
    assert matches(told(host).password_hash, made)
    day = datetime.fromisoformat(shown(client, path)["OldPasswordExpirationDate"])
    assert timedelta(hours=23) < day - datetime.now(UTC) <= timedelta(hours=24)
    assert made not in client.get(task["Href"]).text
    assert made not in client.get("/tasks").text
    assert made not in json.dumps([[each.before, each.after] for each in running.audited()])
    given = change(client, path + ROTATE, Password=NEW)
    assert "NewPassword" not in given


def test_at_once_nothing_but_the_new_password_is_good(
    client: httpx2.Client, path: str, host: ScriptedHost
) -> None:
    change(client, f"{path}{ROTATE}&endTunnels=true", Password=NEW, OldPasswordSeconds=0)
    tenant = told(host)
    assert matches(tenant.password_hash, NEW)
    assert not tenant.old_password_hash
    assert tenant.tunnels_end_before is not None


def test_of_passwords_that_were_replaced_the_last_one_is_good_and_a_put_ends_it(
    running: RunningManager, client: httpx2.Client, path: str, host: ScriptedHost
) -> None:
    change(client, path + ROTATE, Password=NEW)
    change(client, path + ROTATE, Password="the third one")
    tenant = told(host)
    assert matches(tenant.old_password_hash, NEW)
    assert [logs_on(running, each) for each in (OLD, NEW, "the third one")] == [False, True, True]
    finished(client, client.put(path, json={"Password": "the fourth one"}).json())
    assert not told(host).old_password_hash
    assert not logs_on(running, NEW)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"Password": OLD}, "it is the one that acme has"),
        ({"Password": NEW, "OldPasswordSeconds": 30 * 86400 + 1}, "30 days"),
        ({"Password": NEW, "OldPasswordSeconds": -1}, "30 days"),
    ],
)
def test_what_cannot_be_is_refused_and_the_password_stays(
    running: RunningManager, client: httpx2.Client, path: str, body: dict[str, Any], reason: str
) -> None:
    answer = client.post(path + ROTATE, json=body)
    assert answer.status_code == 400
    assert reason in answer.json()["Message"]
    assert logs_on(running, OLD)


def test_an_old_password_is_forgotten_when_its_time_is_over_here_and_at_gateways(
    running: RunningManager, client: httpx2.Client, path: str, user: str, host: ScriptedHost
) -> None:
    for each in (path, user):
        change(client, each + ROTATE, Password=NEW)
    assert told(host).old_password_hash
    running.clock.ahead = timedelta(hours=24, seconds=1)
    assert not logs_on(running, OLD), "also before it is forgotten"
    running.clock.ahead += SETTLED

    def is_forgotten() -> bool:
        running.wake()
        tenant = told(host)
        return not (tenant.old_password_hash or tenant.users[0].old_password_hash)

    until(is_forgotten)
    renewed = running.logged_on()
    assert "OldPasswordExpirationDate" not in shown(renewed, path)


def test_an_old_password_is_good_again_after_the_clock_was_ahead_for_a_moment(
    running: RunningManager, client: httpx2.Client, path: str, host: ScriptedHost
) -> None:
    change(client, path + ROTATE, Password=NEW)
    running.manager.hosts.listening.beat(running.manager.clock())
    running.clock.stepped += timedelta(days=3650)
    assert not logs_on(running, OLD)
    with running.manager.changing() as work:
        passwords.forget_expired(work)
    running.clock.stepped -= timedelta(days=3650)
    assert logs_on(running, OLD)
    assert told(host).old_password_hash


def test_who_still_comes_with_the_old_one_is_shown(
    running: RunningManager, client: httpx2.Client, path: str, user: str, host: ScriptedHost
) -> None:
    ids = [UUID(each.rpartition("/")[2]) for each in (path, user)]
    uses = (
        OldPasswordUse(tenant_id=ids[0], last_at=datetime.now(UTC)),
        OldPasswordUse(tenant_id=ids[0], user_id=ids[1], last_at=datetime.now(UTC)),
        OldPasswordUse(tenant_id=ids[1], last_at=datetime.now(UTC)),
    )
    host.report(GatewayState.ABSENT, old_passwords=uses).raise_for_status()
    assert "OldPasswordLastUsed" not in shown(client, path), "it has no old one"
    for each in (path, user):
        change(client, each + ROTATE, Password=NEW)
    host.report(GatewayState.ABSENT, old_passwords=uses).raise_for_status()
    for each in (path, user):
        used = datetime.fromisoformat(shown(client, each)["OldPasswordLastUsed"])
        assert used == uses[0].last_at or used == uses[1].last_at
    change(client, path + ROTATE, Password="the third one")
    assert "OldPasswordLastUsed" not in shown(client, path), "nobody has come by this one"


def test_a_report_from_the_future_does_not_put_the_last_use_there(
    client: httpx2.Client, path: str, host: ScriptedHost
) -> None:
    change(client, path + ROTATE, Password=NEW)
    ahead = datetime.now(UTC) + timedelta(days=300)
    use = OldPasswordUse(tenant_id=UUID(path.rpartition("/")[2]), last_at=ahead)
    host.report(GatewayState.ABSENT, old_passwords=(use,)).raise_for_status()
    used = datetime.fromisoformat(shown(client, path)["OldPasswordLastUsed"])
    assert used <= datetime.now(UTC)


def test_each_change_is_on_record_without_a_password(
    running: RunningManager, client: httpx2.Client, path: str, user: str
) -> None:
    for each in (path, user):
        change(client, each + ROTATE, Password=NEW)
        change(client, each + END)
    events = [each for each in running.audited() if "Password" in each.operation]
    assert [each.operation for each in events] == [
        "RotateCloudTenantPassword",
        "EndOldCloudTenantPassword",
        "RotateCloudSubtenantPassword",
        "EndOldCloudSubtenantPassword",
    ]
    assert (events[0].after or {})["Password"] == "changed"
    assert (events[1].after or {}) == {"OldPasswordExpirationDate": None}
    assert NEW not in json.dumps([[each.before, each.after, each.message] for each in events])


CHOSEN = "chosen by ourselves"


def changes(
    running: RunningManager, name: str, password: str, body: dict[str, Any]
) -> httpx2.Response:
    """What a tenant or user is answered that wants another password."""
    client = running.client(Accept="application/json")
    return client.put("/cloud/password", auth=(name, password), json=body)


@pytest.fixture
def allowed(client: httpx2.Client, path: str) -> None:
    finished(client, client.put(path, json={"MayChangePassword": True}).json())
    assert shown(client, path)["MayChangePassword"] is True


@pytest.mark.parametrize("of_user", [False, True])
def test_an_old_password_whose_time_is_over_is_shown_no_more_though_it_is_kept_for_a_while(
    running: RunningManager, client: httpx2.Client, path: str, user: str, of_user: bool
) -> None:
    where = user if of_user else path
    change(client, where + ROTATE, Password=NEW, OldPasswordSeconds=60)
    assert shown(client, where)["OldPasswordExpirationDate"]
    running.clock.ahead += timedelta(seconds=61)
    assert "OldPasswordExpirationDate" not in shown(client, where)
    kind = "CloudSubtenant" if of_user else "CloudTenant"
    answer = client.get(f"/query?type={kind}&format=Entities").json()
    (found,) = answer["Resources" if of_user else "Entities"][f"{kind}s"][f"{kind}s"]
    assert "OldPasswordExpirationDate" not in found
    with running.manager.reading() as work:
        column = (Subtenant if of_user else CloudTenant).old_password_until
        assert work.session.scalars(select(column)).one() is not None


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("name", ["acme", "ACME/U"])
def test_a_tenant_and_its_user_change_their_own_password_and_the_old_one_is_good_beside_it(
    running: RunningManager, client: httpx2.Client, user: str, host: ScriptedHost, name: str
) -> None:
    answer = changes(running, name, OLD, {"Password": CHOSEN, "OldPasswordSeconds": 3600})
    assert (answer.status_code, answer.content) == (204, b"")
    tenant = told(host)
    changed, other = (tenant, tenant.users[0]) if name == "acme" else (tenant.users[0], tenant)
    assert matches(changed.password_hash, CHOSEN)
    assert matches(changed.old_password_hash, OLD)
    assert not other.old_password_hash, "the other one's is as it was"
    where = user.partition("/subtenants")[0] if name == "acme" else user
    ends = datetime.fromisoformat(shown(client, where)["OldPasswordExpirationDate"])
    assert timedelta(minutes=30) < ends - datetime.now(UTC) <= timedelta(hours=1)
    event = running.logged("ChangeOwn")
    who = ("acme", "CloudTenant") if name == "acme" else ("acme\\u", "CloudSubtenant")
    assert (event.account, event.object_type) == who
    assert CHOSEN not in json.dumps([event.before, event.after, event.message])


@pytest.mark.usefixtures("allowed")
def test_a_password_that_was_replaced_changes_nothing_and_who_tries_is_on_record(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    change(client, path + ROTATE, Password=NEW)
    assert logs_on(running, OLD), "at gateways, and to look"
    assert changes(running, "acme", OLD, {"Password": CHOSEN}).status_code == 401
    assert logs_on(running, NEW)
    event = running.logged("ChangeOwn")
    assert (event.operation, event.account) == ("ChangeOwnCloudTenantPassword", "acme")
    assert (event.success, event.address) == (False, "127.0.0.1")


@pytest.mark.usefixtures("allowed")
def test_who_may_not_change_it_or_not_to_that_is_told_why_and_the_password_stays(
    running: RunningManager, client: httpx2.Client, path: str, user: str, host: ScriptedHost
) -> None:
    def refused(name: str, body: dict[str, Any], status: int, reason: str) -> None:
        answer = changes(running, name, OLD, body)
        assert answer.status_code == status, answer.text
        assert reason in answer.json()["Message"]

    def edited(where: str, **said: Any) -> None:
        finished(client, client.put(where, json=said).json())

    refused("acme", {}, 400, "Password")
    refused("acme", {"Password": "too short"}, 400, "at least 12")
    refused("acme", {"Password": OLD}, 400, "it is the one that acme has")
    refused("acme", {"Password": CHOSEN, "OldPasswordSeconds": 2592001}, 400, "30 days")
    refused("admin", {"Password": CHOSEN}, 401, "may not log on")
    edited(user, AllowedNetworks={"Networks": ["192.0.2.0/24"]})
    refused("acme\\u", {"Password": CHOSEN}, 403, "may not come from 127.0.0.1")
    edited(path, MayChangePassword=False)
    assert "MayChangePassword" not in shown(client, path)
    refused("acme", {"Password": CHOSEN}, 403, "Ask the provider")
    refused("acme\\u", {"Password": CHOSEN}, 403, "Ask the provider")
    edited(user, Enabled=False)
    refused("acme\\u", {"Password": CHOSEN}, 401, "may not log on")
    tenant = told(host)
    assert matches(tenant.password_hash, OLD)
    assert matches(tenant.users[0].password_hash, OLD)
