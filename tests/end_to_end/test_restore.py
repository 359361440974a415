"""A manager is lost with its disk: is all as before once its backup was restored, tunnels too?"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cloudgate.host.state.enrolment import load_enrolment
from cloudgate.host.state.paths import state_paths
from tests.support.observation.monitored_product import START_SECONDS, Site, site
from tests.support.running.product import Client
from tests.support.running.tunnel import open_tunnel, repository
from tests.support.waiting import until

pytestmark = pytest.mark.end_to_end
LOGIN, TARGET = "acme:p4ssword", "vault.example:443"


def rotate_credential(made: Site, uid: str) -> None:
    """Have the host get another one, as it does every day; and make a change that is lost."""
    state = state_paths(made.folder / "gw1.example" / "host")
    before = load_enrolment(state).credential
    with closing(sqlite3.connect(made.data / "cloudgate.db")) as database, database:
        database.execute("UPDATE managed_servers SET credential_made_at = '2020-01-01'")
    with made.client() as client:
        assert client.add_tenant(f"late{before[:8]}", "p4ssword", uid)["Result"]["Success"]
    until(lambda: load_enrolment(state).credential != before)


def remove_tenant(client: Client, name: str) -> None:
    (found,) = (
        each for each in client.http.get("/cloud/tenants").json()["Refs"] if each["Name"] == name
    )
    assert client.done(client.http.delete(found["Href"]))["Result"]["Success"]


def is_back(client: Client) -> bool:
    (server,) = client.http.get("/managedServers?format=Entity").json()["ManagedServers"]
    return bool(server["State"] == "Online" and client.gateway()["State"] == "Listening")


def test_hosts_come_back_to_a_restored_manager_and_no_tunnel_is_cut(tmp_path: Path) -> None:
    sealed, backups, file = (tmp_path / each for each in ("key", "backups", "backup"))
    sealed.write_bytes(bytes(range(32)))
    backups.mkdir()
    sealed_by = ("--key-file", sealed)
    options = ("--backup-folder", str(backups), "--backup-key-file", str(sealed))
    with site(tmp_path, *options) as made, repository() as address:
        made.add_host()
        made.add_gateway()
        with made.client() as client:
            vault = client.add_repository("vault", TARGET, address)
            client.add_tenant("acme", "p4ssword", vault)
            client.add_tenant("leaver", "p4ssword", vault)
        tunnel = open_tunnel(made.gateway_port, made.ca_file, TARGET, LOGIN)
        assert tunnel.status == 200, tunnel.reason
        made.say("backup", "create", file, *made.folder_option, *sealed_by)

        # What follows is lost with the disk: the credential is replaced, a tenant goes.
        rotate_credential(made, vault)
        with made.client() as client:
            remove_tenant(client, "leaver")
        journal = backups / "changes.jsonl"
        until(lambda: journal.exists() and "leaver has been deleted" in journal.read_text())
        made.manager.process.kill()
        made.manager.process.wait()
        shutil.rmtree(made.data)

        words = (*made.folder_option, *sealed_by, "--journal", journal)
        said = made.say("backup", "restore", file, *words)
        assert "leaver has been deleted, by admin" in said
        assert "cloudgate tenant delete leaver" in said
        assert "late" not in said, "what began after the backup is no right that was taken away"
        made.start_manager()
        with made.client() as client:
            until(lambda: is_back(client), START_SECONDS)
            names = {each["Name"] for each in client.http.get("/cloud/tenants").json()["Refs"]}
            assert names == {"acme", "leaver"}

            def warnings() -> str:
                return str(client.http.get("/warnings").json())

            until(lambda: "Hosts know of changes to tenants until" in warnings(), said=warnings)
            # What is changed now reaches the gateway: revisions go forward.
            added = client.add_tenant("new", "p4ssword", vault)
            assert added["Result"]["Success"], added
            other = open_tunnel(made.gateway_port, made.ca_file, TARGET, "new:p4ssword")
            assert other.status == 200, other.reason
            made.say("backup", "decided", *made.folder_option)
            assert "was restored" not in warnings()
        assert made.host.process.poll() is None
        assert tunnel.lives()
        other.close()
        tunnel.close()
