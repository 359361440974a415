"""Time limit: how is a connection ended that goes on for too long, however little comes at a time?

For libraries that know of silence only, and wait in a thread: what they wait on is cut off.
"""

import os
import socket
import threading
from contextlib import suppress
from typing import Self


class TimeLimit:
    """Ends the connections that it covers when its time is up. Enter it to begin; it may be once.

    A thread that waits on such a connection hears that the other end has gone.
    """

    def __init__(self, seconds: float) -> None:
        """How long, from when it is entered."""
        self.is_over = False
        self._lock = threading.Lock()
        self._covered: list[socket.socket] = []
        self._timer = threading.Timer(max(seconds, 0.0), self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._covered:
                each.close()
            self._covered.clear()

    def cover(self, connection: socket.socket) -> None:
        """Have a connection end with the time.

        What TLS is put onto later is covered, too: it is the connection below that ends.

        Raises:
            TimeoutError: that is up already, and the connection is closed.
        """
        with self._lock:
            if not self.is_over:
                # Of its own: what is closed meanwhile, or handed on to TLS, leaves no number behind
                # that another file may have got since.
                self._covered.append(socket.socket(fileno=os.dup(connection.fileno())))
                return
        connection.close()
        raise TimeoutError

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            for each in self._covered:
                with suppress(OSError):  # ENOTCONN: it has ended by itself
                    each.shutdown(socket.SHUT_RDWR)
