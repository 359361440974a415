"""Is a tenant protected from deletion only where its repositories keep what is deleted?"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cloudgate.manager.notifications.conditions import see_all
from cloudgate.manager.protection.operations import held_by_repository
from tests.support.certificates.brought import Made, pem_of
from tests.support.ports import free_port
from tests.support.programs.storage import PASSWORD, USER, needs_rclone, rclone_restic
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import PATIENCE_SECONDS, looks, until

DAY = timedelta(days=1)


def add_repository(client: httpx2.Client, address: str, **more: Any) -> dict[str, Any]:
    spec = {"Name": "vault", "Endpoint": "vault.example:8443", "Address": address, **more}
    made: dict[str, Any] = client.post("/repositories", json=spec).raise_for_status().json()
    return made


def repository_with(client: httpx2.Client, made: dict[str, Any], **expected: Any) -> dict[str, Any]:
    """How it keeps what is deleted, once that is as expected."""
    found: dict[str, Any] = {}
    for _ in looks(PATIENCE_SECONDS):
        entity = client.get(f"/repositories/{made['UID']}?format=Entity").raise_for_status().json()
        found = entity["BackupProtection"]
        if all(found.get(name) == value for name, value in expected.items()):
            return found
    raise AssertionError(f"It is not {expected}: {found}")


def add_tenant(
    client: httpx2.Client, made: dict[str, Any] | None, name: str, **more: Any
) -> httpx2.Response:
    quota = {"Name": "q", "RepositoryUid": made["UID"], "QuotaMb": 1024} if made else None
    resources = {"Resources": {"BackupResources": [quota]}} if quota else {}
    spec = {"Name": name, "Password": "p", "BackupProtectionEnabled": True, **resources, **more}
    return client.post("/cloud/tenants", json=spec)


def tenant(client: httpx2.Client, answer: httpx2.Response) -> str:
    """Where it is, once it is made."""
    task = finished(client, answer.raise_for_status().json())
    return str(task["Links"][1]["Href"]).partition("?")[0]


def why_not(answer: httpx2.Response) -> str:
    assert answer.status_code == 400, answer.text
    said = str(answer.json()["Message"])
    assert "BackupProtectionEnabled: found true, and nothing would be protected: " in said
    return said


class Vault:
    """A server of restic's REST protocol, and what the manager is told of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.protection = {
            "Method": "RestServer",
            "Url": f"http://127.0.0.1:{self.port}/cloudgate/",
            "Username": USER,
            "Password": PASSWORD,
        }

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    (tmp_path / "vault").mkdir()
    return Vault(tmp_path / "vault")


@needs_rclone
def test_a_tenant_is_protected_by_a_server_that_is_seen_to_delete_nothing(
    running: RunningManager, client: httpx2.Client, vault: Vault
) -> None:
    with rclone_restic(vault.folder, vault.port, "--append-only"):
        made = add_repository(client, vault.address, BackupProtection=vault.protection)
        assert "Password" not in made["BackupProtection"]
        found = repository_with(client, made, Protected=True)
        assert not found.keys() & {"Days", "Warning", "Password"}
        href = tenant(client, add_tenant(client, made, "acme", BackupProtectionPeriod=30))
        (kept,) = (vault.folder / "cloudgate" / "data").rglob("*/*")
        assert kept.is_file()
    entity = client.get(f"{href}?format=Entity").json()
    assert (entity["BackupProtectionEnabled"], entity["BackupProtectionPeriod"]) == (True, 30)

    known = {name: said for name, said in vault.protection.items() if name != "Password"}
    swapped = {**known, "CaFile": pem_of(Made("localhost").issuer)}
    refused = client.put(made["Href"], json={"BackupProtection": swapped})
    assert (refused.status_code, "CaFile" in refused.json()["Message"]) == (400, True)

    with rclone_restic(vault.folder, vault.port):
        client.put(made["Href"], json={"BackupProtection": vault.protection}).raise_for_status()
        lost = repository_with(client, made, Protected=False)
    assert lost["Warning"].startswith("Deleted backups may not be kept: The server at http://127.")
    assert "--append-only" in lost["Warning"]
    assert not list((vault.folder / "cloudgate" / "data").rglob("*/*")), "it was deleted"

    entity = client.get(f"{href}?format=Entity").json()
    assert entity["BackupProtectionEnabled"] is True, "nobody changes a tenant silently"
    assert entity["LastResult"] == "Warning"
    assert entity["Warning"].startswith("Not protected: the repository vault: Deleted backups may")
    assert finished(client, client.put(href, json=entity).json())["Result"]["Success"]
    assert "--append-only" in why_not(add_tenant(client, made, "other"))
    with running.manager.reading() as work:
        (told,) = [
            (each.kind, each.text)
            for each in see_all(running.manager, work).conditions
            if each.name == "vault"
        ]
        assert list(held_by_repository(work)) == [("vault", "localhost", False)]
    assert told == ("ProtectionLost", f"vault: {lost['Warning']}")
    assert "vault" in why_not(client.put(href, json={"BackupProtectionPeriod": 31}))
    assert finished(client, client.put(href, json={"BackupProtectionEnabled": False}).json())[
        "Result"
    ]["Success"]
    assert "Warning" not in client.get(f"{href}?format=Entity").json()
    operations = [each.operation for each in running.audited() if "Protection" in each.operation]
    assert operations == ["ConfirmBackupProtection", "LoseBackupProtection"]


@needs_rclone
def test_a_server_that_is_away_protects_for_a_day_as_it_was_last_seen(
    running: RunningManager, client: httpx2.Client, vault: Vault
) -> None:
    made = add_repository(client, vault.address, BackupProtection=vault.protection)
    with rclone_restic(vault.folder, vault.port, "--append-only"):
        client.put(made["Href"], json={"BackupProtection": vault.protection}).raise_for_status()
        repository_with(client, made, Protected=True)
    client.put(made["Href"], json={"BackupProtection": vault.protection}).raise_for_status()
    until(lambda: "Warning" in repository_with(client, made))
    found = repository_with(client, made, Protected=True)
    assert "cannot be reached" in found["Warning"]
    tenant(client, add_tenant(client, made, "acme"))
    running.clock.ahead = DAY
    client = running.logged_on()
    assert "cannot be reached" in why_not(add_tenant(client, made, "other"))


def test_without_a_repository_that_keeps_anything_nobody_is_protected(
    client: httpx2.Client,
) -> None:
    plain = add_repository(client, "127.0.0.1:9")
    assert "no quota on a repository" in why_not(add_tenant(client, None, "acme"))
    assert "nothing says how the repository vault" in why_not(add_tenant(client, plain, "acme"))
    href = tenant(client, add_tenant(client, plain, "acme", BackupProtectionEnabled=False))
    assert "nothing says how" in why_not(client.put(href, json={"BackupProtectionEnabled": True}))


def test_what_is_looked_at_has_to_be_what_tenants_reach(client: httpx2.Client) -> None:
    elsewhere = {"Method": "RestServer", "Url": "http://127.0.0.1:7/cloudgate/"}
    spec = {"Name": "v", "Endpoint": "vault.example:8443", "BackupProtection": elsewhere}
    answer = client.post("/repositories", json=spec)
    assert answer.status_code == 400
    assert "Url: found 127.0.0.1:7, expected the repository's Endpoint or Address" in answer.text


def test_snapshots_protect_for_as_many_days_as_the_operators_program_says(
    tmp_path: Path,
) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\necho the pool is degraded >&2\nexit 1\n")
    hook.chmod(0o755)
    with running_manager(tmp_path / "data", protection_hook=hook) as running:
        client = running.logged_on()
        made = add_repository(client, "127.0.0.1:9", BackupProtection={"Method": "Snapshots"})
        until(lambda: "Warning" in repository_with(client, made))
        said = repository_with(client, made, Protected=False)["Warning"]
        assert said.endswith("(snapshots vault) says no, with status 1: the pool is degraded")
        says = '[ "$1 $2" = "snapshots vault" ] && date -u +"%Y-%m-%dT%TZ 14"'
        hook.write_text(f"#!/bin/sh\n{says}\n")
        client.put(made["Href"], json={"BackupProtection": {"Method": "Snapshots"}})
        assert repository_with(client, made, Protected=True)["Days"] == 14
        refused = add_tenant(client, made, "acme", BackupProtectionPeriod=15)
        assert "keeps what is deleted for 14 days" in why_not(refused)
        href = tenant(client, add_tenant(client, made, "acme", BackupProtectionPeriod=14))

        other = {"Name": "bare", "Endpoint": "bare.example:1"}
        bare = client.post("/repositories", json=other).raise_for_status().json()
        quota = {"Name": "more", "RepositoryUid": bare["UID"], "QuotaMb": 1024}
        assert "nothing says how" in why_not(client.post(f"{href}/resources", json=quota))
        client.put(made["Href"], json={"BackupProtection": {"Method": "None"}}).raise_for_status()
        entity = client.get(f"{href}?format=Entity").json()
        assert "Not protected: nothing says how the repository vault" in entity["Warning"]


def test_a_storage_that_is_slow_to_answer_holds_up_the_look_at_no_other(tmp_path: Path) -> None:
    hook, gate = tmp_path / "hook", tmp_path / "gate"
    os.mkfifo(gate)
    waits = f'[ "$2" != slow ] || cat {gate} >/dev/null'
    hook.write_text(f'#!/bin/sh\n{waits}\ndate -u +"%Y-%m-%dT%TZ 14"\n')
    hook.chmod(0o755)
    with running_manager(tmp_path / "data", protection_hook=hook) as running:
        client = running.logged_on()
        snapshots = {"BackupProtection": {"Method": "Snapshots"}}
        slow = add_repository(client, "127.0.0.1:9", Name="slow", **snapshots)
        with gate.open("w"):  # once it is being looked at
            other = {"Name": "quick", "Endpoint": "quick.example:8443"}
            quick = add_repository(client, "127.0.0.1:8", **other, **snapshots)
            repository_with(client, quick, Protected=True)
            assert "CheckedTime" not in repository_with(client, slow)
        repository_with(client, slow, Protected=True)
