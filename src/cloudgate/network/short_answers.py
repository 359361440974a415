"""Short answers: how is one read of somebody who has proved nothing yet?

As it came, up to a size, and within one time for all of it, however little comes at a time.
"""

import asyncio
import time

import httpx2

MOST_BYTES = 64 * 1024
_AS_IT_IS = {"Accept-Encoding": "identity"}


class _Answer:
    """What has come of one so far."""

    def __init__(self, response: httpx2.Response) -> None:
        self._body = bytearray()
        # One that is packed says of nothing how long it is.
        self.is_short = response.headers.get("Content-Encoding", "identity") == "identity"

    def take(self, piece: bytes) -> bool:
        """Whether more is to be read."""
        self._body += piece
        self.is_short = self.is_short and len(self._body) <= MOST_BYTES
        return self.is_short

    @property
    def text(self) -> str:
        return self._body.decode("ascii", "replace") if self.is_short else ""


def short_answer(client: httpx2.Client, url: str, seconds: float) -> str:
    """What somebody answers to GET, in ASCII; empty where it is longer, or packed.

    `seconds` bound what comes of the body. What comes before it is bounded by the transport, see
    `http_transport.DiallingTransport`, but not through a proxy of the environment.

    Raises:
        httpx2.TransportError: it has not come, or not in time.
        httpx2.InvalidURL: there is no such address.
    """
    until = time.monotonic() + seconds
    with client.stream("GET", url, headers=_AS_IT_IS) as response:
        answer = _Answer(response)
        if answer.is_short:
            for piece in response.iter_raw():
                if not answer.take(piece):
                    break
                if time.monotonic() > until:
                    raise httpx2.ReadTimeout("it took too long in all")
    return answer.text


async def find_short_answer(client: httpx2.AsyncClient, url: str, seconds: float) -> str:
    """As `short_answer`, on asyncio; `seconds` bound all of it."""
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream("GET", url, headers=_AS_IT_IS) as response,
        ):
            answer = _Answer(response)
            if answer.is_short:
                async for piece in response.aiter_raw():
                    if not answer.take(piece):
                        break
    except TimeoutError as problem:
        raise httpx2.ReadTimeout("it took too long in all") from problem
    return answer.text
