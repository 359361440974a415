"""Relay: what happens between a local program and its tunnel? Bytes and ends go both ways.

What Envoy 1.40 does with ends was measured. The target's end is the end of the whole tunnel: all
that it sent arrives, and what the program still sends is dropped. The program's end reaches the
target in HTTP/2, and the answer goes on. In HTTP/1.1 Envoy would cut the tunnel for it, so it is
not told; the tunnel is kept while answers come, and a little longer. Whether there would have been
more is not known then, so it counts as cut.
"""

import asyncio
import contextlib
import errno
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cloudgate.connector.tls_connection import PIECE_BYTES, why
from cloudgate.connector.tunnel import Tunnel, TunnelCutError
from cloudgate.network.hostport import HostPort

LINGER_SECONDS = 5.0
"""How long an answer is waited for after all has left that the local program has said, and after
each piece, where the target cannot be told."""
STUCK_SECONDS = 300.0
"""How long nothing of what was said may leave after the end of whoever said it."""
_LOOK_SECONDS = 0.25
"""How often it is seen whether all has left."""


@dataclass
class Traffic:
    """What went through the connector since it was started."""

    by: Counter[HostPort] = field(default_factory=Counter)
    """How many tunnels each gateway carries right now."""
    bytes_up: int = 0
    bytes_down: int = 0

    @property
    def tunnels(self) -> int:
        """How many are live right now."""
        return self.by.total()


async def relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tunnel: Tunnel, traffic: Traffic
) -> None:
    """Carry all there is, until the target has said all. Neither side is closed then.

    Raises:
        TunnelCutError: the tunnel was cut before that.
        OSError: the local program was, or nobody knows whether the target has said all.
    """
    sending = asyncio.create_task(_up(reader, tunnel, traffic))
    receiving = asyncio.create_task(_down(writer, tunnel, traffic, sending))
    traffic.by[tunnel.gateway] += 1
    try:
        await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
        await receiving
    finally:
        traffic.by[tunnel.gateway] -= 1
        sending.cancel()
        receiving.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)


async def _up(reader: asyncio.StreamReader, tunnel: Tunnel, traffic: Traffic) -> None:
    while data := await reader.read(PIECE_BYTES):
        traffic.bytes_up += len(data)
        try:
            await tunnel.write(data)
        except OSError:
            # EPIPE, ECONNRESET, ETIMEDOUT: whether it was cut or has ended, the other one knows.
            return
    with contextlib.suppress(OSError):  # EPIPE, ECONNRESET: it has ended already
        await tunnel.end()


async def _down(
    writer: asyncio.StreamWriter, tunnel: Tunnel, traffic: Traffic, sending: "asyncio.Task[None]"
) -> None:
    while data := await _answer(tunnel, sending):
        traffic.bytes_down += len(data)
        writer.write(data)
        await writer.drain()


async def _answer(tunnel: Tunnel, sending: "asyncio.Task[None]") -> bytes:
    """What comes next; nothing when it was all.

    Raises:
        TunnelCutError: the tunnel was cut.
        OSError: nothing came when it could, for as long as `linger` waits.
    """
    if tunnel.half_closes:
        return await _read(tunnel)
    reading = asyncio.ensure_future(_read(tunnel))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        await linger(reading, tunnel.line.unsent_bytes)
        if reading.done():
            return reading.result()
        if tunnel.line.unsent_bytes():
            # By a reset: the end would wait behind all that is not taken.
            tunnel.line.reset()
            raise ConnectionResetError(
                errno.ECONNRESET,
                f"nothing of what was sent was taken for {STUCK_SECONDS:g} seconds after its end",
            )
        raise ConnectionResetError(
            errno.ECONNRESET,
            f"nothing came for {LINGER_SECONDS:g} seconds after the end of what was sent, of"
            " which the target is told only with --half-close",
        )
    finally:
        reading.cancel()


async def linger(reading: "asyncio.Future[Any]", unsent_bytes: Callable[[], int]) -> None:
    """Wait until something came, or nothing has for `LINGER_SECONDS` after all had left.

    What the other end has not taken yet is not dropped while it takes of it, however slowly. One
    that takes nothing for `STUCK_SECONDS` is not waited for: whoever said it may be gone. That a
    gateway is gone is seen by `silence`.
    """
    loop = asyncio.get_running_loop()
    unsent, moved_at = unsent_bytes(), loop.time()
    while not reading.done():
        if loop.time() - moved_at >= (STUCK_SECONDS if unsent else LINGER_SECONDS):
            return
        await asyncio.wait({reading}, timeout=_LOOK_SECONDS)
        before, unsent = unsent, unsent_bytes()
        if unsent < before:
            moved_at = loop.time()


async def _read(tunnel: Tunnel) -> bytes:
    try:
        return await tunnel.read()
    except OSError as problem:
        raise TunnelCutError(problem.errno, why(problem)) from None
