"""Enumeration: how does a sentence name things, however many there are? Pure."""

from collections.abc import Iterable

MOST = 5
"""So many are named, and the rest is counted: a site may have a thousand gateways."""


def few(
    things: Iterable[object], joint: str = ", ", *, most: int = MOST, total: int | None = None
) -> str:
    """The first of some things, and how many more there are; empty when there is none.

    Args:
        things: what is named, in the order in which a reader looks for it.
        joint: what stands between two.
        most: how many are named.
        total: how many there are, where `things` has only the first of them.
    """
    known = list(things)
    named = [str(each) for each in known[:most]]
    more = max(total or 0, len(known)) - len(named)
    return f"{joint.join(named)} and {more} more" if more > 0 else joint.join(named)
