"""An acceptor was closed: is nothing left of it that the event loop would go on with?"""

import re
import socket
import sys
from pathlib import Path

import pytest
import uvicorn
from uvicorn.server import ServerState

from cloudgate.api.connections.acceptor import Acceptor
from cloudgate.api.connections.connection_limit import ConnectionLimiter, connection_limits
from cloudgate.cli.service.event_loop import run
from tests.support.waiting import until_async

needs_epoll = pytest.mark.skipif(sys.platform != "linux", reason="looks at epoll(7) in /proc")


def polled() -> set[int]:
    """The descriptors that are asked about in an epoll set of this process."""
    found: set[int] = set()
    for each in Path("/proc/self/fd").iterdir():
        if each.is_symlink() and "eventpoll" in str(each.readlink()):
            said = Path(f"/proc/self/fdinfo/{each.name}").read_text()
            found |= {int(number) for number in re.findall(r"tfd:\s+(\d+)", said)}
    return found


@needs_epoll
def test_of_a_listener_that_is_closed_at_once_nothing_is_polled_any_more() -> None:
    """Others hold the same listener: a manager that leads no more stands by at the same port."""
    held = socket.create_server(("127.0.0.1", 0))
    mine = held.dup()
    seats = ConnectionLimiter(connection_limits(1000))
    config = uvicorn.Config("nothing:at_all")

    async def take_in_for_a_while() -> None:
        descriptor = mine.fileno()
        accepting = Acceptor(mine, config, ServerState(), seats, lambda _: False)
        accepting.start()
        await until_async(lambda: descriptor in polled())
        accepting.close()
        mine.close()  # as uvicorn does, before anything else can run
        await accepting.wait_closed()
        assert descriptor not in polled()

    with held:
        run(take_in_for_a_while())
