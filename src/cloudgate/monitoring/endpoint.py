"""Monitoring endpoint: what is answered to who watches? ``/livez``, ``/readyz``, and figures.

Who replaces services one after the other, and waits for each, asks ``/settledz``: what is closed
or closing on purpose takes no work, and keeps nobody from going on.

On an address of its own it tells all that there is; on a port that strangers reach, whoever serves
there says to whom.
"""

import asyncio
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.monitoring.compression import compressed
from cloudgate.monitoring.exposition import media_type
from cloudgate.monitoring.health import Health
from cloudgate.network.destinations import is_loopback
from cloudgate.network.hostport import HIGHEST_PORT, host_of
from cloudgate.network.waiting_requests import BoundedHttp

LIVE, READY, SETTLED = "livez", "readyz", "settledz"
METRICS = "metrics"
TENANTS = "metrics/tenants"
RECENT = "metrics/recent"
"""The figures of the last minutes."""
DEFAULT_LISTEN = "127.0.0.1:9397"
"""Where a manager shows health and figures, unless told otherwise."""
OFF = "off"
"""In place of an address: nowhere."""
COMPRESSED_FROM_BYTES = 1024
_PORT = re.compile("[0-9]{1,5}")
_NONE_OF_IT = re.compile(r"q\s*=\s*0(\.0*)?\s*(;|$)")
_TEXT = "text/plain; charset=utf-8"
LOOK_SECONDS = 10.0
"""Who has asked nothing between two looks at a connection is hung up on."""
LOOKS_AT_AN_ANSWER = 6
"""So often an answer may still be on its way."""
MOST_ASKED_BYTES = 64 * 1024
"""Of one request, with what was read at once beyond it."""
_MOST_CONNECTIONS = 64
_GRACE_SECONDS = 1


@dataclass(frozen=True)
class PageAnswer:
    """An answer, before it is one of HTTP."""

    status: int
    body: bytes
    media_type: str = _TEXT
    headers: dict[str, str] = field(default_factory=dict)


Document = Callable[[str], Awaitable[tuple[Sequence[bytes], str]]]
"""Makes a document for an Accept header: what it says, in pieces that are each much alike, and its
media type.

It raises `UnavailableError` where that cannot be known now.
"""


class Monitoring:
    """What a process shows to who watches it."""

    def __init__(self, health: Health, documents: Mapping[str, Document]) -> None:
        """`documents`: by their paths, without the first slash."""
        self.health = health
        self._documents = documents
        self._turns: dict[tuple[str, str, bool], _PageTurn] = {}

    async def answer(
        self, path: str, headers: Mapping[str, str], *, verbose: bool = False
    ) -> PageAnswer | None:
        """What is at a path; None when there is nothing.

        Args:
            path: without slashes around it.
            headers: of the request, in lower case.
            verbose: whether to tell each check, and why it failed.
        """
        if path == LIVE:
            return PageAnswer(200, b"[+]event loop ok\nlivez passed\n" if verbose else b"ok\n")
        if path in (READY, SETTLED):
            return await self._readiness(path, verbose=verbose)
        document = self._documents.get(path)
        if document is None:
            return None
        accept = headers.get("accept", "")
        small = _takes_gzip(headers.get("accept-encoding", ""))
        turn = self._turns.setdefault((path, media_type(accept), small), _PageTurn())
        return await turn.shared(lambda: _made(document, accept, small=small))

    async def _readiness(self, path: str, *, verbose: bool) -> PageAnswer:
        found = await self.health.findings()
        problems = [each for each in found if each.problem]
        is_well = all(path == SETTLED and each.is_on_purpose for each in problems)
        lines = [each.line for each in found] if verbose else []
        if verbose:
            lines.append(f"{path} passed" if is_well else f"{path} failed")
        else:
            lines.append("ok" if is_well else "not ready")
        return PageAnswer(200 if is_well else 503, ("\n".join(lines) + "\n").encode())


def _takes_gzip(accept_encoding: str) -> bool:
    """Whether who asks takes gzip (RFC 9110, section 12.5.3)."""
    for each in accept_encoding.lower().split(","):
        name, _, rest = each.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return not _NONE_OF_IT.search(rest)
    return False


async def _made(document: Document, accept: str, *, small: bool) -> PageAnswer:
    try:
        pieces, media = await document(accept)
    except UnavailableError as problem:
        return PageAnswer(503, f"{problem.message}\n".encode())
    told = {"Vary": "Accept, Accept-Encoding"}
    if small and sum(map(len, pieces)) > COMPRESSED_FROM_BYTES:
        body = await compressed(pieces)
        told["Content-Encoding"] = "gzip"
    else:
        body = b"".join(pieces)
    return PageAnswer(200, body, media, told)


class _PageTurn:
    """Makes a page for all who ask for it, one at a time.

    Who asks while one is made gets the next one, with all others who wait: nobody gets what was
    begun before the question.
    """

    def __init__(self) -> None:
        self._busy = asyncio.Lock()
        self._next: asyncio.Task[PageAnswer] | None = None

    async def shared(self, make: Callable[[], Awaitable[PageAnswer]]) -> PageAnswer:
        """What is made next."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._make(make))
        return await asyncio.shield(self._next)  # others wait for it, should this one hang up

    async def _make(self, make: Callable[[], Awaitable[PageAnswer]]) -> PageAnswer:
        async with self._busy:
            self._next = None
            return await make()


class MonitoringApplication:
    """The ASGI application of an address that only those reach who may see all."""

    def __init__(self, monitoring: Monitoring) -> None:
        self._monitoring = monitoring

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """One request."""
        del receive
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1"): each.decode("latin-1") for name, each in scope["headers"]
        }
        verbose = "verbose" in scope["query_string"].decode("latin-1").lower()
        said: PageAnswer | None
        if scope["method"] not in ("GET", "HEAD"):
            said = PageAnswer(
                405, b"Only GET and HEAD are allowed here.\n", headers={"Allow": "GET, HEAD"}
            )
        elif _is_misled(scope.get("server"), headers.get("host", "")):
            said = PageAnswer(421, b"This address is for this machine alone: name it localhost.\n")
        else:
            said = await self._monitoring.answer(
                scope["path"].strip("/").lower(), headers, verbose=verbose
            )
        if said is None:
            said = PageAnswer(404, b"There is nothing here; see /livez, /readyz and /metrics.\n")
        told = {
            "Content-Type": said.media_type,
            "Content-Length": str(len(said.body)),
            "Cache-Control": "no-store",
            **said.headers,
        }
        raw = [(name.lower().encode(), value.encode()) for name, value in told.items()]
        await send({"type": "http.response.start", "status": said.status, "headers": raw})
        body = b"" if scope["method"] == "HEAD" else said.body
        await send({"type": "http.response.body", "body": body})


def _is_misled(server: tuple[str, int | None] | None, host: str) -> bool:
    """Whether a request came to this machine's own address under the name of another.

    A page of another site may have its own name lead here (DNS rebinding), and would read all that
    a browser on this machine gets.
    """
    if not host or not server or not is_loopback(server[0]):
        return False
    name = host.rpartition(":")[0] if _PORT.fullmatch(host.rpartition(":")[2]) else host
    return name.lower() != "localhost" and not is_loopback(name.strip("[]"))


class _ImpatientHttp(BoundedHttp):
    """Hangs up on who asks nothing, or too much, or takes no answer: the places are few."""

    _asked_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Something was asked; what has no end would fill the memory."""
        self._asked_bytes += len(data)
        if self._asked_bytes > MOST_ASKED_BYTES:
            self.transport.abort()
        else:
            super().data_received(data)

    def on_message_complete(self) -> None:
        """A question is there as a whole."""
        self._asked_bytes = 0
        super().on_message_complete()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection begins."""
        super().connection_made(transport)
        self._watch(self.cycle, LOOKS_AT_AN_ANSWER)

    def _watch(self, seen: object, left: int) -> None:
        self.loop.call_later(LOOK_SECONDS, self._hang_up_if_stuck, seen, left)

    def _hang_up_if_stuck(self, seen: object, left: int) -> None:
        if self.transport.is_closing():
            return
        is_idle = getattr(self.cycle, "response_complete", True)  # there may be none yet
        if self.cycle is not seen:
            self._watch(self.cycle, LOOKS_AT_AN_ANSWER)
        elif is_idle or left == 0:
            self.transport.abort()
        else:
            self._watch(seen, left - 1)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever started the process."""
        yield


async def serve(monitoring: Monitoring, listener: socket.socket) -> None:
    """Answer at an address until cancelled."""
    config = uvicorn.Config(
        MonitoringApplication(monitoring),
        log_config=None,
        access_log=False,
        interface="asgi3",
        lifespan="off",
        http=_ImpatientHttp,
        ws="none",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


def listen(where: str) -> socket.socket:
    """A socket that listens at ``ADDRESS:PORT``, an address of IPv6 in brackets.

    Raises:
        CloudgateError: it is no such address, or cannot be listened at; the message says why.
    """
    _, colon, port = where.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > HIGHEST_PORT:
        raise CloudgateError(
            f"--metrics-listen: found {where!r}, expected ADDRESS:PORT, such as {DEFAULT_LISTEN},"
            f" or {OFF}."
        )
    host = host_of(where)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family)
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno and problem.errno > 0 else str(problem)
        raise CloudgateError(
            f"Metrics cannot be served at {where}: {reason}. Choose another address with"
            f" --metrics-listen, or {OFF}."
        ) from None
