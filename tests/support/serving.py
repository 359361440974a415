"""Serving: a server of socketserver's kind, which answers meanwhile in a thread of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_LOOK_SECONDS = 0.02
"""How often it looks whether it is to end."""


class Server(Protocol):
    """One of `socketserver`, `http.server`, `wsgiref` or Werkzeug."""

    def serve_forever(self, poll_interval: float = ...) -> None:
        """Answer until it is told to end."""

    def shutdown(self) -> None:
        """Tell it so, and wait."""

    def server_close(self) -> None:
        """Close its socket."""


@contextmanager
def answering(server: Server) -> Iterator[None]:
    """Meanwhile it answers; then it is closed."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _LOOK_SECONDS})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
