"""How does a test get an ACME server? Pebble, with a DNS server in which each name is 127.0.0.1."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.certificates.brought import Made, pem_of
from tests.support.ports import free_port
from tests.support.running.product import accepts
from tests.support.waiting import PATIENCE_SECONDS, until

LIFE = timedelta(days=60)
"""Of a certificate: the manager's own port keeps its own when a test goes two thirds ahead."""
needs_pebble = pytest.mark.skipif(
    shutil.which("pebble") is None or shutil.which("pebble-challtestsrv") is None,
    reason="needs the Debian package pebble",
)
_HOOK = """#!/bin/sh
# Puts a record into the DNS server of the test, or takes it out.
echo "$1 $2" >> "{log}"
case $1 in
    present) exec curl -sf "{url}/set-txt" -d "{{\\"host\\": \\"$2.\\", \\"value\\": \\"$3\\"}}" ;;
    cleanup) exec curl -sf "{url}/clear-txt" -d "{{\\"host\\": \\"$2.\\"}}" ;;
esac
"""


@dataclass
class AcmeServer:
    """A running ACME server."""

    url: str
    """Of its directory."""
    ca_pem: str
    """Whom to trust that it is this server."""
    root_pem: str
    """Whom to trust its certificates by."""
    dns_hook: Path
    hook_log: Path


@contextmanager
def acme_server(folder: Path, http_port: int) -> Iterator[AcmeServer]:
    """Pebble, which looks for tokens at `http_port` of 127.0.0.1."""
    folder.mkdir()
    own = Made("localhost")
    (folder / "cert.pem").write_text(pem_of(own.leaf))
    (folder / "key.pem").write_text(own.key_pem)
    port, management, dns, dns_management = (free_port() for _ in range(4))
    dns = _free_port_of_both_kinds(dns)
    settings = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(folder / "cert.pem"),
        "privateKey": str(folder / "key.pem"),
        "httpPort": http_port,
        "tlsPort": free_port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "certificateValidityPeriod": int(LIFE.total_seconds()),
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    names = [
        "pebble-challtestsrv",
        *("-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{dns_management}"),
        *("-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""),
        *("-http01", "", "-https01", "", "-tlsalpn01", ""),
    ]
    server = ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{dns}"]
    hook, log = folder / "hook.sh", folder / "hook.log"
    hook.write_text(_HOOK.format(log=log, url=f"http://127.0.0.1:{dns_management}"))
    hook.chmod(0o755)
    with (
        _running(names, folder / "names.log", dns_management),
        _running(server, folder / "pebble.log", port, management),
    ):
        yield AcmeServer(
            url=f"https://localhost:{port}/dir",
            ca_pem=pem_of(own.issuer),
            root_pem=_root_of(management, pem_of(own.issuer)),
            dns_hook=hook,
            hook_log=log,
        )


def _free_port_of_both_kinds(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", port))
    return port


@contextmanager
def _running(command: list[str], log_file: Path, *ports: int) -> Iterator[None]:
    """A program, once it takes connections at all its ports."""
    environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    with log_file.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        until(
            lambda: all(accepts(port) for port in ports) or process.poll() is not None,
            PATIENCE_SECONDS,
            said=log_file.read_text,
        )
        assert process.poll() is None, log_file.read_text()
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _root_of(management: int, ca_pem: str) -> str:
    context = ssl.create_default_context(cadata=ca_pem)
    with urllib.request.urlopen(f"https://localhost:{management}/roots/0", context=context) as got:
        return str(got.read().decode())
