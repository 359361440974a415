"""Is a tunnel cut when its gateway is gone without a word, and only then?"""

import asyncio
import ctypes
import socket
import struct
from pathlib import Path

import pytest

from cloudgate.connector.balancer import Balancer
from cloudgate.connector.silence import ATTEMPTS, SilenceWatch, Unanswered
from cloudgate.connector.socket_options import PeerSigns
from cloudgate.connector.tls_connection import Identity
from tests.connector.support import TARGET, relaying, scripted_gateway
from tests.support.certificates.authority import Authority
from tests.support.waiting import until_async

SILENT_SECONDS = 0.5
DATA = b"x" * 8_000_000
_SO_ATTACH_FILTER = 26
_RETURN = 0x06
"""``BPF_RET | BPF_K`` (linux/filter.h)."""


def watch() -> SilenceWatch:
    return SilenceWatch(silent_seconds=SILENT_SECONDS, look_seconds=0.05)


def deafen(writer: asyncio.StreamWriter) -> None:
    """Have the system drop all that comes to a connection, and answer nothing of it."""
    nothing = ctypes.create_string_buffer(struct.pack("@HBBI", _RETURN, 0, 0, 0))
    program = struct.pack("@HP", 1, ctypes.addressof(nothing))
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


@pytest.mark.anyio
async def test_a_tunnel_whose_target_takes_nothing_for_long_goes_on(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    async with scripted_gateway(authority, tmp_path) as gateway:
        fleet = Balancer([gateway.address], who, half_close=False, silence=watch())
        async with fleet.tunnel(TARGET) as tunnel:
            reader, writer = await gateway.tunnels.get()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            sending = asyncio.create_task(tunnel.write(DATA))

            def has_been_silent() -> bool:
                signs = tunnel.line.peer_signs()
                return signs is not None and signs.silent_seconds > 2 * SILENT_SECONDS

            # The pause between two probes of a target that takes nothing.
            await until_async(has_been_silent)
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert await reader.readexactly(len(DATA)) == DATA
            await sending
            at_the_system = tunnel.line._writer.get_extra_info("socket")
            assert not at_the_system.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


@pytest.mark.anyio
@pytest.mark.parametrize("stood_still", [False, True])
async def test_a_tunnel_whose_gateway_vanishes_is_cut_also_where_its_target_took_nothing(
    tmp_path: Path, authority: Authority, who: Identity, *, stood_still: bool
) -> None:
    async with relaying(authority, tmp_path, who, silence=watch()) as (gateway, there):
        program, to_tunnel = await asyncio.open_connection("127.0.0.1", there.port)
        _, writer = await gateway.tunnels.get()
        if stood_still:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            to_tunnel.write(DATA)
            await until_async(lambda: there.ports.traffic.bytes_up)
        deafen(writer)
        to_tunnel.write(b"question")
        with pytest.raises(ConnectionResetError):
            await program.read()
        to_tunnel.close()
        assert there.fleet.gateways[0].doubted_at


def signs(silent_seconds: float, *, sent_again: int = 0, probes: int = 0) -> PeerSigns:
    return PeerSigns(silent_seconds, sent_again, probes)


def test_pauses_between_probes_that_are_answered_are_no_silence() -> None:
    end = Unanswered()
    for minute in range(10):
        for second in range(0, 120, 2):
            assert not end.is_gone(signs(second + 0.01), minute * 120 + second, 20)


def test_one_probe_that_is_lost_is_no_silence_however_late_the_next_one_is() -> None:
    end = Unanswered()
    for second in range(0, 240, 2):
        assert not end.is_gone(signs(second, probes=second // 120), second, 20)
    assert not end.is_gone(signs(0.01), 240, 20)
    assert not any(end.is_gone(signs(s - 240, probes=1), s, 20) for s in range(300, 400, 2))


def test_what_was_sent_again_before_the_last_answer_does_not_count() -> None:
    end = Unanswered()
    assert not end.is_gone(signs(0.01, sent_again=50), 2, 20)
    assert not any(end.is_gone(signs(s - 2, sent_again=50), s, 20) for s in range(4, 100, 2))


def test_what_is_asked_again_and_again_and_says_nothing_is_gone() -> None:
    end = Unanswered(looked_at=100)
    gone = [
        second
        for second in range(102, 160, 2)
        if end.is_gone(signs(second - 99, sent_again=min(second - 100, ATTEMPTS)), second, 20)
    ]
    assert gone[0] == 124
