"""Lookups: which addresses has a name, and who waits while its name server is silent?

getaddrinfo(3) takes as long as name servers are silent, half a minute perhaps, and nothing ends it.
So it has threads of its own: an event loop's, which are few, would soon be left to nobody else, and
the end of a process waits for them.
"""

import asyncio
import errno
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from cloudgate.network import hostport

MOST_AT_ONCE = 64
"""Names that a process looks up at a time for itself. A thread that waits costs next to nothing."""
_NOBODY_ANSWERS = (socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY)

Find = Callable[[str, int], list[str]]


def nobody_answers(problem: OSError) -> bool:
    """Whether a lookup has failed by no name server's word: that says nothing of the name. Pure."""
    return isinstance(problem, socket.gaierror) and problem.errno in _NOBODY_ANSWERS


def ask_the_system(host: str, port: int) -> list[str]:
    """The IP addresses of a host, the best first, by getaddrinfo(3). Blocks.

    Raises:
        socket.gaierror: it has none, or nobody knows.
        OSError: EMFILE and the like: nobody was asked.
        UnicodeError: DNS could have no such name.
    """
    listed = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in listed]


@dataclass(frozen=True, eq=False)
class _Lookup:
    host: str
    port: int
    answers: list[Future[list[str]]] = field(default_factory=list)
    """Of each who waits."""


class Lookups:
    """Looks up names for any number of event loops, in threads that keep no process from its end.

    A name is looked up once at a time, however many ask: one whose name server is dead takes one
    of the threads, and leaves the others to other names.
    """

    def __init__(self, most_at_once: int = MOST_AT_ONCE, find: Find = ask_the_system) -> None:
        """`find`: the addresses of a host and port; it blocks, and raises what it likes."""
        self._most_at_once = most_at_once
        self._find = find
        self._lock = threading.Lock()
        self._threads = 0
        self._waiting: deque[_Lookup] = deque()
        self._under_way: dict[tuple[str, int], _Lookup] = {}

    async def look_up(self, host: str, port: int) -> list[str]:
        """The IP addresses of a host name or IP address. Cancel it to give up.

        Raises:
            OSError, UnicodeError: as `ask_the_system`.
        """
        if hostport.is_address(host):
            return self._find(host, port)  # which asks nobody, and waits for no thread
        return await asyncio.wrap_future(self._answer_to(host, port))

    def _answer_to(self, host: str, port: int) -> Future[list[str]]:
        answer: Future[list[str]] = Future()
        with self._lock:
            lookup = self._under_way.get((host, port)) or self._begin(_Lookup(host, port))
            lookup.answers.append(answer)
        return answer

    def _begin(self, lookup: _Lookup) -> _Lookup:
        if self._threads < self._most_at_once:
            try:
                # No ThreadPoolExecutor: the interpreter waits for its threads before it ends.
                threading.Thread(target=self._work, name="lookup", daemon=True).start()
            except RuntimeError as problem:  # there are as many as the system allows
                raise OSError(errno.ENOMEM, str(problem)) from None
            self._threads += 1
        self._under_way[lookup.host, lookup.port] = lookup
        self._waiting.append(lookup)
        return lookup

    def _work(self) -> None:
        while (lookup := self._next()) is not None:
            found: list[str] = []
            problem = None
            try:
                found = self._find(lookup.host, lookup.port)
            except Exception as error:  # noqa: BLE001  it is raised where somebody waits
                problem = error
            with self._lock:
                del self._under_way[lookup.host, lookup.port]
            for answer in lookup.answers:
                if not answer.set_running_or_notify_cancel():
                    continue
                if problem is None:
                    answer.set_result(found)
                else:
                    answer.set_exception(problem)

    def _next(self) -> _Lookup | None:
        """One that somebody waits for; without any the thread that asks is to end."""
        with self._lock:
            while self._waiting:
                lookup = self._waiting.popleft()
                if not all(each.cancelled() for each in lookup.answers):
                    return lookup
                del self._under_way[lookup.host, lookup.port]
            self._threads -= 1
            return None


LOOKUPS = Lookups()
"""Of this process, for what it dials itself."""
