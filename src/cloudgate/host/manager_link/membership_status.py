"""Membership status: does the manager still know this host, and by which credential?"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.host_state import HostState
from cloudgate.host.state.enrolment import Enrolment, keep_others, keep_role, load_enrolment
from cloudgate.host.state.host_credentials import HostCredentials
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.withdrawal_journal import TooLongError

REVOKED_ENTRY = "revoked"
"""Of the journal."""

_log = structlog.get_logger(__name__)


class MembershipStatus:
    """What the manager thinks of this host; that it was shut out holds over restarts."""

    def __init__(self, paths: StatePaths, known: HostState) -> None:
        self._paths = paths
        self._known = known
        self._credentials = HostCredentials(paths)
        self._others: tuple[str, ...] | None = None
        """As they are on disk; None while that was not looked at."""
        if known.journal is not None:
            known.gateway_status.is_revoked = bool(known.journal.get(REVOKED_ENTRY))

    def credential(self) -> str:
        """What to prove this host with now.

        Raises:
            NotFoundError: this host has not joined.
            UnavailableError: that cannot be read now.
        """
        return self._credentials.use()

    def refused(self) -> float | None:
        """The manager does not know it. In how many seconds to try another; None when none is."""
        return self._credentials.refused()

    def revoked(self) -> None:
        """Let nobody new in while the manager says so, also after a restart. Live tunnels go on."""
        if not self._known.gateway_status.is_revoked:
            _log.error("the manager has shut this host out; nobody new is let in")
        self._note_revoked(revoked=True)

    def record_answer(self) -> None:
        """The manager has answered, and so has not shut this host out."""
        if self._known.gateway_status.is_revoked:
            self._note_revoked(revoked=False)

    def accepted(self) -> None:
        """The manager knows this host by the credential in use."""
        self.record_answer()
        with self._said_where_not_kept():
            self._credentials.accepted()

    def note_role(self) -> Enrolment:
        """The manager has said its role; what does not is not taken for it from now on."""
        known = load_enrolment(self._paths)
        with self._said_where_not_kept():
            keep_role(self._paths, known)
        return known.model_copy(update={"manager_says_role": True})

    def note_managers(self, urls: tuple[str, ...]) -> None:
        """These are the managers now."""
        if urls == self._others:
            return
        with self._said_where_not_kept():
            known = load_enrolment(self._paths)
            if urls != known.others:
                keep_others(self._paths, known, urls)
            self._others = urls

    @contextmanager
    def _said_where_not_kept(self) -> Iterator[None]:
        """What the disk does not take, or show, is tried again at the manager's next answer."""
        try:
            yield
        except OSError as error:
            self._known.conditions.set_write_failure("state", error)
        except UnavailableError as error:
            _log.warning("what the manager says of this host is not kept", reason=error.message)

    def _note_revoked(self, *, revoked: bool) -> None:
        self._known.gateway_status.is_revoked = revoked
        journal = self._known.journal
        if journal is None:
            return
        try:
            journal.put(REVOKED_ENTRY, entry=revoked or None)
        except TooLongError:
            return  # the manager says it again after a restart
        except OSError as error:  # ENOSPC, EDQUOT, EROFS, EIO: the same
            self._known.conditions.set_write_failure("state", error)
