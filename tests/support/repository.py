"""A provider's storage: a real restic REST server with a certificate of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloudgate.manager.authority import open_authority
from tests.support.product import accepts, free_port


@contextmanager
def rest_server(folder: Path, *names: str) -> Iterator[tuple[int, Path]]:
    """`rclone serve restic` on a port of 127.0.0.1, and the authority to trust for `names`."""
    port = free_port()
    command = rest_server_command(folder, f"127.0.0.1:{port}", *names)
    with (folder / "rclone.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        while not accepts(port):
            assert process.poll() is None, (folder / "rclone.log").read_text()
        yield port, folder / "ca.pem"
    finally:
        process.terminate()
        process.wait(20)


def rest_server_command(folder: Path, address: str, *names: str) -> list[str]:
    """The command for a REST server at `address`, with all that it needs in a new folder.

    The authority to trust for `names` is in its ``ca.pem``.
    """
    folder.mkdir()
    authority = open_authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    chain = authority.issue(public.decode(), names, datetime.now(UTC))
    (folder / "cert.pem").write_text(chain)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "storage").mkdir()
    return [
        *("rclone", "serve", "restic", "--addr", address),
        *("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")),
        *("--config", str(folder / "rclone.conf"), str(folder / "storage")),
    ]
