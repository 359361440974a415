"""Tunnel tracker: which tunnels are live, and what did they carry?

What was read of the access log, and what was counted from it, are kept together in one file, so
that each line is counted once whenever this process is killed. Where that file is lost, the log is
read for who is in, and what it says of use counts as told: nobody is billed twice.
"""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from pydantic import BaseModel, ConfigDict, TypeAdapter

from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import (
    GOODBYE_SECONDS,
    AccessRecord,
    RecordType,
    parse_record,
    released_slot,
)
from cloudgate.host.access_log.tail import LogPosition, LogTail
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.state.conditions import Conditions
from cloudgate.host.state.files import read_or_backup, write_with_backup
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.tunnels.accounting import TotalUsage, Tunnel, TunnelTable
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.eviction import EvictionState, PoolEviction
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.usage_outbox import MAX_USAGE_BATCH, UsageOutbox
from cloudgate.protocol import Usage

CHECKPOINT_SECONDS = 5.0
"""How often what was counted is written down."""
MOST_READS = 16
"""Parts of the log that one look takes in, so that other work has its turn."""
TUNNELS_AT_ONCE = 200
"""That are written together."""
_LOST = (
    "How far its access log was counted was lost: what tenants used shortly before its host service"
    " was started is not billed, so that nothing is billed twice."
)
_GOODBYE = timedelta(seconds=GOODBYE_SECONDS)
_log = structlog.get_logger(__name__)


_TUNNELS = TypeAdapter(tuple[Tunnel, ...], config=ConfigDict(defer_build=True))


class _Checkpoint(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    inode: int = 0
    offset_bytes: int = 0
    live: tuple[Tunnel, ...] = ()
    used: tuple[Usage, ...] = ()
    batch: str = ""
    batched: tuple[Usage, ...] = ()
    misplaced: EvictionState = EvictionState()
    lost: dict[str, tuple[int, int]] = {}


@dataclass(frozen=True)
class EndedTunnel:
    """A tunnel that has ended, and how long ago."""

    tunnel: Tunnel
    ago: timedelta
    """How long that was before its line was read, by the machine's clock."""


class TunnelTracker:
    """Knows the live tunnels by the access log, and counts their use."""

    def __init__(
        self,
        paths: StatePaths,
        envoys: EnvoyProcesses,
        *,
        slots: TunnelSlots,
        closer: TunnelCloser,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        conditions: Conditions | None = None,
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = paths.usage
        self._envoys = envoys
        self._slots = slots
        self._closer = closer
        self._now = now
        self._clock_seconds = clock_seconds
        self._conditions = conditions or Conditions()
        found = _read(paths)
        self._was_counted = found is None and _has_lines(paths)
        """Whether what is read was counted already, as far as anybody knows."""
        if self._was_counted:
            self._conditions.set("lost usage", _LOST)
            _log.error("how far the access log was counted is lost", path=str(paths.usage))
        kept = found or _Checkpoint()
        position = LogPosition(kept.inode, kept.offset_bytes) if kept.inode else None
        self._follower = LogTail(paths.access_log, position)
        self._tunnels = TunnelTable(kept.live, kept.used, kept.lost)
        self._heard_at_seconds: dict[str, float] = {}
        """By tunnel: when this process has read a line of it last."""
        self.usage = UsageOutbox(
            self._tunnels, self.checkpoint, self._now, kept.batch, kept.batched
        )
        """What the manager has not heard yet."""
        self._kept = found
        """As it is on disk."""
        self.eviction = PoolEviction(kept.misplaced)
        """Of those that have no place here; it is written down with all that was counted."""
        self.problem: UnavailableError | None = None
        """What kept the last look from seeing all that it should."""
        self.usage.is_closed = self._was_counted
        self._ended: list[EndedTunnel] = []
        self._ended_slots: list[str] = []
        for tunnel in kept.live:
            slots.confirm(tunnel.slot_id, tunnel.tenant_id)

    @property
    def live(self) -> tuple[Tunnel, ...]:
        """The live tunnels; a new one is seen within a second."""
        return self._tunnels.live

    @property
    def is_certain(self) -> bool:
        """Whether who is in is known: while the log is read anew it may not be."""
        return not self._was_counted

    @property
    def total(self) -> TotalUsage:
        """What was counted since this process began, of all tenants together."""
        return self._tunnels.total

    def lift_restore_only(self) -> None:
        """Maintenance is over: its tunnels are like all others from now on."""
        self._tunnels.lift_restore_only()

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Writing down what tenants use",
            attempt=self._keep,
            interval_seconds=CHECKPOINT_SECONDS,
            longest_pause_seconds=CHECKPOINT_SECONDS,
        )

    def _keep(self) -> None:
        self.checkpoint()  # which says itself when it cannot

    def poll(self) -> None:
        """Take in what is new, and say which slots are in use."""
        self.problem = None
        self.read()
        self._slots.retain({tunnel.slot_id for tunnel in self._tunnels.live})

    def silent(self, seconds: float) -> list[Tunnel]:
        """Live tunnels of which there was no line for so long.

        None while there may be lines that were not read.
        """
        self.poll()
        if self.problem or not self._follower.is_at_end or not self.is_certain:
            return []
        now, heard = self._clock_seconds(), self._heard_at_seconds
        # Those that were live before this process began may have been heard just before.
        self._heard_at_seconds = {each.tunnel: heard.get(each.tunnel, now) for each in self.live}
        before = now - seconds
        return [each for each in self.live if self._heard_at_seconds[each.tunnel] <= before]

    def end_lost(self, tunnels: Collection[str]) -> None:
        """These have ended, and no line says so: their slots come back."""
        for each in self._tunnels.end_lost(tunnels):
            if each.slot_id:
                self._release(each.slot_id)

    def read(self) -> bool:
        """Take in what is new, `MOST_READS` parts at most. Whether the log could be read."""
        for _ in range(MOST_READS):
            # Who ends after that is gone for the next look, which has its last lines.
            running = self._envoys.labels
            try:
                lines = self._follower.read()
            except OSError as error:
                self.problem = UnavailableError(f"The access log cannot be read: {error.strerror}.")
                return False
            self._take_in_part(lines, running)
            if not lines or self._follower.is_at_end:
                break
        return True

    def _take_in_part(self, lines: list[str], running: set[str]) -> None:
        """`running`: the marks of the Envoys that ran before these lines were read."""
        self.usage.is_closed = not self._follower.is_at_end
        now = self._now()
        entries = [entry for line in lines if (entry := self._take_in(line, now)) is not None]
        if self._tunnels.live and self._follower.is_at_end:
            # Earlier, later lines of an Envoy that is gone would begin its tunnels again.
            self._tunnels.keep_only(running | self._envoys.labels)
        if self._was_counted:
            self._tunnels.drain_usage()
            self._tunnels.total = TotalUsage()
            self._was_counted = not self._follower.is_at_end
        torn = [each for each in entries if _was_just_torn(each, now)]
        if torn:
            self._closer.tear(torn, {tunnel.client_connection for tunnel in self._tunnels.live})

    def _take_in(self, line: str, now: datetime) -> AccessRecord | None:
        entry = parse_record(line)
        if entry is None:
            self._take_in_failed(line)
            return None
        after = self._tunnels.apply(entry, now)
        slot_id = entry.metadata.slot_id
        self._slots.note_logged(entry.client, slot_id)
        if entry.ended_at is not None:
            self._ended.append(EndedTunnel(after, now - entry.ended_at))
        if entry.kind is not RecordType.ENDED:
            self._heard_at_seconds[entry.tunnel] = self._clock_seconds()
            self._slots.confirm(slot_id, entry.metadata.tenant_id)
            return entry
        self._heard_at_seconds.pop(entry.tunnel, None)
        if slot_id:
            self._release(slot_id)
        return entry

    def _take_in_failed(self, line: str) -> None:
        """Who was let in and got no tunnel, as its target did not answer, has the slot no more."""
        released = released_slot(line)
        if released is not None:
            self._slots.note_logged(released.client, released.slot_id)
            self._release(released.slot_id)

    def _release(self, slot_id: str) -> None:
        self._slots.release(slot_id)
        self._ended_slots.append(slot_id)

    def take_ended(self) -> tuple[list[EndedTunnel], list[str]]:
        """The tunnels that have ended since the last time, and all slots that came back."""
        ended, self._ended = self._ended, []
        slots, self._ended_slots = self._ended_slots, []
        return ended, slots

    def checkpoint(self) -> bool:
        """Write down what was counted, if anything is new. Whether that is on disk now."""
        if self._was_counted:
            return False  # killed now, the next one has to begin anew
        if len(self._tunnels.usage) > MAX_USAGE_BATCH:
            self._tunnels.compact(self._now())
        position = self._follower.position
        kept = _Checkpoint(
            inode=position.inode if position else 0,
            offset_bytes=position.offset_bytes if position else 0,
            live=self._tunnels.live,
            used=self._tunnels.usage,
            batch=self.usage.batch,
            batched=self.usage.batched,
            misplaced=self.eviction.state,
            lost=self._tunnels.lost,
        )
        if kept == self._kept:
            return True
        try:
            write_with_backup(self._path, _pieces(kept))
        except OSError as error:
            _log.warning("what tenants used cannot be written down", reason=str(error))
            self._conditions.set_write_failure("usage", error)
            return False
        self._conditions.set("usage", "")
        self._kept = kept
        return True


def _pieces(kept: _Checkpoint) -> Iterator[bytes]:
    """Its JSON, some tunnels at a time: as one text it would have megabytes."""
    yield kept.model_dump_json(exclude={"live"}).encode().removesuffix(b"}")
    yield b',"live":['
    for first in range(0, len(kept.live), TUNNELS_AT_ONCE):
        tunnels = kept.live[first : first + TUNNELS_AT_ONCE]
        yield (b"," if first else b"") + _TUNNELS.dump_json(tunnels, by_alias=True)[1:-1]
    yield b"]}"


def _was_just_torn(entry: AccessRecord, now: datetime) -> bool:
    return entry.is_torn and entry.ended_at is not None and now - entry.ended_at < _GOODBYE


def _read(paths: StatePaths) -> _Checkpoint | None:
    """What was written down; None when there is none."""
    return read_or_backup(paths.usage, _Checkpoint.model_validate_json)


def _has_lines(paths: StatePaths) -> bool:
    """Whether there was a gateway before: a host service writes down what it counted at once."""
    log = paths.access_log
    return any(each.stat().st_size for each in log.parent.glob(f"{log.name}*"))
