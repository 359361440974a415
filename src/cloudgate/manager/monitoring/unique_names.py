"""Unique names: how are things that have one name told apart on a page? Pure.

Two series of one name would be one to Prometheus, or none.
"""

from collections.abc import Hashable, Iterator
from itertools import count


class UniqueNames:
    """Gives each thing a name that no other has."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, Hashable]] = set()

    def of(self, name: str, key: str, among: Hashable = "", *, is_shared: bool = False) -> str:
        """A thing's own name as far as nobody has it, or else with the beginning of its id.

        Args:
            name: what it is called.
            key: the digits of its id.
            among: where names are to be unique, such as a site.
            is_shared: whether others are called so, of which none is to have it alone: who is first
                today need not be tomorrow, and figures of one would go on as those of another.
        """
        choices = _choices(name, key)
        if is_shared:
            next(choices)
        found = next(each for each in choices if (each, among) not in self._taken)
        self._taken.add((found, among))
        return found


def _choices(name: str, key: str) -> Iterator[str]:
    yield name
    yield f"{name} ({key[:8]})"
    # Somebody may have been called so on purpose.
    yield from (f"{name} ({key}{'+' * number})" for number in count())
