"""Logons: which logon session is in use, who logs on, and by what?"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Logon:
    """A logon session. Whoever has the id is logged on."""

    session_id: str

    @property
    def token(self) -> str:
        """What goes into the header X-RestSvcSessionId."""
        return base64.b64encode(self.session_id.encode()).decode()


class LogonStore(Protocol):
    """Remembers the logon session of one user at one manager."""

    def load(self) -> Logon | None:
        """The session that was kept last."""

    def keep(self, logon: Logon) -> None:
        """Put a session in the place of the one before."""

    def forget(self) -> None:
        """Keep no session any more."""


class LogonMemory:
    """A `LogonStore` that lasts as long as its client."""

    def __init__(self) -> None:
        self._logon: Logon | None = None

    def load(self) -> Logon | None:
        """The session that was kept last."""
        return self._logon

    def keep(self, logon: Logon) -> None:
        """Put a session in the place of the one before."""
        self._logon = logon

    def forget(self) -> None:
        """Keep no session any more."""
        self._logon = None


def _nothing() -> str | None:
    return None


@dataclass(frozen=True)
class LogonIdentity:
    """Who is asking, and by what the manager knows it. What is secret is asked for when needed."""

    user: str
    password: Callable[[], str]
    token: Callable[[], str | None] = _nothing
    """An API token; with one nobody logs on."""
    code: Callable[[], str | None] = _nothing
    """Of a second factor."""
    asked_code: Callable[[], str | None] = _nothing
    """The same, of somebody who is asked for it once the manager has not let in without."""
    is_tenant: bool = False
    """Whether it is a tenant, or its user, that logs on for itself."""
