"""Module connection: how does Envoy's module ask whether a CONNECT may become a tunnel?

By messages on a connection of its own; `data_path/message.h` in the sources says which. Only who is
let in is answered in full: all else is left to Envoy's connection manager, which asks by gRPC.
"""

import asyncio
import struct
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, cast

import structlog

from cloudgate.host.authorization.authorizer import AuthorizationResult
from cloudgate.host.authorization.module.decision_cache import ConnectRequest

GREETING: Final = b"cloudgate data path 1\n"
"""What the module says first."""
LONGEST_QUESTION_BYTES = 32 * 1024
BEGINS_WITHIN_SECONDS = 20.0
"""How long somebody who was let in can give up before the tunnel has begun."""

_ASK, _GONE, _BEGUN = 1, 2, 3
_TOLD = (bytes((_GONE,)), bytes((_BEGUN,)))
_LEAVE_IT, _TUNNEL = 0, 1
_LENGTH: Final = struct.Struct("!I")
_ASKED: Final = struct.Struct("!BIH")
_NEWS: Final = struct.Struct("!BI")
_ANSWER: Final = struct.Struct("!IB")
_TEXT: Final = struct.Struct("!H")

Decide = Callable[[ConnectRequest], Awaitable[AuthorizationResult]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Decisions:
    """Who decides, and who hears what became of it."""

    decide: Decide
    give_up: Callable[[ConnectRequest, AuthorizationResult | None], None]
    """Who asked is gone: before the answer where there is none, else before the tunnel began."""
    begun: Callable[[ConnectRequest], None]
    """Who was let in has a tunnel."""


class ModuleConnection(asyncio.Protocol):
    """One connection of the module, after its greeting."""

    def __init__(self, decisions: Decisions, on_lost: Callable[["ModuleConnection"], None]) -> None:
        self._decisions = decisions
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._deciding: dict[int, tuple[ConnectRequest, asyncio.Task[None]]] = {}
        self._let_in: OrderedDict[int, tuple[float, ConnectRequest, AuthorizationResult]] = (
            OrderedDict()
        )
        self._takes_questions = True
        self._all_answered = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has been greeted."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Envoy is gone, or somebody who is not Envoy: nobody waits for an answer."""
        del exc
        for question, task in self._deciding.values():
            task.cancel()
            self._decisions.give_up(question, None)
        self._deciding.clear()
        self._all_answered.set()
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self._unread += data
        try:
            self._take_messages()
        except (ValueError, struct.error) as error:
            _log.error("a question of envoy's module is malformed", reason=str(error))
            self.abort()

    def send_goaway(self) -> None:
        """Answer no more questions: those that come are left to the connection manager."""
        self._takes_questions = False

    async def wait_idle(self) -> None:
        """Wait until no question is open."""
        while self._deciding:
            self._all_answered.clear()
            await self._all_answered.wait()

    def abort(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _take_messages(self) -> None:
        unread, at = bytes(self._unread), 0
        while len(unread) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(unread, at)
            if length > LONGEST_QUESTION_BYTES:
                raise ValueError("it is too long")
            end = at + _LENGTH.size + length
            if end > len(unread):
                break
            self._take(unread[at + _LENGTH.size : end])
            at = end
        del self._unread[:at]

    def _take(self, message: bytes) -> None:
        if message[:1] in _TOLD:
            news, number = _NEWS.unpack(message)
            (self._note_gone if news == _GONE else self._note_begun)(number)
            return
        kind, number, port = _ASKED.unpack_from(message)
        if kind != _ASK:
            raise ValueError("its kind is unknown")
        address, authority, authorization = _texts(message[_ASKED.size :], 3)
        question = ConnectRequest(authority, authorization, address, port)
        if self._takes_questions:
            task = asyncio.get_running_loop().create_task(self._answer(number, question))
            self._deciding[number] = question, task
        else:
            self._send(_ANSWER.pack(number, _LEAVE_IT))

    async def _answer(self, number: int, question: ConnectRequest) -> None:
        result: AuthorizationResult | None = None
        try:
            result = await self._decisions.decide(question)
        except Exception:  # noqa: BLE001  the connection manager asks again, and says what it says
            _log.exception("a question of envoy's module failed")
        self._deciding.pop(number, None)
        if not self._deciding:
            self._all_answered.set()
        if result is None or result.denial is not None:
            self._send(_ANSWER.pack(number, _LEAVE_IT))
            return
        self._remember(number, question, result)
        said = (result.cluster, result.address, result.name, result.target, result.metadata)
        texts = [str(each).encode() for each in said]
        self._send(
            _ANSWER.pack(number, _TUNNEL) + b"".join(_TEXT.pack(len(each)) + each for each in texts)
        )

    def _remember(self, number: int, question: ConnectRequest, result: AuthorizationResult) -> None:
        now = time.monotonic()
        while self._let_in:
            at, _, _ = next(iter(self._let_in.values()))
            if at > now - BEGINS_WITHIN_SECONDS:
                break
            self._let_in.popitem(last=False)
        self._let_in[number] = now, question, result

    def _note_begun(self, number: int) -> None:
        if let_in := self._let_in.pop(number, None):
            _, question, _ = let_in
            self._decisions.begun(question)

    def _note_gone(self, number: int) -> None:
        deciding = self._deciding.pop(number, None)
        if deciding is not None:
            question, task = deciding
            task.cancel()
            self._decisions.give_up(question, None)
            if not self._deciding:
                self._all_answered.set()
            return
        let_in = self._let_in.pop(number, None)
        if let_in is not None:
            _, question, result = let_in
            self._decisions.give_up(question, result)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_LENGTH.pack(len(answer)) + answer)


def _texts(data: bytes, count: int) -> list[str]:
    found, at = [], 0
    for _ in range(count):
        (length,) = _TEXT.unpack_from(data, at)
        at += _TEXT.size
        if at + length > len(data):
            raise ValueError("a text in it is cut")
        found.append(data[at : at + length].decode("latin-1"))
        at += length
    if at != len(data):
        raise ValueError("there is something behind it")
    return found
