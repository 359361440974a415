"""Connection names: how is one connection of a process told from all its others? Pure.

By both of its ends. One of them is not enough: a system gives the same local port to connections
that go to different places, and whoever binds a port may go from it to each of our addresses.
"""

_BETWEEN = ">"


def connection_name(own: str, peer: str) -> str:
    """``own>peer``, each as ``address:port``; the end that is known, where the other is not.

    By one end another connection may be meant.
    """
    return f"{own}{_BETWEEN}{peer}" if own and peer else own or peer


def has_both_ends(name: str) -> bool:
    """Whether no other connection has that name."""
    return _BETWEEN in name


def comes_from(name: str, peer: str) -> bool:
    """Whether a name by both ends has this one as its other end."""
    return name.endswith(f"{_BETWEEN}{peer}")
