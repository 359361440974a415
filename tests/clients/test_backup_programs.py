"""Do the programs that tenants run work through a gateway? Those of docs/clients.md, as it says.

Each section of the document is typed into a shell in a folder of its own, with the names of this
machine in place of the document's.
"""

import getpass
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.certificates.client_certificates import key_pem, new_key, request_pem
from tests.support.ports import free_port
from tests.support.programs.repository import (
    SSHD,
    rest_server,
    s3_server,
    ssh_server,
    webdav_server,
)
from tests.support.running.connector import connector
from tests.support.running.product import product

PROGRAMS = ("restic", "rclone", "curl", "borg", "ssh", "rsync", "node", "ncat", "openssl", "java")
PACKAGES = (
    *("restic", "rclone", "curl", "borgbackup", "openssh-client"),
    *("rsync", "nodejs", "ncat", "openssl", "default-jdk-headless"),
)
MISSING = [
    *(package for name, package in zip(PROGRAMS, PACKAGES, strict=True) if not shutil.which(name)),
    *([] if SSHD else ["openssh-server"]),
]
pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        bool(MISSING), reason=f"to run this: sudo apt-get install {' '.join(MISSING)}"
    ),
]
TEXT = (Path(__file__).parent.parent.parent / "docs" / "clients.md").read_text()
PASSWORD = "Grünes Boot/7:@x"
LONGEST_SECONDS = 100


def sections() -> dict[str, list[str]]:
    """The blocks of each section, by its heading."""
    found = {}
    for part in TEXT.split("\n## ")[1:]:
        heading, _, rest = part.partition("\n")
        found[heading] = [block.partition("\n")[2] for block in rest.split("```")[1::2]]
    return found


SECTIONS = sections()
BEFORE, SSH_CONFIG = SECTIONS.pop("Before")
assert SECTIONS.pop("What does not work, and why") == []
SECTIONS.pop("Run by hand")
SECTIONS.pop("Programs at the API", None)  # tests/clients has these elsewhere
(BRIDGE,) = SECTIONS.pop("Programs and libraries that speak HTTP")


def table() -> list[tuple[str, str, str]]:
    """Program, way in and command of each line."""
    lines = TEXT.partition("| Program | Way in | Command |\n")[2].partition("\n\n")[0]
    rows = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines.splitlines()[1:]]
    return [(program.strip(), way.strip(), said.strip()) for program, way, said in rows]


@dataclass
class Tenant:
    """What a tenant knows of its provider, in the words of the document."""

    gateway_port: int
    files: Path
    """ca.pem, trusted.pem, password, id_ed25519, known_hosts, ssh_config."""
    rest_port: int
    ssh_port: int
    """Where storage is, for who goes past the gateway."""

    def told(self, text: str, local_ports: dict[str, int] | None = None) -> str:
        """What the document says, with the names of this machine."""
        me = getpass.getuser()
        for name, here in {
            ":PASSWORD@": f":{quote(PASSWORD, safe='')}@",
            "provider.example:6180": f"localhost:{self.gateway_port}",
            "User acme": f"User {me}",
            "--sftp-user acme": f"--sftp-user {me}",
            **{name: str(port) for name, port in (local_ports or {}).items()},
        }.items():
            text = text.replace(name, here)
        return text

    def types(self, folder: Path, *lines: str) -> "subprocess.CompletedProcess[str]":
        """Type lines into a shell that ends at the first that fails."""
        return subprocess.run(
            ["sh", "-eu"],
            input="\n".join(lines),
            cwd=folder,
            env=self.environment(folder),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )

    def environment(self, folder: Path) -> dict[str, str]:
        """Nothing of the machine's own proxies and authorities."""
        here = Path(sys.executable).parent
        return {"PATH": f"{here}:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    folder = tmp_path_factory.mktemp("provider")
    files = folder / "files"
    files.mkdir()
    with ExitStack() as stack:
        started = stack.enter_context(product(folder / "data"))
        rest = rest_server(folder / "vault", "vault.example", "localhost")
        rest_port, rest_ca = stack.enter_context(rest)
        webdav_port, webdav_ca = stack.enter_context(
            webdav_server(folder / "files.example", "files.example")
        )
        s3_port, s3_ca = stack.enter_context(s3_server(folder / "s3", "s3.example"))
        ssh_port = stack.enter_context(ssh_server(folder / "ssh"))
        client = stack.enter_context(started.client())
        gateway_port = free_port()
        assert client.create_gateway(gateway_port)["Result"]["Success"]
        uids = [
            client.add_repository(endpoint, endpoint, f"127.0.0.1:{port}")
            for endpoint, port in (
                ("vault.example:8443", rest_port),
                ("files.example:8443", webdav_port),
                ("s3.example:8443", s3_port),
                ("ssh.example:22", ssh_port),
            )
        ]
        assert client.add_tenant("acme", PASSWORD, *uids)["Result"]["Success"]
        authorities = [started.ca_file, rest_ca, webdav_ca, s3_ca]
        (files / "trusted.pem").write_text("".join(each.read_text() for each in authorities))
        (files / "ca.pem").write_text(started.ca_file.read_text())
        (files / "password").write_text(f"{PASSWORD}\n")
        key = new_key()
        (acme,) = client.http.get("/cloud/tenants").json()["Refs"]
        spec = {"CertificateRequest": request_pem(key)}
        issued = client.http.post(f"{acme['Href']}/certificates", json=spec).raise_for_status()
        (files / "acme.pem").write_text(key_pem(key) + issued.json()["Certificate"])
        shutil.copy(folder / "ssh" / "id_ed25519", files)
        host_key = (folder / "ssh" / "host_key.pub").read_text()
        (files / "known_hosts").write_text(f"ssh.example {host_key}")
        made = Tenant(gateway_port, files, rest_port, ssh_port)
        (files / "ssh_config").write_text(made.told(SSH_CONFIG))
        yield made


@pytest.fixture
def folder(tenant: Tenant, tmp_path: Path) -> Path:
    """Where the tenant types, with what it backs up."""
    here = tmp_path / "tenant"
    shutil.copytree(tenant.files, here)
    (here / "home" / "deep er").mkdir(parents=True)
    for name, size in (("a.bin", 5_000_000), ("deep er/ü.bin", 300_000), ("deep er/empty", 0)):
        (here / "home" / name).write_bytes(os.urandom(size))
    return here


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@contextmanager
def with_connector(tenant: Tenant, folder: Path, block: str) -> Iterator[dict[str, int]]:
    """The connector of a block in a terminal of its own; where its local ports are here."""
    words = tenant.told(block, {}).split()
    at = words.index("-L") + 1
    written, _, target = words[at].partition(":")
    words[at] = f"0:{target}"
    with connector(words[2:], folder, tenant.environment(folder)) as started:
        yield {written: started.port}


@pytest.mark.parametrize("section", SECTIONS)
def test_what_a_program_sends_through_a_gateway_comes_back_equal(
    tenant: Tenant, folder: Path, section: str
) -> None:
    *beside, block = SECTIONS[section]
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for other in beside:
            ports |= stack.enter_context(with_connector(tenant, folder, other))
        done = tenant.types(folder, tenant.told(BEFORE), tenant.told(block, ports))
    assert done.returncode == 0, done.stdout + done.stderr
    sent = contents(folder / "home")
    assert len(sent) == 3
    assert contents(folder / "restored" / "home") == sent


def way_in(blocks: list[str]) -> str:
    """How the commands of a section come to the gateway."""
    if len(blocks) > 1:
        return "connector"
    if "--proxy-cert " in blocks[0]:
        return "certificate"
    return "connector for ssh" if "ssh_config" in blocks[0] else "`HTTPS_PROXY`"


def test_each_line_of_the_table_is_a_command_that_was_run() -> None:
    rows = table()
    assert [program for program, _, _ in rows] == list(SECTIONS)
    for program, way, said in rows:
        blocks = SECTIONS[program]
        assert said.strip("`").replace("\\|", "|") in blocks[-1].splitlines()
        assert way == way_in(blocks)


@pytest.mark.parametrize(
    "command",
    [
        "restic --insecure-tls -r rest:https://localhost:{rest}/a init",
        "restic --insecure-tls -r rest:https://127.0.0.1:{rest}/b init",
        "borg init -e none --rsh '{ssh}' ssh://127.0.0.1:{port}/./past",
        "echo pwd | sftp -b - -S ./ssh 127.0.0.1",
        "rclone --sftp-host 127.0.0.1 --sftp-port {port} --sftp-key-file id_ed25519 lsd :sftp:",
    ],
)
def test_what_goes_past_the_proxy(tenant: Tenant, folder: Path, command: str) -> None:
    # The gateway knows no such tenant: only what goes past it can succeed.
    proxy = tenant.told("export HTTPS_PROXY='https://nobody:x@provider.example:6180'")
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i id_ed25519"
    ssh = f"ssh -F none {options}"
    (folder / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -p {tenant.ssh_port} "$@"\n')
    (folder / "ssh").chmod(0o700)
    typed = command.format(rest=tenant.rest_port, port=tenant.ssh_port, ssh=ssh)
    done = tenant.types(folder, proxy, "export RESTIC_PASSWORD=x", typed)
    assert done.returncode == 0, done.stderr


def test_a_local_port_does_not_make_a_certificate_be_for_localhost(
    tenant: Tenant, folder: Path
) -> None:
    (block,) = SECTIONS["rclone, SFTP"][:1]
    block = block.replace("10022:ssh.example:22", "18444:files.example:8443")
    with with_connector(tenant, folder, block) as ports:
        url = f"https://localhost:{ports['18444']}"
        done = tenant.types(folder, f"curl --silent --show-error --cacert trusted.pem {url}/")
        assert done.returncode == 60, done.stderr  # curl: the certificate is not for this name
        done = tenant.types(folder, f"curl --fail --silent --insecure {url}/")
        assert done.returncode == 0, done.stderr


STACKS = Path(__file__).parent / "stacks"
RUN_BY = {".java": "java -XX:TieredStopAtLevel=1", ".mjs": "node", ".py": sys.executable}


@pytest.mark.parametrize("stack", sorted(each.name for each in STACKS.iterdir() if each.is_file()))
def test_each_kind_of_http_client_comes_in(tenant: Tenant, folder: Path, stack: str) -> None:
    done = tenant.types(
        folder,
        tenant.told(BEFORE),
        "tar -cf home.tar home",
        f"{RUN_BY[Path(stack).suffix]} {STACKS / stack}",
        "mkdir restored",
        "tar -xf restored.tar -C restored",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(folder / "restored" / "home") == contents(folder / "home")


def test_openssl_comes_in_by_a_port_that_speaks_tls_for_it(tenant: Tenant, folder: Path) -> None:
    port = free_port()
    bridge, asking, _ = tenant.told(BRIDGE, {"3128": port}).splitlines()
    done = tenant.types(
        folder,
        bridge.replace("provider.example 6180", f"localhost {tenant.gateway_port}"),
        "trap 'kill $!' EXIT",
        f"until ncat -z 127.0.0.1 {port}; do sleep 0.1; done",
        "(printf 'HEAD / HTTP/1.0\\r\\nHost: files.example\\r\\n\\r\\n'; sleep 3) |"
        f" {asking} -quiet -verify_return_error",
    )
    assert "HTTP/1.0 " in done.stdout, done.stderr
