"""Shared ends: which connections of this process have one end in common?

As a system gives connections to different targets the same local port, and as whoever binds a port
goes from it to two addresses of one gateway.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

Pair = tuple[socket.socket, socket.socket]


def name_of(connection: socket.socket) -> str:
    """The name of an IPv4 connection, by both ends."""
    ends = connection.getsockname(), connection.getpeername()
    return ">".join("{}:{}".format(*each) for each in ends)


@contextmanager
def two_from_one_port() -> Iterator[tuple[Pair, Pair]]:
    """Two connections from one address and port to two; and the other ends of both, accepted."""
    with ExitStack() as stack:
        made, accepted = [], []
        source = ("127.0.0.1", 0)
        for _ in range(2):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(source)
            one.connect(server.getsockname())
            source = one.getsockname()
            made.append(one)
            accepted.append(stack.enter_context(server.accept()[0]))
        yield (made[0], made[1]), (accepted[0], accepted[1])
