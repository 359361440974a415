"""Relay: how does a connection to one manager go on to the one that leads, and who made it?

The manager that was reached has ended TLS. It opens a connection to the other one, says first, in
one line, whose it is, with a mark that only managers of this installation can make, and then hands
bytes on, both ways, without a look at them. So the two may be of different releases.

What makes room for others is who has proved nothing. The one that leads knows who has, and says so
by a word that was agreed on in that first line: it stands between two answers, and is taken out.
"""

import asyncio
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from cloudgate.api.connections.connection_limit import Admission
from cloudgate.values import ip_addresses

log = structlog.get_logger(__name__)

_BEGIN = b"CLOUDGATE-RELAY/1 "
_LONGEST_LINE_BYTES = 400
_PARTS = 5
_WORD_BYTES = 16
PURPOSE = "relay"
"""Of marks."""
OPEN_SECONDS = 4.0
"""How long the other manager has to be reached."""
MOST_HELD_BYTES = 256 * 1024
"""Of what a client says before there is somebody to hand it on to: no less than one read brings."""
QUIET_SECONDS = 0.25
"""An answer of which nothing came for so long is taken for one that has ended."""


class MessageSigner(Protocol):
    """Makes and knows marks: `cloudgate.manager.security.sealing.SealingKey`."""

    def sign(self, text: str, purpose: str) -> str:
        """What only a manager of this installation can say of a text."""

    def verify(self, mark: str, text: str, purpose: str) -> bool:
        """Whether it is that."""


@dataclass(frozen=True)
class Handover:
    """Whose a connection is."""

    term: int
    """Of the lease that whoever hands it on has seen."""
    address: str
    """IP address of the client."""
    scheme: str
    """``https`` or ``http``, as the client came."""
    word: str
    """Says that the client has proved who it is."""

    @property
    def proof(self) -> bytes:
        """As it is sent."""
        return f"\r\n{self.word}\r\n".encode()

    def line(self, marks: MessageSigner) -> bytes:
        """As the other manager reads it."""
        said = f"{self.term} {self.address} {self.scheme} {self.word}"
        return _BEGIN + f"{said} {marks.sign(said, PURPOSE)}\r\n".encode()


def may_begin(data: bytes) -> bool:
    """Whether a connection is one that a manager hands on, or may be by what is there of it."""
    return data.startswith(_BEGIN[: len(data)])


@dataclass(frozen=True)
class Handovers:
    """How the manager that leads takes connections from others."""

    marks: MessageSigner
    term: Callable[[], int | None]
    """Of its lease; None while it does not lead."""

    def read(self, data: bytes) -> tuple[Handover, bytes] | None:
        """What a manager says first, and what follows; None while it is not there as a whole.

        Raises:
            ValueError: it is nothing that a manager of this installation says to this one now.
        """
        found = _read_line(data, self.marks)
        if found is not None and found[0].term != self.term():
            raise ValueError("of another term")
        return found


def _read_line(data: bytes, marks: MessageSigner) -> tuple[Handover, bytes] | None:
    line, end, rest = data.partition(b"\r\n")
    if not end:
        if len(data) > _LONGEST_LINE_BYTES:
            raise ValueError("too long")
        return None
    parts = line.decode("ascii").split(" ")[1:]
    if len(parts) != _PARTS:
        raise ValueError("malformed")
    *said, mark = parts
    if not marks.verify(mark, " ".join(said), PURPOSE):
        raise ValueError("not by a manager")
    term, address, scheme, word = said
    return Handover(int(term), str(ipaddress.ip_address(address)), scheme, word), rest


Dial = Callable[[Callable[[], asyncio.Protocol]], Awaitable[asyncio.Transport]]
"""Opens a connection to the manager that leads.

Raises:
    OSError: it cannot be reached.
"""


class Relay(asyncio.Protocol):
    """A client's connection, whose bytes go on to the manager that leads."""

    def __init__(
        self,
        seat: Admission,
        dial: Dial,
        greeting: Callable[[str, str], Handover],
        marks: MessageSigner,
        instead: Callable[[], asyncio.Protocol],
    ) -> None:
        """A connection that comes in.

        Args:
            seat: of it.
            dial: opens the way to the manager that leads.
            greeting: what is said there first of a client with an address and a scheme.
            marks: of this installation.
            instead: answers the client where the other manager is not reached.
        """
        self._seat = seat
        self._dial = dial
        self._greeting = greeting
        self._marks = marks
        self._instead = instead
        self._opening: asyncio.Task[None] | None = None
        self._is_first = True
        self.client: asyncio.Transport
        self.leader: asyncio.Transport | None = None
        self.is_open = False
        self._held = b""
        """What the client has said, and nobody was there to hand it on to."""
        self._is_owed = False
        """Whether the client has said something and was not answered since."""
        self._answered_at = -QUIET_SECONDS
        """When the last piece of an answer came, by the event loop's clock."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The client is there; it is read once there is somebody to hand it on to."""
        self.client, self.is_open = transport, True
        self._seat.close = transport.abort
        transport.pause_reading()
        self._opening = asyncio.ensure_future(self._open(transport))

    def is_settled(self, now: float) -> bool:
        """Whether nothing is on its way, so that hanging up cuts no answer short.

        `now`: by the event loop's clock.
        """
        if self.leader is None or self._is_owed or self.client.get_write_buffer_size():
            return False
        return now - self._answered_at >= QUIET_SECONDS

    async def _open(self, client: asyncio.Transport) -> None:
        scheme = "https" if client.get_extra_info("sslcontext") else "http"
        peer = client.get_extra_info("peername") or ("127.0.0.1",)
        said = self._greeting(ip_addresses.plain(str(peer[0])), scheme)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                self.leader = await self._dial(lambda: _LeaderConnection(self, said))
        except OSError as problem:  # also TimeoutError, and what TLS does not like
            log.warning("the manager that leads is not reached", reason=str(problem))
            self._answer_here(client)
            return
        if client.is_closing():
            self.leader.abort()
            return
        self.leader.write(said.line(self._marks))
        # As after an answer: what the client has said meanwhile may not be read yet.
        self._answered_at = asyncio.get_running_loop().time()
        client.resume_reading()
        self._give_held(self)

    def _answer_here(self, client: asyncio.Transport) -> None:
        if client.is_closing():
            return
        self.is_open = False
        here = self._instead()
        here.connection_made(client)
        client.set_protocol(here)
        client.resume_reading()
        self._give_held(here)

    def _hold(self, data: bytes) -> None:
        """Keep what came nevertheless: uvloop begins to read TCP after `connection_made`.

        It forgets that reading was paused there, but not a second time.
        """
        self._held += data
        if len(self._held) > MOST_HELD_BYTES:
            self.client.abort()
        else:
            self.client.pause_reading()

    def _give_held(self, taker: asyncio.Protocol) -> None:
        held, self._held = self._held, b""
        if held:
            taker.data_received(held)

    def data_received(self, data: bytes) -> None:
        """The client has spoken."""
        if self.leader is None:
            self._hold(data)
            return
        if self._is_first and data.startswith(_BEGIN):
            # A manager that takes this one for the one that leads would get it back for ever.
            self.client.abort()
            return
        self._is_first = False
        self._is_owed = True
        self.leader.write(data)

    def note_answer(self) -> None:
        """The client is answered, or at least the answer begins, or goes on."""
        self._is_owed, self._answered_at = False, asyncio.get_running_loop().time()

    def prove(self) -> None:
        """The client has proved who it is."""
        self._seat.prove()

    def pause_writing(self) -> None:
        """The client does not read."""
        if self.leader is not None and not self.leader.is_closing():
            self.leader.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self.leader is not None and not self.leader.is_closing():
            self.leader.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone."""
        del error
        self.is_open = False
        self._seat.leave()
        if self._opening is not None:
            self._opening.cancel()
        if self.leader is not None:
            self.leader.abort()


class _LeaderConnection(asyncio.Protocol):
    """The other half: the connection to the manager that leads."""

    def __init__(self, relay: Relay, said: Handover) -> None:
        self._relay = relay
        self._proof: bytes | None = said.proof

    def data_received(self, data: bytes) -> None:
        """The manager has answered."""
        client = self._relay.client
        if self._proof is not None and self._proof in data:
            # Written on its own, it is a record of TLS, which comes as a whole.
            data = data.replace(self._proof, b"", 1)
            self._proof = None
            self._relay.prove()
        if data:
            self._relay.note_answer()
            client.write(data)

    def pause_writing(self) -> None:
        """The manager does not read."""
        if not self._relay.client.is_closing():
            self._relay.client.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if not self._relay.client.is_closing():
            self._relay.client.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The manager has hung up: what it said is still written."""
        if error is None:
            self._relay.client.close()
        else:
            self._relay.client.abort()


def new_word() -> str:
    """What nobody can guess who is handed on."""
    return secrets.token_hex(_WORD_BYTES)
