"""Who is told of what happens, in a test? A real mail server, and a program that takes calls."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from cloudgate.manager.settings.outgoing import MailServer
from tests.support.certificates.brought import Made, pem_of
from tests.support.ports import free_port
from tests.support.serving import answering

USER, PASSWORD = "cloudgate", "of the mailbox"


def server_context(folder: Path, made: Made) -> ssl.SSLContext:
    """Of a server that shows a certificate."""
    file = folder / "server.pem"
    file.write_text(made.pem_in_order)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class Mailbox:
    """What a mail server took, and what it is asked to be like."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses = False

    async def handle_DATA(  # noqa: N802  as aiosmtpd calls it
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.refuses:
            return "451 not now"
        assert session.ssl is not None, "a mail came without TLS"
        assert isinstance(envelope.content, bytes)
        found = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        return "250 taken"

    def subjects(self) -> list[str]:
        """Of all mails, in their order."""
        return [str(each["Subject"]) for each in self.mails]


def _knows(password: str) -> Callable[..., AuthResult]:
    def knows(_server: SMTP, _session: Session, _envelope: Envelope, _kind: str, said: Any) -> Any:
        right = LoginPassword(USER.encode(), password.encode())
        return AuthResult(success=said == right, handled=False)

    return knows


class _Server(Controller):
    """Ends its connections before its loop, which leaves none of them to garbage collection."""

    _turns_left = 8
    """What ends a connection are calls that each make the next: of TLS, of the socket, of SMTP."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._made: list[SMTP] = []
        super().__init__(*arguments, **settings)

    def factory(self) -> SMTP:
        made: SMTP = super().factory()  # type: ignore[no-untyped-call]
        self._made.append(made)
        return made

    def cancel_tasks(self, stop_loop: bool = True) -> None:
        for each in self._made:
            if isinstance(each.transport, asyncio.WriteTransport):
                each.transport.abort()
        super().cancel_tasks(stop_loop=False)
        if stop_loop:
            self._stop_in_turn()

    def _stop_in_turn(self) -> None:
        self._turns_left -= 1
        if self._turns_left:
            self.loop.call_soon(self._stop_in_turn)
        else:
            self.loop.stop()


@contextmanager
def mail_server(
    folder: Path,
    *,
    offers_tls: bool = True,
    password: str = PASSWORD,
    without: Iterable[str] = (),
    knows_utf8: bool = True,
) -> Iterator[tuple[MailServer, Mailbox]]:
    """A mail server on this machine that wants STARTTLS and a password."""
    made, box = Made("localhost"), Mailbox()
    controller = _Server(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=server_context(folder, made) if offers_tls else None,
        require_starttls=offers_tls,
        authenticator=_knows(password),
        auth_required=offers_tls,
        auth_exclude_mechanism=without,
        enable_SMTPUTF8=knows_utf8,
    )
    controller.start()
    try:
        address = MailServer(
            host="localhost",
            port=controller.port,
            sender="cloudgate@provider.example",
            user=USER,
            password=password,
            authority_pem=pem_of(made.issuer),
        )
        yield address, box
    finally:
        controller.stop()


@contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections, and says nothing; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def talking_server(
    begins: bytes, goes_on: bytes, every_seconds: float, context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Begins to whoever comes, and goes on without an end, piece by piece; its port.

    With a `context`, over TLS.
    """
    ended = threading.Event()

    def talk(listener: socket.socket) -> None:
        with suppress(OSError), listener.accept()[0] as accepted:  # EPIPE: who came has gone
            peer = context.wrap_socket(accepted, server_side=True) if context else accepted
            with peer:
                peer.sendall(begins)
                while not ended.wait(every_seconds):
                    peer.sendall(goes_on)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        talking = threading.Thread(target=talk, args=(listener,))
        talking.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            talking.join()


class Program:
    """Takes calls over HTTPS, and answers as it is told to."""

    def __init__(self, folder: Path) -> None:
        self.calls: list[tuple[Mapping[str, str], bytes]] = []
        self.status = 204
        self.dripping: threading.Event | None = None
        """Until it is set, an answer's head comes byte by byte, without an end."""
        made = Made("localhost", "127.0.0.1")
        self.authority_pem = pem_of(made.issuer)
        program = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                program.calls.append((dict(self.headers), body))
                if program.dripping:
                    self.wfile.write(b"HTTP/1.1 204 No Content\r\nX-Long: ")
                    with suppress(OSError):  # EPIPE: it is given up
                        while not program.dripping.wait(0.02):
                            self.wfile.write(b"x")
                    return
                self.send_response(program.status)
                self.send_header("Location", "https://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._stack = ExitStack()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = server_context(folder, made)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        self._stack.enter_context(answering(self._server))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def events(self) -> list[dict[str, Any]]:
        """Of all calls, in their order."""
        return [each for _, body in self.calls for each in json.loads(body)["Events"]]

    def kinds(self) -> list[tuple[str, bool]]:
        """What happened, and whether it is that it is over."""
        return [(each["Event"], each["Cleared"]) for each in self.events()]


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether a call is signed as Standard Webhooks 1.0.0 has it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = {name.lower(): value for name, value in headers.items()}
    signed = f"{said['webhook-id']}.{said['webhook-timestamp']}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return said["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
