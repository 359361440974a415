"""Id batches: how many ids are asked for by one query? Pure.

Databases take a limited number of parameters.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

AT_ONCE = 500

Id = TypeVar("Id")


def id_batches(ids: Sequence[Id]) -> Iterator[Sequence[Id]]:
    """The ids in their order, in pieces that one query takes."""
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
