"""Waiting requests: how many may a client send while one before them is not answered?

uvicorn reads no more while a request waits, but parses all of what it has read, which is many
requests if they are short. Each of them costs a hundred times its bytes.
"""

from typing import NoReturn

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_WAITING = 16
"""Behind the one that is being answered."""


class _HungUpError(Exception):
    """Ends the parser: what is left of these bytes is not looked at."""


class BoundedHttp(HttpToolsProtocol):
    """An HTTP connection that hangs up on who has more requests wait than anybody needs."""

    def on_headers_complete(self) -> None:
        """The header of a request is there; it waits if another one does, or is being answered."""
        if len(self.pipeline) >= MOST_WAITING:
            self.hang_up_while_parsing()
        super().on_headers_complete()

    def hang_up_while_parsing(self) -> NoReturn:
        """Hang up; for what the parser calls, which it ends."""
        self.transport.abort()
        raise _HungUpError

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP; not to who was hung up on while it was parsed."""
        if not self.transport.is_closing():
            super().send_400_response(msg)
