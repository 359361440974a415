"""What the manager does by itself: what fails is shown, and nothing else ends because of it."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509

from cloudgate.api.server import ServerOptions
from cloudgate.manager.audit.outlets import open_outlet
from cloudgate.manager.security.authority import PortCertificate
from tests.support.machine.disks import (
    FAULTS,
    WORDS,
    make_room,
    needs_mounts,
    small_disk,
    take_bytes,
)
from tests.support.running.manager import RunningManager, running_manager
from tests.support.waiting import until


def warnings(client: httpx2.Client) -> list[dict[str, Any]]:
    found = client.get("/warnings")
    assert found.status_code == 200
    listed: list[dict[str, Any]] = found.json()["OperatorWarnings"]
    return listed


def of_the_manager(client: httpx2.Client) -> str:
    return " ".join(each["Message"] for each in warnings(client) if each["Name"] == "manager")


def test_an_audit_log_that_nothing_can_be_written_to_needs_a_look_and_all_else_goes_on(
    tmp_path: Path,
) -> None:
    audit_log = tmp_path / "audit.log"
    extras = ServerOptions(audit_outlet=open_outlet(str(audit_log)))
    audit_log.unlink()
    audit_log.mkdir()
    with running_manager(tmp_path / "data", extras=extras) as manager:
        client = manager.logged_on()
        until(lambda: "Delivering the audit log has failed since" in of_the_manager(client))
        said = warnings(client)[0]
        assert said["ObjectType"] == "Manager"
        assert f"{audit_log} cannot be written: Is a directory" in said["Message"]
        assert said["Since"]
        xml = client.get("/warnings", headers={"Accept": "application/xml"}).text
        assert "<OperatorWarning><Name>manager</Name>" in xml
        # Nothing that the manager does by itself waits for that.
        done = client.post("/backupServers?action=create", json={"DnsNameOrIpAddress": "b"})
        assert done.status_code == 201


def shown_certificate(manager: RunningManager) -> str:
    port = int(manager.url.rpartition(":")[2])
    return ssl.get_server_certificate(("localhost", port))


def test_a_certificate_that_is_yet_to_begin_is_made_anew_once_the_clock_was_put_back(
    tmp_path: Path,
) -> None:
    with running_manager(tmp_path / "data", port=PortCertificate) as manager:
        first = shown_certificate(manager)
        manager.clock.ahead = timedelta(days=400)
        manager.wake()
        until(lambda: shown_certificate(manager) != first)
        ahead = shown_certificate(manager)
        manager.clock.ahead = timedelta()
        manager.wake()
        until(lambda: shown_certificate(manager) != ahead)
        begins = x509.load_pem_x509_certificate(shown_certificate(manager).encode())
        assert begins.not_valid_before_utc < datetime.now(UTC)


@needs_mounts
@pytest.mark.parametrize("fault", FAULTS)
def test_a_disk_that_fails_at_the_moment_of_renewal_ends_nothing_and_is_made_good_later(
    tmp_path: Path, fault: str
) -> None:
    with (
        small_disk(tmp_path / "tls") as tls,
        running_manager(tmp_path / "data", tls=tls, port=PortCertificate) as manager,
    ):
        before = shown_certificate(manager)
        FAULTS[fault](tls)
        manager.clock.ahead = timedelta(days=61)
        manager.wake()
        client = manager.logged_on()
        until(lambda: "Renewing the manager's own certificate has failed" in of_the_manager(client))
        assert WORDS[fault] in of_the_manager(client)
        assert shown_certificate(manager) == before
        make_room(tls)
        until(lambda: shown_certificate(manager) != before)
        until(lambda: of_the_manager(client) == "")


@needs_mounts
def test_a_manager_that_starts_with_a_full_disk_when_its_certificate_is_to_be_renewed_starts(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "tls") as tls:
        with running_manager(tmp_path / "data", tls=tls, port=PortCertificate) as manager:
            before = shown_certificate(manager)
        take_bytes(tls)
        names = ("another.example",)  # so that the certificate does not do any more
        with running_manager(tmp_path / "data", tls=tls, site=None, names=names) as manager:
            assert shown_certificate(manager) == before
            client = manager.logged_on()
            until(lambda: "own certificate has failed" in of_the_manager(client))
            make_room(tls)
            until(lambda: shown_certificate(manager) != before)
