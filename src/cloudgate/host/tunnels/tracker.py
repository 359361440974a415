"""Tunnel tracker: which tunnels are live, and which must end?

What was read of the access log, and what was counted from it, are kept together in one file, so
that each line is counted once whenever this process is killed. Where that file is lost, the log is
read for who is in, and what it says of use counts as told: nobody is billed twice.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog
from pydantic import BaseModel

from cloudgate import protocol
from cloudgate.background import Background, Job
from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import (
    GOODBYE_SECONDS,
    AccessRecord,
    RecordType,
    parse_record,
    released_slot,
)
from cloudgate.host.access_log.tail import LogTail, Position
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.platform import close_connections
from cloudgate.host.state.conditions import Conditions
from cloudgate.host.state.files import read_or_backup, write_with_backup
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.accounting import Tunnel, TunnelTable
from cloudgate.host.tunnels.eviction import EvictionState as Misplaced
from cloudgate.host.tunnels.eviction import PoolEviction
from cloudgate.host.tunnels.revocation import POOL_CHANGED, revocation_of
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.protocol import Usage
from cloudgate.protocol.bounds import MOST_LINES

POLL_SECONDS = 0.25
"""How often the log is read."""
CHECKPOINT_SECONDS = 5.0
"""How often what was counted is written down."""
MAX_USAGE_BATCH = MOST_LINES
"""Entries of a batch: about a megabyte."""

_LOST = (
    "How far its access log was counted was lost: what tenants used shortly before its host service"
    " was started is not billed, so that nothing is billed twice."
)
_GOODBYE = timedelta(seconds=GOODBYE_SECONDS)
_log = structlog.get_logger(__name__)


class _Checkpoint(BaseModel):
    inode: int = 0
    offset_bytes: int = 0
    live: tuple[Tunnel, ...] = ()
    used: tuple[Usage, ...] = ()
    batch: str = ""
    batched: tuple[Usage, ...] = ()
    misplaced: Misplaced = Misplaced()


@dataclass(frozen=True)
class Ended:
    """A tunnel that has ended, and how long ago."""

    tunnel: Tunnel
    ago: timedelta
    """How long that was before its line was read, by the machine's clock."""


class TunnelTracker:
    """Knows the live tunnels by the access log, counts their use, and ends those that must end."""

    def __init__(
        self,
        layout: StatePaths,
        envoys: EnvoyProcesses,
        directory: TenantDirectory,
        role: GatewayStatus,
        *,
        site: SiteStore,
        places: TunnelSlots,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        troubles: Conditions | None = None,
    ) -> None:
        self._path = layout.usage
        self._envoys = envoys
        self._directory = directory
        self._role = role
        self._site = site
        self._places = places
        self._now = now
        self._troubles = troubles or Conditions()
        found = _read(layout)
        self._was_counted = found is None and _has_lines(layout)
        """Whether what is read was counted already, as far as anybody knows."""
        if self._was_counted:
            self._troubles.set("lost usage", _LOST)
            _log.error("how far the access log was counted is lost", path=str(layout.usage))
        kept = found or _Checkpoint()
        position = Position(kept.inode, kept.offset_bytes) if kept.inode else None
        self._follower = LogTail(layout.access_log, position)
        self._tunnels = TunnelTable(kept.live, kept.used)
        self._batch = kept.batch
        self._batched = kept.batched
        self._kept = found
        """As it is on disk."""
        self._misplaced = PoolEviction(kept.misplaced)
        self._cut: set[str] = set()
        self._problem: UnavailableError | None = None
        """What kept the last look from seeing, or from ending, all that it should."""
        self._reads_old_lines = self._was_counted
        self._ended: list[Ended] = []
        self._ended_places: list[str] = []
        for tunnel in kept.live:
            places.confirm(tunnel.place, tunnel.tenant_id)

    @property
    def live(self) -> tuple[Tunnel, ...]:
        """The live tunnels; a new one is seen within a second."""
        return self._tunnels.live

    def misplaced(self) -> protocol.Misplaced | None:
        """What became of the tunnels that have no place here, by what is known right now."""
        self.poll()
        return self._misplaced.report

    def contribution(self) -> dict[str, object]:
        """Its members of the `Report`."""
        return {"misplaced": self.misplaced()}

    def lift_restore_only(self) -> None:
        """Maintenance is over: its tunnels are like all others from now on."""
        self._tunnels.lift_restore_only()

    def jobs(self) -> tuple[Job, ...]:
        """What is to be run."""
        return (
            Job(
                name="Following tunnels, and ending those that must end",
                attempt=self._attempt,
                interval_seconds=POLL_SECONDS,
                longest_pause_seconds=1.0,
                needed=True,
            ),
            Job(
                name="Writing down what tenants use",
                attempt=self._keep,
                interval_seconds=CHECKPOINT_SECONDS,
                longest_pause_seconds=CHECKPOINT_SECONDS,
            ),
        )

    async def run(self) -> None:
        """Watch for ever."""
        try:
            await Background(self.jobs()).run()
        finally:
            self.checkpoint()

    def _attempt(self) -> None:
        self.poll()
        if self._problem is not None:
            raise self._problem

    def _keep(self) -> None:
        self.checkpoint()  # which says itself when it cannot

    def poll(self) -> None:
        """Take in what is new, and end who has to leave: also while nothing new can be read."""
        self._problem = None
        self.read()
        self._enforce(self._now())
        live = self._tunnels.live
        self._role.live_tunnels = len(live)
        self._places.retain({tunnel.place for tunnel in live})

    def read(self) -> bool:
        """Take in what is new. Whether the log could be read."""
        try:
            lines = self._follower.read()
        except OSError as error:
            self._problem = UnavailableError(f"The access log cannot be read: {error.strerror}.")
            return False
        self._reads_old_lines = not self._follower.is_at_end
        now = self._now()
        torn: list[AccessRecord] = []
        for line in lines:
            entry = parse_record(line)
            if entry is not None:
                after = self._tunnels.apply(entry, now)
                self._places.note_logged(entry.client, entry.holder.place)
                if entry.ended_at is not None:
                    self._ended.append(Ended(after, now - entry.ended_at))
                    if entry.is_torn and now - entry.ended_at < _GOODBYE:
                        torn.append(entry)
            if entry is not None and entry.kind is not RecordType.ENDED:
                self._places.confirm(entry.holder.place, entry.holder.tenant_id)
            elif place := released_slot(line):
                self._places.release(place)
                self._ended_places.append(place)
        if self._tunnels.live and self._follower.is_at_end:
            # Earlier, later lines of an Envoy that is gone would begin its tunnels again.
            self._tunnels.keep_only(self._envoys.labels)
        if self._was_counted:
            self._tunnels.drain_usage()
            self._was_counted = not self._follower.is_at_end
        self._pass_on(torn)
        return True

    def take_ended(self) -> tuple[list[Ended], list[str]]:
        """The tunnels that have ended since the last time, and all places that came back."""
        ended, self._ended = self._ended, []
        places, self._ended_places = self._ended_places, []
        return ended, places

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
            batch=self._batch,
            batched=self._batched,
            misplaced=self._misplaced.known,
        )
        if kept == self._kept:
            return True
        try:
            write_with_backup(self._path, kept.model_dump_json())
        except OSError as error:
            _log.warning("what tenants used cannot be written down", reason=str(error))
            self._troubles.set_write_failure("usage", error)
            return False
        self._troubles.set("usage", "")
        self._kept = kept
        return True

    def next_usage_batch(self) -> tuple[str, tuple[Usage, ...]]:
        """What the manager has to hear next, and its name; the same until it was `delivered`."""
        # A batch says that all before it was told: none is made while old lines are being read.
        if not self._batched and self._tunnels.usage and not self._reads_old_lines:
            self._tunnels.mend_times(self._now())
            self._batch, self._batched = uuid4().hex, self._tunnels.drain_usage(MAX_USAGE_BATCH)
        # It would be counted under two names if it were sent and then forgotten.
        return (self._batch, self._batched) if self.checkpoint() else ("", ())

    def acknowledge_usage(self) -> None:
        """The manager has the batch."""
        self._batched = ()
        self.checkpoint()

    def terminate(self, tunnels: Iterable[Tunnel], reason: str) -> int:
        """End these tunnels; how many there were.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        by_envoy: dict[str, list[Tunnel]] = {}
        for each in tunnels:
            if each.tunnel not in self._cut:
                by_envoy.setdefault(each.envoy, []).append(each)
        found = 0
        for mark, some in by_envoy.items():
            pid = self._envoys.pid_of(mark)
            if pid is not None:
                found += close_connections(pid, [each.client for each in some])
                self._cut |= {each.tunnel for each in some}
        if found:
            _log.info("tunnels ended", tunnels=found, reason=reason)
        return found

    def _pass_on(self, torn: Sequence[AccessRecord]) -> None:
        """Tear what targets tore, before Envoy closes it in order: an end may mean all was sent."""
        in_use = {tunnel.client for tunnel in self._tunnels.live} if torn else set()
        for entry in torn:
            pid = self._envoys.pid_of(entry.envoy)
            if pid is None or entry.client in in_use:
                continue
            try:
                close_connections(pid, [entry.client])
            except UnavailableError as error:
                _log.warning("a target's reset is not passed on", reason=error.message)

    def _enforce(self, now: datetime) -> None:
        live = self._tunnels.live
        self._cut &= {tunnel.tunnel for tunnel in live}
        if not self._directory.revision or self._was_counted:
            return  # who is one, or who is in, is not known, which ends nobody's tunnels
        leaving: dict[str, list[Tunnel]] = {}
        has_no_place: dict[str, bool] = {}
        for tunnel in live:
            tenant = self._directory.by_id(tunnel.tenant_id)
            found = revocation_of(tunnel, tenant, now, self._role.pool_id)
            is_misplaced = found is not None and not found.at_once
            has_no_place[tunnel.tunnel] = is_misplaced and self._role.is_known
            if found is not None and found.at_once:
                leaving.setdefault(found.reason, []).append(tunnel)
        over = set(
            self._misplaced.expired(has_no_place, *self._site.drain, self._directory.revision)
        )
        if over:
            late = [tunnel for tunnel in live if tunnel.tunnel in over]
            leaving[POOL_CHANGED] = late
        for reason, tunnels in leaving.items():
            try:
                self.terminate(tunnels, reason)
            except UnavailableError as error:
                self._problem = UnavailableError(f"Tunnels go on that should not: {error.message}")
        self._misplaced.mark_closing(over & self._cut)
        self._end_unlogged(now)

    def _end_unlogged(self, now: datetime) -> None:
        """End also those that must end and that no line speaks of, as while the disk is full."""
        for client, holder in list(self._places.unlogged.items()):
            tunnel = Tunnel(
                tunnel=holder.place,
                envoy="",
                started_at=now,
                tenant_id=holder.tenant_id,
                user_id=holder.user_id,
                target="",
                client=client,
                from_address="",
                era=holder.era,
            )
            found = revocation_of(
                tunnel, self._directory.by_id(holder.tenant_id), now, self._role.pool_id
            )
            if found is None or not found.at_once:
                continue
            try:
                ended = sum(close_connections(pid, [client]) for pid in self._envoys.pids)
            except UnavailableError as error:
                self._problem = UnavailableError(f"Tunnels go on that should not: {error.message}")
                return
            if ended:
                _log.info("tunnels ended", tunnels=ended, reason=found.reason)
            del self._places.unlogged[client]


def _read(layout: StatePaths) -> _Checkpoint | None:
    """What was written down; None when there is none."""
    return read_or_backup(layout.usage, _Checkpoint.model_validate_json)


def _has_lines(layout: StatePaths) -> bool:
    """Whether there was a gateway before: a host service writes down what it counted at once."""
    log = layout.access_log
    return any(each.stat().st_size for each in log.parent.glob(f"{log.name}*"))
