"""Repeated requests: what did the same bytes mean when they came before?

A program that looks at something asks for it in the same words each time. What these say, to whom
they belong, and that they may ask for it follows from the bytes and from their session as it was
read: as long as both are the same, so is that. Whether session and answer are true still is looked
at each time.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from starlette.types import Scope

from cloudgate import trace_context
from cloudgate.api.http.response_cache import Key, ResponseCache
from cloudgate.manager.storage.tables import LogonSession

MOST = 4096
LONGEST = 4096
"""Characters of all that is said; what has more is read anew each time."""
_UNREAD = trace_context.HEADER.encode()
"""A header that is another one each time, and means nothing to an answer that is known."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a request that was answered from memory came to."""

    session: LogonSession
    """That it is of, and that may ask for it."""
    route: str
    """As it is metered."""
    answer: Key
    """Under which its answer is kept."""


class RepeatedRequests:
    """Knows what requests meant, and none of the secrets that they showed.

    Used on the event loop only.
    """

    def __init__(
        self, response_cache: ResponseCache, acts_still: Callable[[LogonSession, datetime], bool]
    ) -> None:
        """`response_cache` knows which sessions and answers are true.

        `acts_still`: whether what stood for the session of an API token would stand for it still.
        """
        self._response_cache = response_cache
        self._acts_still = acts_still
        self._known: OrderedDict[bytes, Meaning] = OrderedDict()

    def answer(self, scope: Scope, now: datetime) -> tuple[Response, Meaning] | None:
        """The answer to a request, if it came before and nothing has changed since."""
        if scope["method"] != "GET":
            return None
        words = _digest(scope)
        known = self._known.get(words)
        if known is None:
            return None
        response = None
        if self._asks_still(known.session, now):
            response = self._response_cache.answer(known.answer)
        if response is None:
            del self._known[words]  # the session holds rows, and another one may be read
            return None
        self._known.move_to_end(words)
        return response, known

    def keep(self, scope: Scope, meaning: Meaning, now: datetime) -> None:
        """Keep what a GET means, if it is short, and of a session that is known."""
        words = _digest(scope)
        if not words or not self._asks_still(meaning.session, now):
            return
        self._known[words] = meaning
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    def _asks_still(self, session: LogonSession, now: datetime) -> bool:
        if self._response_cache.session(session.id, now) is session:
            return True
        return self._acts_still(session, now)


def _digest(scope: Scope) -> bytes:
    """All of a GET that its meaning depends on; empty where that is long."""
    client = scope.get("client")
    words = (
        scope["scheme"],
        scope.get("server"),
        client and client[0],
        scope["path"],
        scope["query_string"],
        [header for header in scope["headers"] if header[0] != _UNREAD],
    )
    said = repr(words)
    return hashlib.sha256(said.encode()).digest() if len(said) <= LONGEST else b""
