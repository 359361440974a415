"""Manager connection: how is something told again and again, however long the manager is away?"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import structlog

from cloudgate.errors import (
    CloudgateError,
    NotAuthenticatedError,
    RevokedError,
    UnavailableError,
)
from cloudgate.host.manager_link.addresses import ManagerAddresses
from cloudgate.host.manager_link.client import ManagerClient
from cloudgate.host.manager_link.membership_status import MembershipStatus
from cloudgate.host.state.enrolment import Enrolment, load_enrolment
from cloudgate.host.state.paths import StatePaths
from cloudgate.values.backoff import doubled

LONGEST_PAUSE_SECONDS = 5.0
"""Between two attempts to reach a manager that is away."""
REVOKED_PAUSE_SECONDS = 30.0
"""Between two attempts with a credential that the manager did not accept."""
FIRST_PAUSE_SECONDS = 0.2

_log = structlog.get_logger(__name__)


class Backoff:
    """Pauses that grow, of random length, so that hosts do not return all at once."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failures = 0

    @property
    def is_new(self) -> bool:
        """Whether the last failure was the first of its series; the others need no words."""
        return self._failures == 1

    def success(self) -> bool:
        """Start anew. Whether there were failures before."""
        failed, self._failures = self._failures > 0, 0
        return failed

    def pause_seconds(self, error: CloudgateError) -> float:
        """How long to wait after one more failure."""
        self._failures += 1
        if isinstance(error, NotAuthenticatedError):
            return REVOKED_PAUSE_SECONDS
        longest = doubled(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, self._failures + 1)
        return longest * self._chance()


Step = Callable[[ManagerClient, Backoff], Coroutine[Any, Any, None]]
"""What is said to the manager, and made of its answer; done again at once when it has returned."""


class ManagerConnection:
    """Repeats steps for ever, each on a connection of its own."""

    def __init__(
        self, paths: StatePaths, standing: MembershipStatus, on_time: Callable[[datetime], None]
    ) -> None:
        """`on_time` is told the manager's time with each answer."""
        self._paths = paths
        self._standing = standing
        self._on_time = on_time
        self.addresses = ManagerAddresses()
        self._joined_at = ""

    def learn(self, managers: tuple[str, ...]) -> None:
        """These may be asked besides the one that the host has joined at."""
        self.addresses.choose((self._joined_at, *managers))

    async def repeat(self, step: Step, *, tries_credentials: bool = False) -> None:
        """Take a step again and again.

        `tries_credentials`: whether another credential is tried where the one in use is refused;
        one step decides that for all.
        """
        backoff = Backoff()
        while True:
            try:
                await self._connected(step, backoff)
            except CloudgateError as error:
                if isinstance(error, RevokedError):
                    self._standing.revoked()
                pause_seconds = backoff.pause_seconds(error)
                if tries_credentials and isinstance(error, NotAuthenticatedError):
                    pause_seconds = self._standing.refused() or pause_seconds
                if backoff.is_new or isinstance(error, NotAuthenticatedError):
                    _log_failure(error)
                await asyncio.sleep(pause_seconds)

    def connected(self) -> ManagerClient:
        """A connection for something that is said once; used by ``async with``."""
        known = load_enrolment(self._paths)
        return self._client(known, self.addresses.choose((known.url, *known.others)))

    def _client(self, known: Enrolment, url: str) -> ManagerClient:
        return ManagerClient(
            url,
            known.ca_pem,
            self._standing.credential,
            self._on_time,
            says_role=known.manager_says_role,
            server_id=known.server_id,
        )

    async def _connected(self, step: Step, backoff: Backoff) -> None:
        # Read anew after each failure: the host may have joined again.
        known = load_enrolment(self._paths)
        self._joined_at = known.url
        url = self.addresses.choose((known.url, *known.others))
        async with self._client(known, url) as client:
            while await self._took(step(client, backoff), url):
                if client.says_role and not known.manager_says_role:
                    known = self._standing.note_role()

    async def _took(self, taking: Coroutine[Any, Any, None], url: str) -> bool:
        """Whether a step was taken; not where another manager is spoken with meanwhile."""
        if not self.addresses.are_several:
            await taking
            return True
        step = asyncio.ensure_future(taking)
        leaving = asyncio.ensure_future(self.addresses.left(url))
        try:
            await asyncio.wait({step, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                return False
            step.result()
        except UnavailableError:
            self.addresses.failed(url)
            raise
        finally:
            for each in (step, leaving):
                each.cancel()
            await asyncio.wait({step, leaving})
        self.addresses.stay()
        return True


def _log_failure(error: CloudgateError) -> None:
    if isinstance(error, NotAuthenticatedError):
        _log.error(
            "the manager does not accept this host any more; the gateway goes on as it is. "
            "Run `cloudgate host join` to join again",
            reason=error.message,
        )
    else:
        _log.warning("no line to the manager", reason=error.message)
