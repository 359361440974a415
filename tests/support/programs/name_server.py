"""A name server in a test: Debian's knot, which takes updates that are signed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.support.waiting import until

ZONE = "provider.example"
KEY_NAME, SECRET = "gates", "c2VjcmV0IG9mIHRoZSBnYXRlcyBhbmQgbW9yZSBvZiBpdA=="
KEY = f'key "{KEY_NAME}" {{ algorithm hmac-sha256; secret "{SECRET}"; }};'
KNOT = shutil.which("knotd", path="/usr/sbin:/usr/bin")
needs_knot = pytest.mark.skipif(KNOT is None, reason="needs the Debian package knot")
_CONFIGURATION = """\
server:
    rundir: "{folder}"
    listen: [{listen}]
database:
    storage: "{folder}"
log:
  - target: stderr
    any: warning
key:
  - id: {key}
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: gates
    key: {key}
    action: [query, update]
zone:
  - domain: {zone}
    storage: "{folder}"
    file: zone
    acl: gates
"""
_RECORDS = """\
$ORIGIN {zone}.
@ 3600 SOA ns hostmaster 1 3600 600 86400 60
@ 3600 NS ns
ns 3600 A 127.0.0.1
old 3600 A 192.0.2.99
"""


@dataclass(frozen=True)
class NameServerProcess:
    """One that answers."""

    port: int

    def addresses(self, name: str, kind: str = "A") -> dict[str, int]:
        """Of a name, each with how long it may be kept."""
        query = dns.message.make_query(name, dns.rdatatype.from_text(kind))
        answer = dns.query.tcp(query, "127.0.0.1", 5, self.port)
        return {str(record): each.ttl for each in answer.answer for record in each}


def name_server_command(folder: Path, *listen: str) -> list[str]:
    """The command for a name server at these ``ADDRESS@PORT``, with all that it needs in a folder.

    It has one zone.
    """
    assert KNOT is not None
    folder.mkdir(exist_ok=True)
    where = ", ".join(listen)
    said = _CONFIGURATION.format(
        folder=folder, listen=where, key=KEY_NAME, secret=SECRET, zone=ZONE
    )
    (folder / "knot.conf").write_text(said)
    if not (folder / "zone").exists():
        (folder / "zone").write_text(_RECORDS.format(zone=ZONE))
    return [KNOT, "-c", str(folder / "knot.conf")]


@contextmanager
def name_server(folder: Path, port: int) -> Iterator[NameServerProcess]:
    """A name server on this machine, with one zone."""
    process = subprocess.Popen(name_server_command(folder, f"127.0.0.1@{port}"))
    found = NameServerProcess(port)

    def answers() -> bool:
        assert process.poll() is None, "knotd has ended"
        try:
            return bool(found.addresses(f"ns.{ZONE}"))
        except OSError:  # ECONNREFUSED: it does not listen yet
            return False

    try:
        until(answers)
        yield found
    finally:
        process.terminate()
        process.wait(20)
