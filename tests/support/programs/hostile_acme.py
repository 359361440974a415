"""How does a test get an ACME server that means no good? One that answers as it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.certificates.brought import Made, pem_of
from tests.support.programs.notification_receivers import server_context
from tests.support.serving import answering

Said = tuple[dict[str, str], bytes]
"""Headers and body of an answer."""


class HostileAcme:
    """An ACME server on this machine that has looked at all names, unless it is told otherwise."""

    def __init__(self, folder: Path) -> None:
        own = Made("localhost")
        self.ca_pem = pem_of(own.issuer)
        self.asked: list[str] = []
        """Paths, in their order."""
        self.authorizations: list[dict[str, Any]] = []
        self.said: dict[str, Said] = {}
        """By path: what is answered there in place of what is right."""
        self.status: dict[str, int] = {"/account": 201}
        """By path, where it is not 200."""
        self.drips = ""
        """The path whose answer comes byte by byte, without an end."""
        self.ended = threading.Event()
        acme = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._answer({}, b"")

            def do_GET(self) -> None:
                self._answer(*acme.answer(self.path))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(*acme.answer(self.path))

            def _answer(self, headers: dict[str, str], body: bytes) -> None:
                self.send_response(acme.status.get(self.path, 200))
                given = {"Content-Type": "application/json", "Content-Length": str(len(body))}
                for name, value in {**given, "Replay-Nonce": "bm9uY2U", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # EPIPE: who asked has heard enough
                    if self.path == acme.drips:
                        while not acme.ended.wait(0.02):
                            self.wfile.write(b" ")
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = server_context(folder, own)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.root = f"https://localhost:{self.server.server_port}"

    def wants(self, *names: str) -> None:
        """Have these shown by DNS before there is a certificate."""
        token = {"type": "dns-01", "url": f"{self.root}/challenge", "token": "t" * 43}
        self.authorizations = [
            {
                "identifier": {"type": "dns", "value": name},
                "status": "pending",
                "challenges": [{**token, "status": "pending"}],
            }
            for name in names
        ]

    def answer(self, path: str) -> Said:
        """What is said at a path."""
        self.asked.append(path)
        if path in self.said:
            return self.said[path]
        headers, body = self._right(path)
        return headers, json.dumps(body).encode()

    def _right(self, path: str) -> tuple[dict[str, str], dict[str, Any]]:
        place, _, number = path.strip("/").partition("/")
        if place == "authorization":
            return {}, self.authorizations[int(number)]
        directory = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order"}
        order = {
            "status": "valid",
            "authorizations": [
                f"{self.root}/authorization/{each}" for each in range(len(self.authorizations))
            ],
            "finalize": f"{self.root}/order",
            "certificate": f"{self.root}/certificate",
        }
        bodies: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
            "dir": ({}, {name: f"{self.root}/{where}" for name, where in directory.items()}),
            "account": ({"Location": f"{self.root}/account/1"}, {"status": "valid"}),
            "order": ({"Location": f"{self.root}/order"}, order),
        }
        return bodies[place]


@contextmanager
def hostile_acme(folder: Path) -> Iterator[HostileAcme]:
    """One that runs."""
    acme = HostileAcme(folder)
    with answering(acme.server):
        try:
            yield acme
        finally:
            acme.ended.set()
