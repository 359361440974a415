"""Retries: may a request be sent again, to whom, and when? Pure.

Sent again is what cannot have been carried out: what reached nobody, and what was refused because
there was too much else (429). What may have been carried out is sent again only where that means
nothing, which is reading.
"""

from dataclasses import dataclass
from http import HTTPStatus

from cloudgate.client.core.exchange import LONGEST_RETRY_AFTER_SECONDS, Reply, Request
from cloudgate.errors import UnavailableError
from cloudgate.values.backoff import doubled
from cloudgate.values.numbers import whole

_FIRST_SECONDS = 0.2
_USUAL_SECONDS = 2.0
"""The longest pause where the manager says nothing else: another one leads within 8 seconds."""
_SAFE = frozenset({"GET", "HEAD"})
"""Verbs that change nothing (RFC 9110, 9.2.1)."""


class UnreachedError(UnavailableError):
    """No connection was made, so nothing was asked."""


class UntrustedError(UnavailableError):
    """What answers has not shown that it is the manager; nothing was sent to it."""


@dataclass(frozen=True)
class Retries:
    """How much is done for an answer before it is said that there is none."""

    most: int = 8
    """How often one request is sent again, after each address was tried."""
    longest_pause_seconds: float = 30.0

    def pause_seconds(self, number: int, said: str = "") -> float | None:
        """How long to wait before the retry of a number, from 0; None when there is none.

        `said` is what the manager wants, as Retry-After has it (RFC 9110, 10.2.3): seconds.
        """
        if number >= self.most:
            return None
        usual = doubled(_FIRST_SECONDS, _USUAL_SECONDS, number + 1)
        wanted = whole(said, 0, LONGEST_RETRY_AFTER_SECONDS)
        return min(usual if wanted is None else wanted, self.longest_pause_seconds)


NONE = Retries(most=0)


def may_follow_reply(request: Request, reply: Reply) -> bool:
    """Whether a request may be sent again after that answer."""
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return reply.status == HTTPStatus.SERVICE_UNAVAILABLE and _means_nothing_twice(request)


def may_follow_problem(request: Request, problem: UnavailableError) -> bool:
    """Whether a request may be sent again that got no answer."""
    if isinstance(problem, UntrustedError):
        return False
    return isinstance(problem, UnreachedError) or _means_nothing_twice(request)


def _means_nothing_twice(request: Request) -> bool:
    """A logon, too: what it has made, and nobody knows of, ends by itself."""
    return request.verb in _SAFE or (request.user is not None and request.verb == "POST")
