"""Linux descriptors: which descriptor of Envoy is which connection?

A connection has a name that no other has, and others that it may share: then the one is meant that
was looked at last. The kernel gives a new connection the lowest number that is free, so one that is
new is looked for among those that were free, and those that were free a moment ago; only when it is
not there are all of them looked at.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from itertools import islice
from socket import socket

_RECENT = 64
"""Numbers that changed hands last are looked at first."""
_FREE = 64
"""So many numbers are looked at that were free, or beyond the highest that is known."""
_MISSED_SECONDS = 1.0
"""How long somebody who was not there is not looked for among all again."""

Copy = Callable[[int], int | None]
"""A copy of a descriptor; None when there is none of that number."""
AsSocket = Callable[[int], socket | None]
"""The socket with a descriptor of this process; None when it is something else, which is closed."""
Names = Callable[[socket], Sequence[str]]


class Descriptors:
    """The descriptors of one process's connections."""

    _copy: Copy
    _as_socket: AsSocket

    def __init__(
        self, names_of: Names, clock_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """`names_of`: of a connection, first the one of its own; none when it is none."""
        self._names_of = names_of
        self._clock_seconds = clock_seconds
        self._names: dict[int, Sequence[str]] = {}
        self._at: dict[str, int] = {}
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._missed: dict[str, float] = {}

    def each(
        self,
        names: Collection[str],
        copy: Copy,
        as_socket: AsSocket,
        all_of_them: Callable[[], Iterable[int]],
    ) -> Iterator[tuple[str, socket]]:
        """The connections with these names that are there; each is closed after its turn.

        Args:
            names: of the connections.
            copy: copies a descriptor.
            as_socket: makes a socket of a copy.
            all_of_them: the numbers of the process's sockets, where all have to be looked at.
        """
        self._copy, self._as_socket = copy, as_socket
        unknown = set(names) - self._at.keys()
        if unknown:
            self._find(unknown, all_of_them)
        gone = []
        for name in names:
            number = self._at.get(name)
            if number is None:
                continue
            copied = copy(number)
            connection = None if copied is None else as_socket(copied)
            if connection is None:
                gone.append(number)
                continue
            with connection:
                if name in self._names_of(connection):
                    yield name, connection
                else:
                    gone.append(number)  # another connection has the number now
        self._forget_numbers(gone)

    def own_name(
        self,
        name: str,
        copy: Copy,
        as_socket: AsSocket,
        all_of_them: Callable[[], Iterable[int]],
        *,
        is_meant: Callable[[str], bool],
        known: Container[str],
    ) -> str | None:
        """The name of its own of one of those that share a name; None when none is found.

        Args:
            name: that several may have.
            copy: as for `each`, like what follows.
            as_socket: makes a socket of a copy.
            all_of_them: the numbers of the process's sockets.
            is_meant: whether a connection with this name of its own may be the one.
            known: names of their own; another one, if it is new, is preferred to these.
        """
        found = [
            self._names_of(connection)[0]
            for _, connection in self.each([name], copy, as_socket, all_of_them)
        ]
        if not found:
            return None
        meant = next(filter(is_meant, found), None)
        if meant is not None and meant not in known:
            return meant
        for number in self._likely():
            self._refresh(number)
            names = self._names.get(number, ())
            if name in names and is_meant(names[0]) and names[0] not in known:
                return names[0]
        return meant

    def forget(self, names: Iterable[str]) -> None:
        """These connections are over."""
        self._forget_numbers([self._at[name] for name in names if name in self._at])

    def _forget_numbers(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._drop(number)
            self._recent.append(number)

    def _find(self, wanted: set[str], all_of_them: Callable[[], Iterable[int]]) -> None:
        for number in self._likely():
            self._refresh(number)
            wanted -= self._at.keys()
            if not wanted:
                return
        now = self._clock_seconds()
        self._missed = {name: at for name, at in self._missed.items() if now - at < _MISSED_SECONDS}
        if wanted <= self._missed.keys():
            return
        for number in all_of_them():
            self._refresh(number)
        self._missed |= dict.fromkeys(wanted - self._at.keys(), now)

    def _likely(self) -> list[int]:
        known = self._names
        recent = list(dict.fromkeys(reversed(self._recent)))
        beyond = max(known, default=0) + _FREE
        free = islice((number for number in range(beyond) if number not in known), 2 * _FREE)
        return list(dict.fromkeys((*recent, *free)))

    def _refresh(self, number: int) -> None:
        self._drop(number)
        copied = self._copy(number)
        if copied is None:
            return
        connection = self._as_socket(copied)
        if connection is None:  # a file, or what Envoy waits with
            self._names[number] = ()
            return
        with connection:
            names = self._names_of(connection)
        self._names[number] = names
        for name in names:
            self._at[name] = number

    def _drop(self, number: int) -> None:
        for name in self._names.pop(number, ()):
            if self._at.get(name) == number:
                del self._at[name]
