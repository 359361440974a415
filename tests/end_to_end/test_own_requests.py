"""Does a tenant get a certificate, and a new password, at the port of a real product's gateway?"""

import asyncio
import http.client
import os
import socket
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from cloudgate.errors import InvalidRequestError, NotAuthenticatedError
from cloudgate.network.hostport import HostPort
from tests.support.certificates.client_certificates import key_pem, new_key, request_pem
from tests.support.certificates.kept_certificate import KeptCertificate
from tests.support.machine import standing
from tests.support.ports import free_port
from tests.support.running.connector import connector
from tests.support.running.jobs import running_job
from tests.support.running.product import Client, Product, product
from tests.support.running.tunnel import echo
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.end_to_end
FIRST, SECOND = "the first password", "the second password"
TARGET = "vault.example:8443"
WELL_KNOWN = "/.well-known/cloudgate"


@dataclass
class Door:
    """A gateway of a product, and who works at it."""

    started: Product
    client: Client
    port: int
    folder: Path

    def curl(self, *words: str, body: str = "") -> tuple[int, str]:
        """What curl is answered: status and text."""
        done = subprocess.run(
            [
                *("curl", "--silent", "--show-error", "--cacert", str(self.started.ca_file)),
                *("--write-out", "\n%{http_code} %{http_connect}", *words),
            ],
            input=body.encode(errors="surrogateescape"),
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            timeout=60,
            check=False,
        )
        text, _, status = done.stdout.decode().rpartition("\n")
        code, connected = status.split()
        return int(code if code != "000" else connected), text or done.stderr.decode()

    def own(self, what: str, *words: str, body: str) -> tuple[int, str]:
        """What is answered below the well-known path."""
        url = f"https://localhost:{self.port}{WELL_KNOWN}/{what}"
        return self.curl("--data-binary", "@-", *words, url, body=body)

    def change(self, login: str, body: str) -> tuple[int, str]:
        """What a new password is answered."""
        return self.own("password", "-X", "PUT", "-u", login, body=body)

    def tunnel(self, *words: str) -> int:
        """What a CONNECT is answered."""
        proxy = ("--proxy", f"https://localhost:{self.port}", "--proxytunnel")
        trusted = ("--proxy-cacert", str(self.started.ca_file))
        return self.curl(*proxy, *trusted, *words, f"http://{TARGET}/")[0]

    def tenant(self, name: str, **allowed: bool) -> str:
        """A new tenant, its password the first one; its path."""
        (vault,) = self.client.http.get("/repositories").json()["Refs"]
        task = self.client.add_tenant(name, FIRST, vault["UID"])
        path = str(task["Links"][1]["Href"]).partition("?")[0]
        if allowed:
            self.client.done(self.client.http.put(path, json=allowed))
        return path


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder, port = tmp_path_factory.mktemp("own"), free_port()
    with (
        echo() as address,
        product(folder / "data") as started,
        started.client() as client,
    ):
        client.create_gateway(port)
        client.add_repository("vault", TARGET, address)
        yield Door(started, client, port, folder)


@pytest.fixture(scope="module", autouse=True)
def slow(door: Door) -> "Slow":
    return Slow(door.port, door.started.ca_file)


def test_a_tenant_changes_its_password_by_curl_where_the_provider_lets_it(door: Door) -> None:
    path = door.tenant("acme")
    wanted = f'{{"Password": "{SECOND}"}}'
    status, text = door.change(f"acme:{FIRST}", wanted)
    assert (status, "does not let acme change passwords" in text) == (403, True)
    door.client.done(door.client.http.put(path, json={"MayChangePassword": True}))
    assert door.change("acme:wrong", wanted)[0] == 401
    assert door.change("nobody:wrong", "{") == door.change("acme:wrong", wanted)
    long = '{"Password": "' + 2049 * "x" + '"}'
    late = '{"Password": "x", "OldPasswordSeconds": 99999999999}'
    more = '{"Password": "x", "More": 1}'
    for body in ("{", "[]", "{}", '{"Password": 5}', more, late, long, '{"Password": "\udcff"}'):
        assert door.change(f"acme:{FIRST}", body)[0] == 400, body
    status, text = door.change(f"acme:{FIRST}", '{"Password": "short"}')
    assert (status, "at least 12" in text) == (400, True)
    assert door.change(f"acme:{FIRST}", wanted) == (200, "The password has been changed.\n")
    assert door.tunnel("--proxy-user", f"acme:{SECOND}") == 200
    assert door.tunnel("--proxy-user", f"acme:{FIRST}") == 200, "good beside it"
    status, text = door.change(f"acme:{FIRST}", '{"Password": "the third password"}')
    assert (status, text) == (401, "That password has been replaced; ask with the one of now.\n")
    now = '{"Password": "the third password", "OldPasswordSeconds": 0}'
    assert door.change(f"acme:{SECOND}", now)[0] == 200
    assert door.tunnel("--proxy-user", f"acme:{SECOND}") == 407
    audited = door.client.http.get("/audit?filter=Operation==ChangeOwnCloudTenantPassword").text
    assert '"acme"' in audited
    said = door.started.log + audited
    for secret in (FIRST, SECOND, "the third password"):
        assert secret not in said


def test_a_tenant_gets_a_certificate_by_curl_and_renews_it_with_its_own_key(door: Door) -> None:
    door.tenant("cert", MayGetCertificates=True)
    key, file = new_key(), door.folder / "cert.pem"
    status, pem = door.own("certificate", "-u", f"cert:{FIRST}", body=request_pem(key))
    assert status == 200, pem
    file.write_text(key_pem(key) + pem)
    assert door.tunnel("--proxy-cert", str(file)) == 200
    shown = ("--cert", str(file))
    status, second = door.own("certificate", *shown, body=request_pem(key))
    assert (status, second != pem) == (200, True), second
    file.write_text(key_pem(key) + second)
    assert door.tunnel("--proxy-cert", str(file)) == 200
    status, text = door.own("certificate", *shown, body=request_pem(new_key()))
    assert (status, "its key is not that" in text) == (401, True)
    wanted = f'{{"Password": "{SECOND}"}}'
    assert door.own("password", "-X", "PUT", *shown, body=wanted)[0] == 403
    assert door.own("certificate", "-u", f"cert:{FIRST}", body="no request")[0] == 400


def _echoes(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as line:
        line.sendall(b"ping")
        return line.recv(4) == b"ping"


def test_the_connector_gets_a_certificate_by_its_password_and_then_needs_none(door: Door) -> None:
    door.tenant("connected", MayGetCertificates=True)
    file, password = door.folder / "connected.pem", door.folder / "connected.password"
    password.write_text(f"{FIRST}\n")
    words = [f"localhost:{door.port}", "--ca", str(door.started.ca_file), "-L", f"0:{TARGET}"]
    words += ["--certificate-file", str(file)]
    first = [*words, "--tenant", "connected", "--password-file", str(password)]
    environment = {**os.environ, **standing.environment()}
    with connector(first, door.folder, environment) as running:
        assert _echoes(running.port)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "certificate renewed" in (door.folder / "connector.log").read_text()
    with connector([*words, "--half-close"], door.folder, environment) as running:
        assert _echoes(running.port)
    assert FIRST not in (door.folder / "connector.log").read_text()


def kept_at(door: Door, name: str, password: str | None) -> KeptCertificate:
    """Of a tenant, by the gateway of a door."""
    file, gateway = door.folder / f"{name}.pem", HostPort("localhost", door.port)
    return KeptCertificate(file, name, door.started.ca_file, [gateway], password)


@pytest.mark.anyio
async def test_it_is_renewed_in_time_also_when_that_fails_at_first_and_got_anew_once_revoked(
    door: Door,
) -> None:
    path = await asyncio.to_thread(door.tenant, "keeper", MayGetCertificates=True)
    kept = kept_at(door, "keeper", FIRST)
    await kept.keeper.begin()
    kept.password = None
    first, key = kept.file.read_text(), kept.key
    await kept.keeper.begin()
    assert kept.file.read_text() == first, "it is young"
    async with running_job(kept.keeper):
        here, kept.gateways = kept.gateways, [HostPort("localhost", free_port())]
        kept.ahead = timedelta(hours=16, minutes=1)
        await until_async(lambda: kept.keeper.failures)
        assert kept.file.read_text() == first
        kept.gateways = [*kept.gateways, *here]
        kept.ahead += timedelta(minutes=5)
        await kept.changed(first)
        kept.gateways = here
        assert kept.key == key
        assert (await kept.discovers())["Gateways"]

        second = kept.file.read_text()
        for each in door.client.http.get(f"{path}/certificates").json()["CloudTenantCertificates"]:
            door.client.done(door.client.http.delete(each["Href"]))
        with pytest.raises(NotAuthenticatedError, match="not good any more"):
            await kept.discovers()
        kept.keeper.refused()
        kept.password = FIRST
        await kept.changed(second)
        assert kept.key != key
        assert (await kept.discovers())["Gateways"]


@pytest.mark.anyio
async def test_without_one_that_is_good_and_without_a_password_it_says_what_to_do(
    door: Door,
) -> None:
    kept = kept_at(door, "nobody", None)
    with pytest.raises(NotAuthenticatedError, match="give --password-file"):
        await kept.keeper.begin()
    kept.file.write_text("no certificate")
    with pytest.raises(InvalidRequestError, match="must have a private key and its certificate"):
        kept_at(door, "nobody", None)


def test_nothing_else_is_there_and_what_is_large_or_slow_ends(door: Door, slow: "Slow") -> None:
    for what, words in (
        ("password", ("-X", "POST")),
        ("certificate", ("-X", "PUT")),
        ("password/", ("-X", "PUT")),
        ("passwords", ("-X", "PUT")),
    ):
        status, text = door.own(what, *words, "-u", f"nobody:{FIRST}", body="{}")
        assert (status, "This is a cloud gateway" in text) == (404, True), what
    assert door.own("password", "-X", "PUT", "-u", "nobody:x", body="x" * 9000)[0] == 413
    assert door.own("password", "-X", "PUT", body="\udcff")[0] == 401, "it is no text"
    assert "Traceback" not in door.started.log
    slow.thread.join(60)
    assert slow.status in (408, 504)
    assert 20 < slow.seconds < 40, "it is not only silence that ends it"


@dataclass
class Slow:
    """A stranger that sends a byte a second, while the other tests run."""

    port: int
    ca_file: Path
    status: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._try, daemon=True)
        self.thread.start()

    def _try(self) -> None:
        # Where no test waits for it, the product ends before.
        with suppress(OSError, http.client.HTTPException):
            self._ask()

    def _ask(self) -> None:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        head = f"PUT {WELL_KNOWN}/password HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        with context.wrap_socket(raw, server_hostname="localhost") as line:
            line.sendall(head.encode())
            began, answer = time.monotonic(), http.client.HTTPResponse(line)
            threading.Thread(target=_drip, args=(line,), daemon=True).start()
            answer.begin()
            self.status, self.seconds = answer.status, time.monotonic() - began


def _drip(slow: ssl.SSLSocket) -> None:
    """A byte now and then: it is not the silence that ends it."""
    try:
        for _ in range(40):
            slow.sendall(b"x")
            threading.Event().wait(1)
    except OSError:
        return
