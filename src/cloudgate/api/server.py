"""How is the manager served over HTTPS? One port, until it is told to stop."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from cloudgate.api.application import Application
from cloudgate.api.ticking import Ticking
from cloudgate.errors import CloudgateError
from cloudgate.manager.work import Manager

BACKLOG = 1024
_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers of its own, and with an event for being ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever started the server."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.listening.set()


class ManagerServer:
    """The manager's port and the manager's clockwork, run together."""

    def __init__(self, manager: Manager, listener: socket.socket, certificate: Path) -> None:
        """`certificate`: key and chain in one PEM file."""
        self._listener = listener
        self._bell = manager.bell
        self._ticking = Ticking(manager)
        self._application = Application(manager, self._ticking.wake)
        self._server = _Server(
            uvicorn.Config(
                self._serve_request,
                ssl_certfile=certificate,
                log_config=None,
                access_log=False,
                interface="asgi3",
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                timeout_keep_alive=75,
            )
        )

    async def _serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)

    async def listening(self) -> None:
        """Returns when requests are answered."""
        await self._server.listening.wait()

    async def run(self) -> None:
        """Serve until `stop` is called."""
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self._ticking.run())
            await self._server.serve(sockets=[self._listener])
            ticking.cancel()

    def wake(self) -> None:
        """Look after the tasks now: something that they depend on has changed."""
        self._ticking.wake()

    def stop(self) -> None:
        """End `run`: hosts that wait for news are answered, other requests may finish."""
        self._bell.close()
        self._server.should_exit = True


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; on all of them when `host` is empty.

    Raises:
        CloudgateError: the address cannot be listened on; the message says why.
    """
    try:
        if not host and socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as problem:
        where = f"{host or 'all addresses'}, port {port}"
        raise CloudgateError(
            f"Cannot listen on {where}: {os.strerror(problem.errno or 0)}."
            " Stop what uses that port, or choose another with --port."
        ) from None
