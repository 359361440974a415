"""Which port can a test take, with other tests at work beside it?

Not one of those that the system gives to connections: these come and go all the time. Each process
of the tests has a range of its own.
"""

import itertools
import os
import socket

_FIRST, _OF_EACH, _PROCESSES = 10_000, 1_000, 20


def _ports_of_this_process() -> range:
    number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    place = int(number) if number.isdigit() else 10 + os.getpid() % (_PROCESSES - 10)
    first = _FIRST + place * _OF_EACH
    return range(first, first + _OF_EACH)


def _begun_anywhere(ports: range) -> "itertools.cycle[int]":
    """All ports, over and over; runs of other checkouts on this machine begin with others."""
    begin = os.getpid() * 37 % len(ports)
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_ports = _begun_anywhere(_ports_of_this_process())


def free_port() -> int:
    """A TCP port of this machine that nobody uses right now, and no other test will take."""
    for port in itertools.islice(_ports, _OF_EACH):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("No port is free.")
