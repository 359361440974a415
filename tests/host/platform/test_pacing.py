"""Is one connection slowed, watched and ended, and no other that has one end in common with it?"""

import os
import socket
from collections.abc import Iterator

import pytest

from cloudgate.host.platform import Pacing, close_connections
from cloudgate.network.connection_names import comes_from
from tests.host.platform.shared_ends import Pair, name_of, two_from_one_port

HERE = os.getpid()
RATE = 5000


@pytest.fixture(params=[False, True], ids=["as made", "the other first"])
def outgoing(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two connections of this process that have the same local address and port."""
    with two_from_one_port() as (found, _):
        yield found[::-1] if request.param else found


@pytest.fixture(params=[False, True], ids=["as made", "the other first"])
def incoming(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two connections that came to this process from the same address and port."""
    with two_from_one_port() as (_, found):
        yield found[::-1] if request.param else found


def own_end(connection: socket.socket) -> str:
    return "{}:{}".format(*connection.getsockname())


def other_end(connection: socket.socket) -> str:
    return "{}:{}".format(*connection.getpeername())


def test_of_two_connections_from_one_port_only_the_one_that_is_named_is_slowed(
    outgoing: Pair,
) -> None:
    slowed, other = outgoing
    assert own_end(slowed) == own_end(other)
    pacing = Pacing(HERE)
    pacing.set({name_of(slowed): RATE})
    sent = pacing.sent_by([name_of(slowed), name_of(other)])
    assert sent[name_of(slowed)].rate_bytes == RATE
    assert sent[name_of(other)].rate_bytes is None


def test_of_two_connections_from_one_port_each_has_its_own_bytes(outgoing: Pair) -> None:
    sender, silent = outgoing
    sender.sendall(bytes(1000))
    carried = Pacing(HERE).carried([name_of(sender), name_of(silent)])
    assert carried[name_of(sender)][0] >= 1000
    assert carried[name_of(silent)][0] < 1000


def test_by_its_own_end_alone_a_connection_is_found_as_in_the_release_before(
    outgoing: Pair,
) -> None:
    _, left = outgoing
    outgoing[0].close()
    assert Pacing(HERE).carried([own_end(left)]).keys() == {own_end(left)}


def test_of_two_connections_from_one_client_only_the_one_that_is_named_is_ended(
    incoming: Pair,
) -> None:
    ended, other = incoming
    assert other_end(ended) == other_end(other)
    name = name_of(ended)
    assert close_connections(HERE, [name]) == 1
    with pytest.raises(OSError, match="not connected"):
        ended.getpeername()
    assert other.getpeername()
    assert close_connections(HERE, [other_end(other)]) == 1


def test_whoever_comes_from_a_port_once_more_is_told_from_who_is_known(incoming: Pair) -> None:
    known, fresh = incoming
    client, pacing = other_end(fresh), Pacing(HERE)
    assert pacing.carried([client]).keys() == {client}  # whichever of them that is
    assert pacing.connection_from(client, {name_of(known)}) == name_of(fresh)
    both = {name_of(known), name_of(fresh)}
    assert pacing.connection_from(client, both) in both
    assert pacing.connection_from("192.0.2.7:5000", ()) == "192.0.2.7:5000"


def test_a_connection_from_here_to_somewhere_is_nobody_that_came(outgoing: Pair) -> None:
    own = own_end(outgoing[0])
    came = Pacing(HERE).connection_from(own, ())
    assert came == own or comes_from(came, own)
    assert came not in {name_of(each) for each in outgoing}
