"""Exchange: what is sent to a manager, what comes back, and what else may a step wait for?

Whatever is done with a manager is a generator of steps: it yields what it wants, and is sent what
came of it. It touches no socket and no clock, so the same statement serves drivers that block and
drivers that do not: `blocking` and `asynchronous`.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from cloudgate.client.core.kinds import Json
from cloudgate.client.core.logons import Logon

T = TypeVar("T")
LONGEST_RETRY_AFTER_SECONDS = 10**9
"""What a manager, or who answers in its place, may want; a longer one is as none."""


@dataclass(frozen=True)
class Request:
    """What is sent to the manager: with a session, a name and password, or an API token."""

    verb: str
    path: str
    """Below ``/api``."""
    body: Json | None = None
    logon: Logon | None = None
    user: tuple[str, str] | None = None
    token: str | None = None
    code: str | None = None
    """Of a second factor."""
    tag: str | None = None
    """Of what the sender has seen: the change is made to that and to nothing newer."""
    url: str = ""
    """Of the manager that is meant, without ``/api``."""
    timeout_seconds: float | None = None
    """How long an answer may take, where that is not the usual time."""
    at_most_seconds: float | None = None
    """How long whoever asks has for it, where that is less."""

    def to(self, url: str) -> Self:
        """The same for the manager at an address."""
        return replace(self, url=url)

    def patience_seconds(self, usual_seconds: float) -> float:
        """How long its answer is waited for."""
        seconds = self.timeout_seconds or usual_seconds
        return seconds if self.at_most_seconds is None else min(seconds, self.at_most_seconds)


@dataclass(frozen=True)
class Reply:
    """What came back, whatever it is."""

    status: int
    text: str
    location: str = ""
    tag: str = ""
    retry_after: str = ""


@dataclass(frozen=True)
class Answer:
    """What the manager has answered to a request that it took."""

    status: int
    text: str
    """The body as it came."""
    body: Json
    """The same, read; empty when there was none."""
    location: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Delay:
    """A time in which nothing is to be done."""

    seconds: float


@dataclass(frozen=True)
class CriticalSection:
    """Steps of which one run may be under way at a time: whoever comes meanwhile waits."""

    steps: "Steps[Any]"


Wanted = Request | Delay | CriticalSection
Steps = Generator[Wanted, Any, T]
"""Yields what it wants. For a request it is sent the `Reply`, or an `UnavailableError` is thrown
into it; for `CriticalSection` what these steps return, or what they raise; for a pause nothing."""
