"""The main job: one call makes a gateway, and a real backup goes through it."""

import filecmp
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.programs.repository import rest_server
from tests.support.programs.restic import Restic
from tests.support.running.product import Client, Product, accepts, product
from tests.support.waiting import within

pytestmark = pytest.mark.end_to_end
MISSING = [name for name in ("restic", "rclone", "curl") if shutil.which(name) is None]
needs_programs = pytest.mark.skipif(
    bool(MISSING), reason=f"to run this: sudo apt-get install {' '.join(MISSING)}"
)
TENANT = "ABC Company"
TENANT_PASSWORD = "P@ss w0rd/%:ü"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def curl(
    started: Product, gateway_port: int, user: str, target: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--output",
            "-",
            "--max-time",
            "20",
            "--proxy-cacert",
            str(started.ca_file),
            "--insecure",
            "--proxytunnel",
            "--proxy",
            f"https://localhost:{gateway_port}",
            "--proxy-user",
            user,
            "--write-out",
            "\nCONNECT %{http_connect}",
            f"https://{target}/",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@needs_programs
def test_a_backup_goes_through_a_gateway_and_comes_back_equal(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(4):
        (source / f"{number}.bin").write_bytes(os.urandom(8 * 1024 * 1024))
    port = free_port()
    with (
        product(data) as started,
        rest_server(tmp_path / "vault", "vault.example") as (rest_port, rest_ca),
        started.client() as client,
    ):
        assert client.create_gateway(port, socket.gethostname())["Result"]["Success"] is True
        uid = client.add_repository("vault", "vault.example:8443", f"127.0.0.1:{rest_port}")
        client.add_tenant("acme", "p4ssword", uid)
        both = tmp_path / "both.pem"
        both.write_text(started.ca_file.read_text() + rest_ca.read_text())
        proxy = f"https://acme:p4ssword@localhost:{port}"
        restic = Restic("https://vault.example:8443/acme", both, proxy)
        restic.run("init")
        restic.run("backup", str(source))
        assert b"no errors were found" in restic.run("check", "--read-data")
        restic.run("restore", "latest", "--target", str(tmp_path / "restored"))
        restored = tmp_path / "restored" / source.relative_to("/")
        names = [path.name for path in source.iterdir()]
        assert filecmp.cmpfiles(source, restored, names, shallow=False) == (
            sorted(names),
            [],
            [],
        ) or (sorted(filecmp.cmpfiles(source, restored, names, shallow=False)[0]) == sorted(names))
        log = (data / "host").rglob("access*.log")
        text = "".join(path.read_text() for path in log)
        assert "vault.example:8443" in text
        assert "p4ssword" not in text


@needs_programs
def test_who_may_not_come_in_is_told_why_and_it_is_logged_without_a_password(
    data: Path, tmp_path: Path
) -> None:
    port, dead = free_port(), free_port()
    with (
        product(data) as started,
        rest_server(tmp_path / "vault", "vault.example") as (rest_port, _),
        started.client() as client,
    ):
        client.create_gateway(port)
        vault = client.add_repository("vault", "vault.example:8443", f"127.0.0.1:{rest_port}")
        gone = client.add_repository("gone", "gone.example:8443", f"127.0.0.1:{dead}")
        client.add_repository("other", "other.example:8443", f"127.0.0.1:{rest_port}")
        client.add_tenant(TENANT, TENANT_PASSWORD, vault, gone)
        for user, target, status in [
            (f"{TENANT}:{TENANT_PASSWORD}", "vault.example:8443", 200),
            (f"{TENANT.lower()}:{TENANT_PASSWORD}", "VAULT.example:8443", 200),
            (f"{TENANT}:wr0ng-passw0rd", "vault.example:8443", 407),
            ("nobody:wr0ng-passw0rd", "vault.example:8443", 407),
            (f"{TENANT}:{TENANT_PASSWORD}", "other.example:8443", 403),
            (f"{TENANT}:{TENANT_PASSWORD}", f"127.0.0.1:{rest_port}", 403),
            (f"{TENANT}:{TENANT_PASSWORD}", "vault.example:22", 403),
            (f"{TENANT}:{TENANT_PASSWORD}", "gone.example:8443", 503),
        ]:
            done = curl(started, port, user, target)
            assert f"CONNECT {status}" in done.stdout, (user, target, done)
        assert started.interrupt() == 0
    texts = {
        path: path.read_bytes() for path in [*data.rglob("*"), started.log_file] if path.is_file()
    }
    for secret in (TENANT_PASSWORD, "wr0ng-passw0rd"):
        assert [path for path, text in texts.items() if secret.encode() in text] == []
    logged = b"".join(texts.values()).decode(errors="replace")
    for words in (TENANT, "other.example:8443", "gone.example:8443"):
        assert words in logged


def test_deleting_the_gateway_closes_the_port_and_keeps_the_server(data: Path) -> None:
    port = free_port()
    with product(data) as started, started.client() as client:
        client.create_gateway(port)
        assert accepts(port)
        task = client.done(client.http.delete(client.gateway()["Href"]))
        assert task["Result"] == {"Success": True, "Message": "Ok"}
        within(5, lambda: not accepts(port))
        names = [ref["Name"] for ref in client.http.get("/managedServers").json()["Refs"]]
        assert names == [socket.gethostname()]


def test_after_ctrl_c_nothing_runs_and_the_next_start_comes_back_with_everything(
    data: Path,
) -> None:
    port = free_port()
    with product(data) as started:
        with started.client() as client:
            client.create_gateway(port)
            vault = client.add_repository("vault", "vault.example:8443", "127.0.0.1:9")
            client.add_tenant("acme", "p4ssword", vault)
            before = everything(client)
        assert started.interrupt() == 0
        assert started.processes() == {}
        assert not accepts(port)
    with product(data, port=started.port) as again, again.client() as client:
        assert accepts(port), again.log  # once it says that it is ready
        assert everything(client) == before


OF_THE_MOMENT = re.compile(r'"(State|OnlineSince|LastSeen)":"[^"]*",')
"""What servers and gateways say of right now."""


def everything(client: Client) -> list[str]:
    paths = (
        "/cloud/gateways?format=Entity",
        "/cloud/tenants?format=Entity",
        "/repositories?format=Entity",
        "/managedServers?format=Entity",
        "/tasks",
    )
    return [OF_THE_MOMENT.sub("", client.http.get(path).text) for path in paths]


def test_the_first_start_prints_what_one_needs_and_the_second_no_password(data: Path) -> None:
    with product(data, "--generate") as started:
        text = "\n".join(started.output)
        assert f"https://localhost:{started.port}/api/" in text
        assert "admin" in text
        assert "password" in text
        assert text.count("gateway create") == 1
        assert text.endswith("ready")
        started.interrupt()
    with product(data, "--generate", port=started.port) as again:
        assert "password" not in "\n".join(again.output)
