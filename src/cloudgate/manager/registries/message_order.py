"""Message order: did a host's word come after a newer one of its kind?

A host that gives up on a line says on another one how it is now. What it had written on the first
goes on to be sent by the kernels on the way, and would take back what is known of the host.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from cloudgate.protocol import DemandReport, Report

HEARD_WITHIN = timedelta(minutes=1)
"""A host says something newer several times a minute. Without that an older word is believed: its
machine may have been put back, with its memory, to what it was before."""

MOST_RUNS = 8
"""Of a host, that are remembered to have ended."""


@dataclass(frozen=True)
class _Newest:
    run: str
    number: int
    at: datetime
    before: Mapping[str, datetime] = field(default_factory=dict)
    """Runs that ended, with when each was followed; of the last `HEARD_WITHIN`."""


class MessageOrder:
    """The newest that each host has said, by the kind of message. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._newest: dict[UUID, dict[type[Report | DemandReport], _Newest]] = {}

    def is_late(self, server_id: UUID, message: Report | DemandReport, now: datetime) -> bool:
        """Whether a newer one was heard before. If not, this is the newest from now on.

        A host of the release before does not number what it says: it is heard as it comes.
        """
        if not message.run:
            return False
        with self._lock:
            of_host = self._newest.setdefault(server_id, {})
            newest = of_host.get(type(message))
            if newest is not None and _precedes(message, newest, now):
                return True
            of_host[type(message)] = _Newest(
                message.run, message.number, now, _ended_runs(newest, message.run, now)
            )
            return False

    def forget(self, server_id: UUID) -> None:
        """The host has said nothing."""
        with self._lock:
            self._newest.pop(server_id, None)


def _precedes(message: Report | DemandReport, newest: _Newest, now: datetime) -> bool:
    """Whether it was said before the newest, of the same run of a host's service or an earlier."""
    if newest.run == message.run:
        return newest.number > message.number and abs(now - newest.at) < HEARD_WITHIN
    ended_at = newest.before.get(message.run)
    return ended_at is not None and abs(now - ended_at) < HEARD_WITHIN


def _ended_runs(newest: _Newest | None, run: str, now: datetime) -> Mapping[str, datetime]:
    if newest is None:
        return {}
    ended = newest.before if newest.run == run else {**newest.before, newest.run: now}
    recent = {each: at for each, at in ended.items() if abs(now - at) < HEARD_WITHIN}
    return dict(list(recent.items())[-MOST_RUNS:])
