"""Updates: how does what the manager says come into force, and onto the disk?"""

from collections.abc import Callable

import structlog

from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.host.host_state import HostState
from cloudgate.host.reconciler import Reconciler
from cloudgate.host.state.host_credentials import keep_credential
from cloudgate.host.state.paths import StatePaths
from cloudgate.protocol import Update
from cloudgate.trace_context import following, parse

KEEP_SECONDS = 5.0
"""How often it is tried to write down what a full disk did not take."""

_log = structlog.get_logger(__name__)


class Updates:
    """Takes what the manager says: what takes rights away holds even where no disk keeps it."""

    def __init__(
        self,
        paths: StatePaths,
        known: HostState,
        reconciler: Reconciler,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called when there may be something to report."""
        self._paths = paths
        self._known = known
        self._reconciler = reconciler
        self._on_change = on_change

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Writing down what the manager said",
            attempt=self.keep,
            interval_seconds=KEEP_SECONDS,
            longest_pause_seconds=KEEP_SECONDS,
        )

    def apply(self, update: Update) -> None:
        """Have it in force. What takes rights away holds, also where it cannot be kept.

        Raises:
            UnavailableError: something has to be said again, since it cannot be kept.
        """
        if update.directory is not None:
            with following(parse(update.directory_trace)):
                self._known.directory.apply(update.directory)
        if update.site is not None:
            self._known.site.replace(update.site)
        if update.assignment is not None:
            request = parse(update.assignment_trace)
            with following(request):
                _log.info("assignment received", revision=update.assignment.revision)
            self._reconciler.set_desired(update.assignment, request)
        problem = self._note_unkept()
        try:
            if update.credential is not None:
                keep_credential(self._paths, update.credential)
        except OSError as error:  # the one in use is good until this one was used
            problem = problem or error
            self._known.conditions.set_write_failure("state", error)
        finally:
            self._on_change()
        if problem is not None and (self._known.directory.is_behind or update.credential):
            raise UnavailableError(f"What the manager said cannot be kept: {problem}.")

    def keep(self) -> None:
        """Write down what is not on disk yet."""
        before = self._unkept()
        self._known.directory.keep()
        self._known.site.kept.keep()
        self._reconciler.kept.keep()
        if (self._note_unkept() is None) != (before is None):
            self._on_change()

    def _unkept(self) -> OSError | None:
        """Why something that is in force, or waits for it, is not on disk."""
        problems = (
            self._known.directory.problem,
            self._known.site.kept.problem,
            self._reconciler.kept.problem,
        )
        return next((each for each in problems if each is not None), None)

    def _note_unkept(self) -> OSError | None:
        problem = self._unkept()
        if problem is None:
            self._known.conditions.set("state", "")
        else:
            self._known.conditions.set_write_failure("state", problem)
        return problem
