"""Header spelling: how are names written in HTTP/1.1? As published, letter by letter.

RFC 9110 (5.1) lets names be in any case, and Starlette and uvicorn write all of them in lower case.
Programs in .NET, PHP and shell scripts compare with the published spelling.
"""

from collections.abc import Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudgate.network.api_headers import SESSION_ID

Headers = list[tuple[bytes, bytes]]


class _Name(bytes):
    """A name that stays as it is written: uvicorn writes what `lower` gives."""

    __slots__ = ()

    def lower(self) -> "_Name":
        return self


class _LookedForName(_Name):
    """One that is equal to itself in any case of letters: uvicorn looks for it by `==`."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes) and bytes.lower(self) == bytes.lower(other)

    def __hash__(self) -> int:
        return hash(bytes.lower(self))


_PUBLISHED = {name.lower(): name for name in (SESSION_ID.encode(), b"WWW-Authenticate", b"ETag")}
"""Those that are not simply words with capitals."""
_LOOKED_FOR = frozenset({b"content-length", b"transfer-encoding", b"connection"})
"""By uvicorn. Only these compare by code of ours, which is called for each header and name."""


@lru_cache(maxsize=256)
def spelled(name: bytes) -> bytes:
    """A header's name as it is published: ``content-type`` is ``Content-Type``."""
    lower = bytes.lower(name)
    words = b"-".join(word.capitalize() for word in lower.split(b"-"))
    kind = _LookedForName if lower in _LOOKED_FOR else _Name
    return kind(_PUBLISHED.get(lower, words))


def all_spelled(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The same headers, with their names as they are published."""
    return [(spelled(name), value) for name, value in headers]


class PublishedHeaderNames:
    """An ASGI application whose answers have the published names of headers."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def send_spelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": all_spelled(message.get("headers", ()))}
            await send(message)

        await self._application(scope, receive, send_spelled)
