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
from dataclasses import dataclass, field

from cloudgate.connector.tls_connection import PIECE_BYTES
from cloudgate.connector.tunnel import Tunnel
from cloudgate.network.hostport import HostPort

LINGER_SECONDS = 5.0
"""How long an answer is waited for after the local program has said all, and after each piece,
where the target cannot be told."""


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
        OSError: one of the two was cut before that, or nobody knows whether it has said all.
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
        OSError: the tunnel was cut, or nothing came for `LINGER_SECONDS` when it could.
    """
    if tunnel.half_closes:
        return await tunnel.read()
    reading = asyncio.ensure_future(tunnel.read())
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            await asyncio.wait({reading}, timeout=LINGER_SECONDS)
        if not reading.done():
            raise ConnectionResetError(
                errno.ECONNRESET,
                f"nothing came for {LINGER_SECONDS:g} seconds after the end of what was sent, of"
                " which the target is told only with --half-close",
            )
        return reading.result()
    finally:
        reading.cancel()
