"""A provider's storage: real servers, each with a certificate or a host key of its own."""

import getpass
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from cloudgate.manager.security.authority import CertificateRequest, gateway_term, open_authority
from cloudgate.trust.certificate_roles import Role
from tests.support.certificates.certificate_roles import public_pem
from tests.support.certificates.client_certificates import key_pem
from tests.support.ports import free_port
from tests.support.running.product import accepts
from tests.support.waiting import PATIENCE_SECONDS, until

S3_KEY, S3_SECRET = "ACMEKEY", "acme-secret"
SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def rest_server(folder: Path, *names: str) -> Iterator[tuple[int, Path]]:
    """`rclone serve restic` on a port of 127.0.0.1, and the authority to trust for `names`."""
    with _rclone("restic", folder, *names) as port:
        yield port, folder / "ca.pem"


@contextmanager
def webdav_server(folder: Path, *names: str) -> Iterator[tuple[int, Path]]:
    """`rclone serve webdav` on a port of 127.0.0.1, and the authority to trust for `names`."""
    with _rclone("webdav", folder, *names) as port:
        yield port, folder / "ca.pem"


@contextmanager
def s3_server(folder: Path, *names: str) -> Iterator[tuple[int, Path]]:
    """SeaweedFS with S3 on a port of 127.0.0.1, and the authority to trust for `names`."""
    _certify(folder, names)
    credentials = [{"accessKey": S3_KEY, "secretKey": S3_SECRET}]
    identity = {"name": "acme", "credentials": credentials, "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    parts = ("master", "volume", "filer", "s3")
    ports = {f"{part}.port{kind}": free_port() for part in parts for kind in ("", ".grpc")}
    command = [
        *(str(Path(sys.executable).parent / "weed"), "-logtostderr", "server"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder / 'storage'}"),
        *(f"-{name}={port}" for name, port in ports.items()),
        *("-master.volumeSizeLimitMB=64", "-volume.max=20", "-volume.preStopSeconds=0"),
        *("-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={folder / 's3'}"),
        *(f"-s3.cert.file={folder / 'cert.pem'}", f"-s3.key.file={folder / 'key.pem'}"),
        f"-s3.config={folder / 's3.json'}",
    ]

    def is_ready() -> bool:
        return accepts(ports["s3.port"]) and _gives_places(ports["master.port"])

    with _running(command, folder / "weed.log", is_ready):
        yield ports["s3.port"], folder / "ca.pem"


@contextmanager
def ssh_server(folder: Path) -> Iterator[int]:
    """OpenSSH's server on a port of 127.0.0.1; whoever comes is in `folder`/storage.

    The tenant's key is `folder`/id_ed25519, and `folder`/host_key.pub is the server's.
    """
    folder.mkdir()
    (folder / "storage").mkdir()
    for name in ("host_key", "id_ed25519"):
        words = ("-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        subprocess.run(["ssh-keygen", *words], check=True)
    there = f'command="cd {folder / "storage"} && exec sh -c \\"$SSH_ORIGINAL_COMMAND\\""'
    key = (folder / "id_ed25519.pub").read_text()
    (folder / "authorized_keys").write_text(f"{there} {key}")
    port = free_port()
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder / 'host_key'}\nPidFile none\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\n"
        f"AllowUsers {getpass.getuser()}\nPermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        "Subsystem sftp /usr/lib/openssh/sftp-server\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as the service of Debian does
    assert SSHD is not None
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    with _running(command, folder / "sshd.log", lambda: accepts(port)):
        yield port


def rest_server_command(folder: Path, address: str, *names: str) -> list[str]:
    """The command for a REST server at `address`, with all that it needs in a new folder.

    The authority to trust for `names` is in its ``ca.pem``.
    """
    return _rclone_command("restic", folder, address, *names)


def webdav_server_command(folder: Path, address: str, *names: str) -> list[str]:
    """The same for a WebDAV server."""
    return _rclone_command("webdav", folder, address, *names)


@contextmanager
def _rclone(protocol: str, folder: Path, *names: str) -> Iterator[int]:
    port = free_port()
    command = _rclone_command(protocol, folder, f"127.0.0.1:{port}", *names)
    with _running(command, folder / "rclone.log", lambda: accepts(port)):
        yield port


def _rclone_command(protocol: str, folder: Path, address: str, *names: str) -> list[str]:
    _certify(folder, names)
    return [
        *("rclone", "serve", protocol, "--addr", address),
        *("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")),
        *("--config", str(folder / "rclone.conf"), str(folder / "storage")),
    ]


def _certify(folder: Path, names: Sequence[str]) -> None:
    """Make the folder, with storage, and a certificate of its own authority."""
    folder.mkdir()
    authority = open_authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = CertificateRequest(public_pem(key), tuple(names), Role.GATEWAY, gateway_term())
    chain = authority.issue(wanted, datetime.now(UTC))
    (folder / "cert.pem").write_text(chain)
    (folder / "key.pem").write_text(key_pem(key))
    (folder / "storage").mkdir()


@contextmanager
def _running(command: list[str], log_file: Path, is_ready: Callable[[], bool]) -> Iterator[None]:
    with log_file.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(
            lambda: is_ready() or process.poll() is not None,
            PATIENCE_SECONDS,
            said=log_file.read_text,
        )
        assert process.poll() is None, log_file.read_text()
        yield
    finally:
        process.kill()  # nobody needs the storage any more, and SeaweedFS is slow to part
        process.wait(20)


def _gives_places(master_port: int) -> bool:
    """Whether SeaweedFS knows where to put data."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{master_port}/dir/assign") as answer:
            return "fid" in json.load(answer)
    except (urllib.error.URLError, ConnectionError):
        return False
