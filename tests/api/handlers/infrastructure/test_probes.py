"""Is used quota shown where it is known, with when it was measured and why it could not be?"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from cloudgate.manager.probes import measuring
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.storage.tables import Repository
from cloudgate.protocol import DirectorySize
from tests.api.handlers.infrastructure.measuring_host import directory_probe, measuring_host
from tests.support.certificates.brought import Made, pem_of
from tests.support.ports import free_port
from tests.support.programs.storage import PASSWORD, USER, needs_rclone, rclone_webdav
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished
from tests.support.waiting import PATIENCE_SECONDS, looks

MB = 1024 * 1024
SPEC = {"Name": "vault", "Endpoint": "vault.example:8443"}


def add_repository(client: httpx2.Client, probe: dict[str, Any] | None = None) -> dict[str, Any]:
    spec = {**SPEC, "UsageProbe": probe} if probe else SPEC
    made: dict[str, Any] = client.post("/repositories", json=spec).raise_for_status().json()
    return made


def add_tenant(client: httpx2.Client, repository: dict[str, Any], name: str = "acme") -> str:
    """The path of a new tenant's quotas."""
    quota = {"Name": "space", "RepositoryUid": repository["UID"], "QuotaMb": 1024}
    spec = {"Name": name, "Resources": {"BackupResources": [quota]}}
    answer = client.post("/cloud/tenants", json=spec).raise_for_status()
    entity = finished(client, answer.json())["Links"][1]["Href"]
    return str(entity).partition("?")[0].partition("/api")[2] + "/resources"


def quota(client: httpx2.Client, path: str) -> dict[str, Any]:
    (found,) = client.get(path).raise_for_status().json()["CloudTenantResources"]
    return dict(found["RepositoryQuota"])


def quota_with(client: httpx2.Client, path: str, name: str, before: Any = None) -> dict[str, Any]:
    """The quota once it has such a property, and another than before."""
    for _ in looks(PATIENCE_SECONDS):
        found = quota(client, path)
        if found.get(name) not in (None, before):
            return found
    raise AssertionError(f"There is no {name}: {quota(client, path)}")


def probe_of(client: httpx2.Client, repository: dict[str, Any]) -> dict[str, Any] | None:
    entity = client.get(f"/repositories/{repository['UID']}?format=Entity").json()
    found: dict[str, Any] | None = entity.get("UsageProbe")
    return found


def put_probe(
    client: httpx2.Client, repository: dict[str, Any], probe: dict[str, Any]
) -> httpx2.Response:
    return client.put(f"/repositories/{repository['UID']}", json={"UsageProbe": probe})


def last_result(client: httpx2.Client, path: str) -> str:
    """Of the tenant whose quotas are at a path."""
    tenant = path.removesuffix("/resources")
    return str(client.get(f"{tenant}?format=Entity").raise_for_status().json()["LastResult"])


def test_without_a_probe_nothing_is_said_of_what_is_used(client: httpx2.Client) -> None:
    repository = add_repository(client)
    assert "UsageProbe" not in repository
    found = quota(client, add_tenant(client, repository))
    assert not found.keys() & {"UsedQuota", "UsedQuotaTime", "Warning"}


def test_a_directory_is_measured_by_its_host(client: httpx2.Client, host: ScriptedHost) -> None:
    host.poll()
    with measuring_host(host, DirectorySize(used_bytes=5 * MB + 1)) as asked:
        path = add_tenant(client, add_repository(client, directory_probe(host)))
        found = quota_with(client, path, "UsedQuota")
    assert (found["UsedQuota"], "Warning" in found) == (6, False)
    assert found["UsedQuotaTime"].endswith("Z")
    assert [(each.base, each.parts) for each in asked] == [("/srv/backups", ("acme",))]


def test_what_is_not_there_is_nothing_until_there_was_something(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    host.poll()
    repository = add_repository(client, directory_probe(host))
    with measuring_host(host, DirectorySize()):
        path = add_tenant(client, repository)
        assert quota_with(client, path, "UsedQuota", before=None)["UsedQuota"] == 0
    assert last_result(client, path) == "Success"
    with measuring_host(host, DirectorySize(used_bytes=2000 * MB)):
        put_probe(client, repository, directory_probe(host)).raise_for_status()
        full = quota_with(client, path, "UsedQuota", before=0)
    assert full["Warning"] == (
        "Storage quota of the cloud repository is exceeded. 2000 MB are used of 1024 MB."
        " New tunnels may only bring data back."
    )
    assert last_result(client, path) == "Warning"
    with measuring_host(host, DirectorySize()):
        put_probe(client, repository, directory_probe(host)).raise_for_status()
        gone = quota_with(client, path, "Warning", before=full["Warning"])
    assert (gone["UsedQuota"], gone["UsedQuotaTime"]) == (2000, full["UsedQuotaTime"])
    assert "mounted" in gone["Warning"]


def test_a_failure_keeps_the_last_figure_and_says_what_to_do(
    client: httpx2.Client, host: ScriptedHost, running: RunningManager
) -> None:
    host.poll()
    repository = add_repository(client, directory_probe(host))
    with measuring_host(host, DirectorySize(used_bytes=MB)):
        path = add_tenant(client, repository)
        first = quota_with(client, path, "UsedQuota")
    reason = "/srv/backups: Permission denied. Let the user of the host service read it."
    with measuring_host(host, DirectorySize(reason=reason)):
        put_probe(client, repository, directory_probe(host)).raise_for_status()
        failed = quota_with(client, path, "Warning")
    assert (failed["UsedQuota"], failed["UsedQuotaTime"]) == (1, first["UsedQuotaTime"])
    assert failed["Warning"] == f"The managed server gw1.example cannot measure {reason}"
    assert last_result(client, path) == "Warning"
    shown = probe_of(client, repository)
    assert shown is not None
    assert shown["Warning"] == f"1 of 1 tenants could not be measured: {failed['Warning']}"
    with measuring_host(host, None):  # as a host service of the release before answers
        put_probe(client, repository, directory_probe(host)).raise_for_status()
        old = quota_with(client, path, "Warning", before=failed["Warning"])
    assert "update it" in old["Warning"]
    running.clock.ahead = 2 * ONLINE_FOR
    later = running.logged_on()
    put_probe(later, repository, directory_probe(host)).raise_for_status()
    away = quota_with(later, path, "Warning", before=old["Warning"])
    assert "gw1.example is offline: start its host service" in away["Warning"]


def test_a_host_that_goes_while_it_measures_is_noticed(
    client: httpx2.Client,
    host: ScriptedHost,
    running: RunningManager,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "LOOK_SECONDS", 0.05)
    host.poll()
    repository = add_repository(client, directory_probe(host))
    path = add_tenant(client, repository)
    while host._poll().question is None:
        pass
    running.clock.ahead = 2 * ONLINE_FOR
    assert "offline" in quota_with(running.logged_on(), path, "Warning")["Warning"]


def test_it_is_measured_again_each_time_its_interval_is_over_and_once_the_clock_was_put_back(
    client: httpx2.Client, host: ScriptedHost, running: RunningManager
) -> None:
    host.poll()
    sizes = [DirectorySize(used_bytes=mb * MB) for mb in (1, 3, 5)]
    with measuring_host(host, *sizes):
        repository = add_repository(client, directory_probe(host))
        path = add_tenant(client, repository)
        assert quota_with(client, path, "UsedQuota")["UsedQuota"] == 1
        running.clock.ahead = timedelta(minutes=67)
        running.manager.hosts.presence.touch(host.server_id, running.clock())
        running.wake()
        again = running.logged_on()
        assert quota_with(again, path, "UsedQuota", before=1)["UsedQuota"] == 3
        running.clock.ahead = timedelta()
        running.wake()
        once_more = running.logged_on()
        assert quota_with(once_more, path, "UsedQuota", before=3)["UsedQuota"] == 5


def test_another_place_or_no_probe_forgets_the_figure(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    host.poll()
    repository = add_repository(client, directory_probe(host))
    with measuring_host(host, DirectorySize(used_bytes=MB)):
        path = add_tenant(client, repository)
        quota_with(client, path, "UsedQuota")
    with measuring_host(host, DirectorySize(reason="/x: gone")):
        put_probe(client, repository, directory_probe(host, "/x/{tenant}")).raise_for_status()
        found = quota_with(client, path, "Warning")
    assert "UsedQuota" not in found
    put_probe(client, repository, {"Method": "None"}).raise_for_status()
    assert "Warning" not in quota(client, path)
    assert probe_of(client, repository) is None


@needs_rclone
def test_a_webdav_server_is_asked_and_its_password_stays_sealed(
    client: httpx2.Client,
    running: RunningManager,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "stored" / "acme"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(os.urandom(3 * MB))
    with rclone_webdav(tmp_path / "stored") as url:
        probe = {"Method": "WebDAV", "Url": f"{url}/{{tenant}}", "Username": USER}
        repository = add_repository(client, {**probe, "Password": PASSWORD})
        path = add_tenant(client, repository)
        assert quota_with(client, path, "UsedQuota")["UsedQuota"] == 3
        shown = probe_of(client, repository)
        assert shown == {**probe, "IntervalMinutes": 60}
        assert put_probe(client, repository, shown).status_code == 204, "it need not be given again"
        refused = put_probe(client, repository, {**probe, "Url": "https://thief.example/{tenant}"})
        assert (refused.status_code, "again" in refused.json()["Message"]) == (400, True)
        swapped = put_probe(
            client, repository, {**probe, "CaFile": pem_of(Made("localhost").issuer)}
        )
        assert (swapped.status_code, "CaFile" in swapped.json()["Message"]) == (400, True)
        put_probe(client, repository, {**probe, "Password": "wrong-One"}).raise_for_status()
        failed = quota_with(client, path, "Warning")
        assert (failed["UsedQuota"], "(401)" in failed["Warning"]) == (3, True)
    gone = {**probe, "Url": f"http://127.0.0.1:{free_port()}/{{tenant}}", "Password": "wrong-One"}
    put_probe(client, repository, gone).raise_for_status()
    away = quota_with(client, path, "Warning", before=failed["Warning"])
    assert "cannot be reached" in away["Warning"]
    events = str([(event.before, event.after) for event in running.audited()])
    log = "".join(capfd.readouterr())
    for secret in (PASSWORD, "wrong-One"):
        assert secret not in events
        assert secret not in log
        for file in (each for each in tmp_path.rglob("*") if each.is_file()):
            assert secret.encode() not in file.read_bytes(), file
    with running.manager.reading() as work:
        found = work.session.get_one(Repository, UUID(repository["UID"].rpartition(":")[2]))
        owner = f"UsageProbe {found.id}"
        assert work.sealing.open(found.sealed_probe_password, owner) == "wrong-One"


S3 = {"Method": "S3", "Url": "https://s3.example", "Bucket": "b-{tenant}", "Username": "a"}


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        ({"Method": "Directory", "Path": "/x/{tenant}"}, "ManagedServerUid"),
        ({"Method": "Directory", "Path": "/x"}, "{tenant}"),
        ({"Method": "Directory", "Path": "x/{tenant}"}, "absolute"),
        ({"Method": "Directory", "Path": "/x/../{tenant}"}, "leads out"),
        ({"Method": "Directory", "Path": "/x/{tenant}{other}"}, "braces"),
        ({"Method": "Directory", "Path": "/x/{tenant}", "Bucket": "b"}, "Bucket"),
        ({"Method": "WebDAV", "Url": "https://dav.example/"}, "{tenant}"),
        ({"Method": "WebDAV", "Url": "https://{tenant}.example/{tenant}"}, "Url"),
        ({"Method": "WebDAV", "Url": "https://a:b@dav.example/{tenant}"}, "Username"),
        ({"Method": "WebDAV", "Url": "ftp://dav.example/{tenant}"}, "Url"),
        ({"Method": "WebDAV", "Url": "https://dav.example/%2e%2e/{tenant}"}, "leads out"),
        (
            {
                "Method": "WebDAV",
                "Url": "http://dav.example/{tenant}",
                "Username": "a",
                "Password": "b",
            },
            "https://",
        ),
        ({**S3, "Password": "b", "CaFile": "nonsense"}, "CaFile"),
        ({**S3}, "Password"),
        ({**S3, "Password": "b", "Prefix": "{tenant}"}, "slash"),
        ({**S3, "Password": "b", "Bucket": "vault"}, "Bucket or Prefix"),
        ({**S3, "Password": "b", "Bucket": "X{tenant}"}, "name of a bucket"),
        ({"Method": "Guess"}, "Directory, WebDAV, S3 or None"),
        ({**S3, "IntervalMinutes": 1}, "5 to 44640 minutes"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    client: httpx2.Client, host: ScriptedHost, probe: dict[str, Any], reason: str
) -> None:
    if probe["Method"] == "Directory" and reason != "ManagedServerUid":
        probe = {**probe, "ManagedServerUid": str(host.server_id)}
    answer = client.post("/repositories", json={**SPEC, "UsageProbe": probe})
    assert answer.status_code == 400
    assert reason in answer.json()["Message"]
    assert client.get("/repositories").json()["Refs"] == []


def test_a_machine_that_is_not_there_cannot_measure(client: httpx2.Client) -> None:
    probe = {"Method": "Directory", "ManagedServerUid": str(UUID(int=1)), "Path": "/x/{tenant}"}
    answer = client.post("/repositories", json={**SPEC, "UsageProbe": probe})
    assert (answer.status_code, "ManagedServerUid" in answer.json()["Message"]) == (400, True)
