"""Task timelines: when did each step of a change come, and at which server?

They are in memory while a task runs, and are kept with the task when it ends: a change that two
hundred hosts hear of is no two hundred more writes.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Any
from uuid import UUID

from cloudgate.protocol import ApplyDuration, Report, Update

MOST_TASKS = 500
"""That are remembered: a task that runs for so long that as many began meanwhile says less."""
MOST_STEPS = 600
"""Of one task: two for each of the first few hundred hosts."""


class StepName(StrEnum):
    """What happens to a change, in this order where nothing fails."""

    RECEIVED = "Received"
    """The request was there."""
    STARTED = "Started"
    """It was read and found right; its transaction began."""
    COMMITTED = "Committed"
    """The change is in the database."""
    TOLD = "Told"
    """A server was told of it."""
    APPLIED = "Applied"
    """The server has written it, and Envoy runs."""
    READ_BACK = "ReadBack"
    """Envoy says that it does what was asked for; or the server, that it has the tenants."""
    DIALLED = "Dialled"
    """The address that tenants use was tried."""
    FINISHED = "Finished"


@dataclass(frozen=True)
class Step:
    """One step of a change."""

    name: StepName
    at: datetime
    server_id: UUID | None = None
    """The managed server where it happened; None for the manager."""

    def document(self) -> dict[str, str]:
        """As it is kept."""
        found = {"name": self.name.value, "at": self.at.isoformat()}
        return {**found, "server": str(self.server_id)} if self.server_id else found


def read_steps(kept: Iterable[Mapping[str, str]]) -> tuple[Step, ...]:
    """The steps of a task that has ended."""
    return tuple(
        Step(
            StepName(each["name"]),
            datetime.fromisoformat(each["at"]),
            UUID(each["server"]) if "server" in each else None,
        )
        for each in kept
    )


@dataclass(frozen=True)
class RunningTask:
    """A task that runs, and what it waits for."""

    number: int
    trace: str
    """As a header, for those who do a part of it."""
    parent_id: str = ""
    """The span of whoever asked for it."""
    server_id: UUID | None = None
    """The managed server of the gateway."""
    site_id: UUID | None = None
    revision: int | None = None
    """Of the tenant directory."""


@dataclass(frozen=True)
class EndedTask:
    """A task that has ended, for those who keep traces."""

    number: int
    operation: str
    success: bool
    trace: str
    parent_id: str
    steps: tuple[Step, ...]


@dataclass
class _Timeline:
    begun: RunningTask
    steps: list[Step] = field(default_factory=list)
    seen: set[tuple[StepName, UUID | None]] = field(default_factory=set)
    has_ended: bool = False

    def add(self, name: StepName, at: datetime, server_id: UUID | None = None) -> None:
        if (name, server_id) in self.seen or len(self.steps) >= MOST_STEPS or self.has_ended:
            return
        self.seen.add((name, server_id))
        self.steps.append(Step(name, at, server_id))


class TaskTimelines:
    """The steps of the tasks that run. All methods may be called from any thread."""

    def __init__(self) -> None:
        self.on_end: Callable[[EndedTask], None] | None = None
        """Hears of tasks that have ended, once that is in the database."""
        self._lock = Lock()
        self._known: OrderedDict[int, _Timeline] = OrderedDict()

    def begin(self, begun: RunningTask, steps: Iterable[Step], at: datetime) -> None:
        """A task was written into the database."""
        with self._lock:
            found = self._known[begun.number] = _Timeline(begun)
            for step in steps:
                found.add(step.name, step.at)
            found.add(StepName.COMMITTED, at)
            while len(self._known) > MOST_TASKS:
                self._known.popitem(last=False)

    def steps(self, number: int) -> tuple[Step, ...]:
        """Those of a task so far."""
        with self._lock:
            found = self._known.get(number)
            return tuple(found.steps) if found else ()

    def parent(self, number: int) -> str:
        """The span of whoever asked for a task."""
        with self._lock:
            found = self._known.get(number)
            return found.begun.parent_id if found else ""

    def end(self, ended: EndedTask) -> None:
        """The end of a task was written into the database: nothing is added from now on."""
        with self._lock:
            found = self._known.get(ended.number)
            if found is not None:
                found.has_ended = True
        if self.on_end is not None:
            self.on_end(ended)

    def with_traces(self, server_id: UUID, site_id: UUID, update: Update, at: datetime) -> Update:
        """A server is about to be told: the news with the traces that they belong to."""
        traces: dict[str, Any] = {}
        with self._lock:
            for each in self._running():
                if update.assignment is not None and each.begun.server_id == server_id:
                    traces["assignment_trace"] = each.begun.trace
                    # What a new gateway has to know of tenants comes with it.
                    traces.setdefault("directory_trace", each.begun.trace)
                elif update.directory is not None and _covers(
                    each.begun, site_id, update.directory.revision
                ):
                    traces["directory_trace"] = each.begun.trace
                else:
                    continue
                each.add(StepName.TOLD, at, server_id)
        return update.model_copy(update=traces) if traces else update

    def reported(self, server_id: UUID, site_id: UUID, report: Report, at: datetime) -> None:
        """A server has said how far it is."""
        with self._lock:
            for each in self._running():
                if each.begun.server_id == server_id:
                    if report.took is not None:
                        _add_took(each, report.took, server_id, at)
                elif _covers(each.begun, site_id, report.directory_revision):
                    each.add(StepName.READ_BACK, at, server_id)

    def dialled(self, number: int, at: datetime) -> None:
        """The address of the gateway that a task is about was tried."""
        with self._lock:
            found = self._known.get(number)
            if found is not None:
                found.add(StepName.DIALLED, at)

    def _running(self) -> Iterable[_Timeline]:
        return [each for each in self._known.values() if not each.has_ended]


def _covers(begun: RunningTask, site_id: UUID, revision: int) -> bool:
    return begun.revision is not None and begun.site_id == site_id and begun.revision <= revision


def _add_took(timeline: _Timeline, took: ApplyDuration, server_id: UUID, at: datetime) -> None:
    """The server's own clock may be wrong: what it took is counted back from when it was heard."""
    told = next((each.at for each in timeline.steps if each.name is StepName.TOLD), None)
    applied_at = at - timedelta(seconds=took.read_back_seconds)
    timeline.add(StepName.APPLIED, max(applied_at, told) if told else applied_at, server_id)
    timeline.add(StepName.READ_BACK, at, server_id)
