"""Bodies: how is what a client sent read, and how much of it, and how is a long answer sent?"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cloudgate.api.http.failures import TooLargeError
from cloudgate.api.http.negotiation import Form, body_charset, body_form
from cloudgate.api.http.router import Route
from cloudgate.errors import InvalidRequestError
from cloudgate.values.numbers import whole
from cloudgate.wire import json, xml
from cloudgate.wire.description import ResourceType, parts
from cloudgate.wire.encoding import json_text, xml_text
from cloudgate.wire.schema import required

PIECE_BYTES = 256 * 1024
"""Encrypting so many takes a millisecond, in which the loop that answers everybody does no more."""


async def received(request: Request, limit_bytes: int) -> bytes:
    """The body, of at most `limit_bytes`.

    Raises:
        TooLargeError: it is larger.
    """
    said = request.headers.get("content-length", "")
    problem = TooLargeError(f"The body is larger than {limit_bytes} bytes, the limit.")
    if said and whole(said, 0, limit_bytes) is None:
        raise problem
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit_bytes:
            raise problem
        pieces.append(piece)
    return b"".join(pieces)


def described(route: Route, body: bytes, content_type: str | None) -> tuple[ResourceType, ...]:
    """What the handler of a route gets besides the call.

    Raises:
        InvalidRequestError: the body is missing, malformed or not valid.
    """
    if not route.bodies or (not body.strip() and route.body_optional):
        return ()
    if not body.strip():
        names = " or ".join(kind.root() for kind in route.bodies)
        raise InvalidRequestError(f"The body is missing; expected {names}.")
    form, charset = body_form(content_type), body_charset(content_type)
    text = xml_text(body, charset) if form is Form.XML else json_text(body, charset)
    return (_read(text, form, route.bodies),)


def _read(body: str, form: Form, kinds: tuple[type[ResourceType], ...]) -> ResourceType:
    """A body as the first of `kinds` that it can be.

    Raises:
        InvalidRequestError: it is malformed or not valid.
    """
    kind = kinds[0]
    if len(kinds) > 1:
        kind = next((kind for kind in kinds if _fits(body, form, kind)), kind)
    return xml.read(body, kind) if form is Form.XML else json.read(body, kind)


def _fits(body: str, form: Form, kind: type[ResourceType]) -> bool:
    """Whether a body means to be of a kind: by its root element, or by its properties."""
    if form is Form.XML:
        return xml.root_name(body) == kind.root()
    said = json.property_names(body)
    return required(kind.root()) <= said <= {part.name for part in parts(kind)}


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
