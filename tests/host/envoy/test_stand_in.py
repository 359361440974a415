"""Stand-in: does it answer what asks for a socket, and nothing else, until its Envoy has ended?"""

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudgate.host.envoy.predecessor import stand_in
from tests.support.waiting import PATIENCE_SECONDS

FOR_A_SOCKET = b"\x0a\x08\x0a\x06\x0a\x04port"
FOR_FIGURES = b"\x0a\x02\x1a\x00"


def said(request: bytes) -> bytes:
    """As Envoy sends it: its length, and then a request."""
    return struct.pack("!Q", len(request)) + request


@pytest.fixture
def envoy() -> Iterator[subprocess.Popen[bytes]]:
    """A process for which is answered: it lives until its input is closed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


class StandIn:
    """It runs in a thread here, with real sockets; elsewhere it is a script."""

    def __init__(self, folder: Path, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address, self.name = str(folder / "parent"), folder / "name"
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        heard.bind(self.address)
        self.name.touch()
        words = ["stand_in", str(pid), str(heard.detach()), str(self.name)]
        monkeypatch.setattr(sys, "argv", words)
        self.asking = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.asking.bind(str(folder / "child"))
        self.asking.settimeout(PATIENCE_SECONDS)
        self.thread = threading.Thread(target=stand_in.main, daemon=True)
        self.thread.start()

    def say(self, message: bytes) -> None:
        self.asking.sendto(message, self.address)

    def has_ended(self) -> bool:
        self.thread.join(PATIENCE_SECONDS)
        self.asking.close()
        return not self.thread.is_alive() and not self.name.exists()


def test_who_asks_for_a_socket_is_told_that_there_is_none(
    tmp_path: Path, envoy: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = StandIn(tmp_path, envoy.pid, monkeypatch)
    running.say(said(FOR_FIGURES))
    for _ in range(2):
        running.say(said(FOR_A_SOCKET))
        assert running.asking.recv(4096) == stand_in.NO_SOCKET
    assert envoy.stdin is not None
    envoy.stdin.close()
    envoy.wait(PATIENCE_SECONDS)
    assert running.has_ended()


@pytest.mark.parametrize("sees_ends", [True, False])
def test_it_ends_at_the_word_to_leave_and_with_its_envoy_also_where_nobody_tells_of_that(
    tmp_path: Path,
    envoy: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
    *,
    sees_ends: bool,
) -> None:
    if not sees_ends:
        monkeypatch.delattr(os, "pidfd_open")
        monkeypatch.setattr(stand_in, "_LOOK_AGAIN_SECONDS", 0.01)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    leaving = StandIn(tmp_path / "one", envoy.pid, monkeypatch)
    leaving.say(stand_in.LEAVE)
    assert leaving.has_ended()
    following = StandIn(tmp_path / "two", envoy.pid, monkeypatch)
    envoy.kill()
    envoy.wait(PATIENCE_SECONDS)
    assert following.has_ended()


def test_one_of_a_process_that_is_gone_ends_at_once(
    tmp_path: Path, envoy: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    envoy.kill()
    envoy.wait(PATIENCE_SECONDS)
    assert StandIn(tmp_path, envoy.pid, monkeypatch).has_ended()


def test_messages_of_nobody_who_is_there_are_passed_over(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking,
    ):
        heard.bind(str(tmp_path / "parent"))
        heard.setblocking(False)
        assert stand_in.goes_on(heard), "nothing is there"
        asking.sendto(said(FOR_A_SOCKET), str(tmp_path / "parent"))
        assert stand_in.goes_on(heard), "who has no address is not answered"
        asking.sendto(stand_in.LEAVE, str(tmp_path / "parent"))
        assert not stand_in.goes_on(heard)
