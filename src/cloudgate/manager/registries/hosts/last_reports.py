"""Last reports: what has each host said last, besides figures, and is it the same again?"""

from threading import Lock
from uuid import UUID

from cloudgate.protocol import TOLD_ONCE, Report


class LastReports:
    """What hosts have said, as far as it was dealt with. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._said: dict[UUID, Report] = {}

    def keep(self, server_id: UUID, report: Report) -> None:
        """What a host has said was dealt with."""
        said = _without_figures(report)
        with self._lock:
            self._said[server_id] = said

    def is_repeated(self, server_id: UUID, report: Report) -> bool:
        """Whether a host says nothing but what it said before, besides figures."""
        if report.facts is not None or any(getattr(report, name) for name in TOLD_ONCE):
            return False
        with self._lock:
            known = self._said.get(server_id)
        return known is not None and known == _without_figures(report)

    def has_reported(self, server_id: UUID) -> bool:
        """Whether this manager has heard, since it began, how a host is."""
        with self._lock:
            return server_id in self._said

    def forget(self, server_id: UUID) -> None:
        """The host has said nothing."""
        with self._lock:
            self._said.pop(server_id, None)


def _without_figures(report: Report) -> Report:
    of_each = {"figures": None, "facts": None, "run": "", "number": 0}
    return report.model_copy(update={**of_each, **dict.fromkeys(TOLD_ONCE, ())})
