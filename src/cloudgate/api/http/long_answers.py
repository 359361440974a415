"""Long answers: how is one sent that has megabytes, and nobody held up?"""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE_BYTES = 256 * 1024
"""Encrypting so many takes a millisecond, in which the loop that answers everybody does no more."""


class LongAnswer(Response):
    """An answer that is sent piece by piece, as fast as its reader takes them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        whole = memoryview(self.body)
        if len(whole) <= PIECE_BYTES:
            await super().__call__(scope, receive, send)
            return
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        for begin in range(0, len(whole), PIECE_BYTES):
            piece = bytes(whole[begin : begin + PIECE_BYTES])
            is_last = begin + PIECE_BYTES >= len(whole)
            await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
