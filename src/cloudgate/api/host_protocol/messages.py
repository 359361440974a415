"""Messages: what does a host say? Read within bounds, and long ones beside the event loop."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cloudgate.api.connections.fair_queue import FairQueue, Waiter
from cloudgate.api.connections.fair_semaphore import FairSemaphore
from cloudgate.errors import InvalidRequestError
from cloudgate.protocol import (
    Answer,
    DemandReport,
    Document,
    JoinRequest,
    OwnRequest,
    PollRequest,
    Report,
    UsageBatch,
)
from cloudgate.protocol.bounds import readable

Message = TypeVar("Message", bound=Document)

_MIB = 1024 * 1024
BODY_LIMIT_BYTES = 16 * _MIB
"""No message is longer, whatever it is."""
BODY_LIMITS_BYTES: dict[type[Document], int] = {
    JoinRequest: _MIB // 4,
    PollRequest: _MIB // 64,
    Report: _MIB // 2,
    UsageBatch: 8 * _MIB,
    DemandReport: 12 * _MIB,
    Answer: BODY_LIMIT_BYTES,
    OwnRequest: _MIB // 32,
}
"""The longest message of each kind."""
SHORT_BYTES = 64 * 1024
"""What is no longer is read at once, in a few milliseconds whatever it says."""
BYTES_OF_A_PART = 8
"""A long message has at most a comma for so many bytes: each stands for a member with its name,
and what is nothing but commas takes many times as long to read, in one piece, as it is worth."""


class MessageReader:
    """Reads what hosts say. Used on the event loop only."""

    def __init__(self) -> None:
        # One takes as much of memory as of time: those of one host are in no other's way.
        self._turns = FairSemaphore(1, FairQueue())

    async def read(self, request: Request, kind: type[Message]) -> Message:
        """The message of a request.

        Raises:
            InvalidRequestError: it is longer than any of its kind, or none of it.
        """
        return await self._parsed(request, kind, await _body(request, kind, lambda: True))

    async def read_wanted(
        self, request: Request, kind: type[Message], is_wanted: Callable[[], bool]
    ) -> Message | None:
        """The same; None where it is a long one that nobody wants, of which nothing is kept.

        Raises:
            InvalidRequestError: as above.
        """
        body = await _body(request, kind, is_wanted)
        return None if body is None else await self._parsed(request, kind, body)

    async def _parsed(
        self, request: Request, kind: type[Message], body: bytearray | None
    ) -> Message:
        said = bytes(body or b"")
        if len(said) <= SHORT_BYTES:
            return _parse(kind, said)
        async with self._turns.held(Waiter(str(getattr(request.state, "server_id", "")))):
            return await run_in_threadpool(_parse, kind, said)


async def _body(
    request: Request, kind: type[Document], is_wanted: Callable[[], bool]
) -> bytearray | None:
    limit, body, count, is_kept = BODY_LIMITS_BYTES[kind], bytearray(), 0, True
    async for piece in request.stream():
        count += len(piece)
        if count > limit:
            raise InvalidRequestError(
                f"The message is larger than {limit} bytes, and so than any that a host sends."
            )
        if is_kept and count > SHORT_BYTES and not is_wanted():
            is_kept, body = False, bytearray()
        if is_kept:
            body += piece
    return body if is_kept else None


def _parse(kind: type[Message], body: bytes) -> Message:
    if len(body) > SHORT_BYTES and body.count(b",") > len(body) // BYTES_OF_A_PART:
        raise InvalidRequestError("The message has more parts than any that a host sends.")
    try:
        return kind.model_validate_json(body)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequestError(
            readable(f"The message is malformed: {where}: {first['msg']}.")
        ) from None
