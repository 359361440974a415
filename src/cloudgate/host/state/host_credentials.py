"""Host credentials: what does this host prove itself with, and what if that is not known?

The manager replaces the credential every day. When an older database is put back there, it knows
one of before; so those are kept for a while, and tried when the newest is refused. To a manager
that has replaced them they are worth nothing.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from pydantic import AwareDatetime, BaseModel, TypeAdapter

from cloudgate.host.state.enrolment import load_enrolment, write_credential
from cloudgate.host.state.files import read_or_backup, write_mirrored
from cloudgate.host.state.paths import StatePaths

KEPT_FOR = timedelta(days=31)
"""How long a credential is kept after another took its place: as old as a backup may be."""
MOST_KEPT = 64
AGAIN_SECONDS = 600.0
"""How long after all of them were refused they are tried again; the newest is, all the time."""
NEXT_SECONDS = 1.0
"""How long after one was refused the next is tried."""

_log = structlog.get_logger(__name__)


class _FormerCredential(BaseModel):
    credential: str
    replaced_at: AwareDatetime


_FORMER = TypeAdapter(tuple[_FormerCredential, ...])


class HostCredentials:
    """The credential in use, and those to fall back on."""

    def __init__(
        self, paths: StatePaths, clock_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._paths = paths
        self._clock_seconds = clock_seconds
        self._newest = ""
        self._tried = 0
        self._all_refused_at: float | None = None

    def use(self) -> str:
        """What to prove this host with now.

        Raises:
            NotFoundError: this host has not joined.
            UnavailableError: that cannot be read now.
        """
        newest = load_enrolment(self._paths).credential
        if newest != self._newest:  # the host may have joined again
            self._newest, self._tried, self._all_refused_at = newest, 0, None
        former = former_credentials(self._paths) if self._tried else ()
        return former[self._tried - 1] if 0 < self._tried <= len(former) else newest

    def refused(self) -> float | None:
        """The manager does not know it. In how many seconds to try another; None when none is.

        Raises:
            UnavailableError: those of before cannot be read now.
        """
        since = self._all_refused_at
        if since is not None and self._clock_seconds() - since < AGAIN_SECONDS:
            return None
        if self._tried >= len(former_credentials(self._paths)):
            self._tried, self._all_refused_at = 0, self._clock_seconds()
            return None
        self._tried += 1
        return NEXT_SECONDS

    def accepted(self) -> None:
        """The manager knows it; from now on it is the newest.

        Raises:
            OSError: that cannot be written down.
            UnavailableError: what there is cannot be read now.
        """
        self._all_refused_at = None
        if self._tried:
            found = self.use()
            _log.warning("the manager knows this host by a credential of before only")
            keep_credential(self._paths, found)


def keep_credential(paths: StatePaths, credential: str) -> None:
    """Prove who this host is with `credential` from now on, and keep the one of before for a while.

    Raises:
        OSError: it cannot be written down.
        UnavailableError: those of before cannot be read now, and would be lost.
    """
    now = datetime.now(UTC)
    before = load_enrolment(paths).credential
    kept = [_FormerCredential(credential=before, replaced_at=now), *_read(paths)]
    young = [
        each for each in kept if each.credential != credential and now - each.replaced_at < KEPT_FOR
    ]
    write_mirrored(paths.former_credentials, _FORMER.dump_json(tuple(young[:MOST_KEPT])).decode())
    write_credential(paths, credential)


def former_credentials(paths: StatePaths) -> Sequence[str]:
    """Those of before, the newest first."""
    return tuple(each.credential for each in _read(paths))


def _read(paths: StatePaths) -> Sequence[_FormerCredential]:
    return read_or_backup(paths.former_credentials, _FORMER.validate_json) or ()
