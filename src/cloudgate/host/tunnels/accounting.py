"""Tunnel accounting: which tunnels are live, and how much went through whose? Pure.

A line says how much went through a tunnel since its beginning; what is counted is the difference
to the line before, so that a line that is read twice, or one that is missing, changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from sys import intern
from typing import Annotated
from uuid import UUID

from pydantic import Field

from cloudgate.host.access_log.record import AccessRecord, RecordType
from cloudgate.monitoring.stopwatch import Stopwatch
from cloudgate.network.connection_names import connection_name
from cloudgate.protocol import Usage
from cloudgate.protocol.bounds import MOST_BYTES, MOST_SMALL, bounded

TOLD_BY_MINUTES = timedelta(hours=2)
TOLD_BY_HOURS = timedelta(days=2)
"""What was used is told by the minute, or by the hour or day once it has waited for so long."""
LONGEST_AWAY = timedelta(days=365)
"""What is older by this machine's clock, was counted while the clock was wrong."""
MOST_LOST = 1000
"""Of tunnels whose last line was lost so many are remembered, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """A live tunnel. There may be tens of thousands: each is small, and shares what it can.

    An alias is what a file of live tunnels calls it, which any release reads.
    """

    tunnel: str
    slot_id: Annotated[str, Field(alias="place")] = ""
    envoy: str
    started_at: datetime
    tenant_id: UUID
    user_id: UUID | None
    target: str
    client: str
    from_address: str
    restoring: bool = False
    over_quota: bool = False
    over_egress: bool = False
    came_from: str = ""
    certificate_id: UUID | None = None
    gateway_address: str = ""
    """Where it came in; empty where a line of the release before told of it."""
    target_address: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    revocation_epoch: Annotated[str | None, Field(alias="era")] = None
    """As in its metadata; None where the release before this one kept it."""

    @property
    def connections(self) -> tuple[str, ...]:
        """Names of its two: what is sent to the tenant, and to the target."""
        return tuple(filter(None, (self.client_connection, self.target_connection)))

    @property
    def client_connection(self) -> str:
        """The name of the connection that it came by."""
        return connection_name(self.gateway_address, self.client)

    @property
    def target_connection(self) -> str:
        """The name of the gateway's own connection; empty where there is none.

        The target's end alone would be that of all its tunnels.
        """
        own = self.from_address
        return connection_name(own, self.target_address) if own else ""


@dataclass
class TotalUsage:
    """Of all tenants together."""

    tunnels: int = 0
    """That began."""
    bytes_up: int = 0
    bytes_down: int = 0
    setup: Stopwatch = field(default_factory=Stopwatch)
    """How long they took to begin."""


_Key = tuple[datetime, UUID, UUID | None, str]
"""Minute, tenant, user, target."""


@dataclass(slots=True)
class _UsageSum:
    """What was used under one key; each line of the log adds to it, so it is no message yet."""

    tunnels: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    message: Usage | None = None

    def add(self, tunnels: int, bytes_up: int, bytes_down: int) -> None:
        """So much more."""
        self.tunnels += tunnels
        self.bytes_up += bytes_up
        self.bytes_down += bytes_down
        self.message = None

    def to_usage(self, key: _Key) -> Usage:
        """For the manager."""
        if self.message is None:
            minute, tenant_id, user_id, target = key
            self.message = Usage(
                minute=minute,
                tenant_id=tenant_id,
                user_id=user_id,
                target=target,
                tunnels=bounded(self.tunnels, MOST_SMALL),
                bytes_up=bounded(self.bytes_up, MOST_BYTES),
                bytes_down=bounded(self.bytes_down, MOST_BYTES),
            )
        return self.message


class TunnelTable:
    """The live tunnels, and what was used since it was last handed over."""

    def __init__(
        self,
        live: Iterable[Tunnel] = (),
        used: Iterable[Usage] = (),
        lost: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        """As it was kept: see the properties."""
        self.total = TotalUsage()
        """Of all that was counted since this table was made."""
        self._live = {each.tunnel: each for each in live}
        self._lost = dict(lost or {})
        self._used: dict[_Key, _UsageSum] = {}
        for each in used:
            self._add(each)

    @property
    def live(self) -> tuple[Tunnel, ...]:
        """Those that have begun and not ended."""
        return tuple(self._live.values())

    @property
    def usage(self) -> tuple[Usage, ...]:
        """What was used and not taken yet, by minute, tenant, user and target."""
        return tuple(each.to_usage(key) for key, each in self._used.items())

    @property
    def lost(self) -> dict[str, tuple[int, int]]:
        """Tunnels that ended without a line: what was counted of each, up and down."""
        return dict(self._lost)

    def apply(self, entry: AccessRecord, now: datetime) -> Tunnel:
        """Take in a line; the tunnel that it is about, as it is after it."""
        known = self._live.get(entry.tunnel) or self._found_again(entry)
        begun = known is None
        if known is None:
            known = _tunnel(entry)
        known = after = _with_what_was_forgotten(known, entry)
        if entry.bytes_up > known.bytes_up or entry.bytes_down > known.bytes_down:
            after = replace(
                known,
                bytes_up=max(entry.bytes_up, known.bytes_up),
                bytes_down=max(entry.bytes_down, known.bytes_down),
            )
        self._count(
            after,
            now,
            tunnels=1 if begun else 0,
            up=after.bytes_up - known.bytes_up,
            down=after.bytes_down - known.bytes_down,
        )
        if entry.setup_seconds is not None:
            self.total.setup.observe(entry.setup_seconds)
        if entry.kind is RecordType.ENDED:
            self._live.pop(entry.tunnel, None)
        else:
            self._live[entry.tunnel] = after
        return after

    def keep_only(self, envoys: set[str]) -> None:
        """Only these Envoys run: the tunnels of all others have ended."""
        self._live = {key: each for key, each in self._live.items() if each.envoy in envoys}

    def end_lost(self, tunnels: Collection[str]) -> list[Tunnel]:
        """These have ended, and no line says so; those of them that were live.

        Should a line come after all, it is counted on from there.
        """
        ended = [self._live.pop(each) for each in tunnels if each in self._live]
        self._lost |= {each.tunnel: (each.bytes_up, each.bytes_down) for each in ended}
        for each in list(self._lost)[:-MOST_LOST]:
            del self._lost[each]
        return ended

    def lift_restore_only(self) -> None:
        """Those that could only bring data back may do all that others may."""
        for key, each in self._live.items():
            if each.restoring:
                self._live[key] = replace(each, restoring=False)

    def drain_usage(self, most: int | None = None) -> tuple[Usage, ...]:
        """What was used, the oldest first; it is somebody else's to keep from here on.

        Args:
            most: how many at most; None for all.
        """
        taken = sorted(self._used, key=lambda key: key[0])[:most]
        return tuple(self._used.pop(key).to_usage(key) for key in taken)

    def compact(self, now: datetime) -> None:
        """Put together what has waited for long, so that a manager that is away fills no disk."""
        before, self._used = self.usage, {}
        for each in before:
            minute = _bucket(each.minute, now)
            self._add(each if minute == each.minute else _moved(each, minute))

    def mend_times(self, now: datetime) -> None:
        """What was counted by a clock that was wrong, as is known by now, was used now."""
        if all(now - LONGEST_AWAY <= minute <= now for minute, *_ in self._used):
            return
        minute = _minute(now)
        before, self._used = self.usage, {}
        for each in before:
            is_right = now - LONGEST_AWAY <= each.minute <= now
            self._add(each if is_right else _moved(each, minute))

    def _found_again(self, entry: AccessRecord) -> Tunnel | None:
        counted = self._lost.pop(entry.tunnel, None)
        if counted is None:
            return None
        return replace(_tunnel(entry), bytes_up=counted[0], bytes_down=counted[1])

    def _count(self, tunnel: Tunnel, now: datetime, *, tunnels: int, up: int, down: int) -> None:
        if not (tunnels or up or down):
            return
        self.total.tunnels += tunnels
        self.total.bytes_up += up
        self.total.bytes_down += down
        key = _minute(now), tunnel.tenant_id, tunnel.user_id, tunnel.target
        used = self._used.get(key)
        if used is None:
            used = self._used[key] = _UsageSum()
        used.add(tunnels, up, down)

    def _add(self, more: Usage) -> None:
        key = more.minute, more.tenant_id, more.user_id, more.target
        used = self._used.setdefault(key, _UsageSum())
        used.add(more.tunnels, more.bytes_up, more.bytes_down)


@lru_cache(maxsize=1)  # of thousands of lines that are read at once
def _minute(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(second=0, microsecond=0)


def _moved(usage: Usage, minute: datetime) -> Usage:
    return usage.model_copy(update={"minute": minute})


def _bucket(minute: datetime, now: datetime) -> datetime:
    """The minute under which is told what was used in another one."""
    if minute >= now - TOLD_BY_MINUTES:
        return minute
    hour = minute.replace(minute=0)
    return hour if minute >= now - TOLD_BY_HOURS else hour.replace(hour=0)


def _with_what_was_forgotten(known: Tunnel, entry: AccessRecord) -> Tunnel:
    """The tunnel with what a release before has kept nothing of, and each line says.

    A host service that was taken back to it and is renewed again has the same Envoys.
    """
    certificate_id = known.certificate_id or entry.metadata.certificate_id
    gateway_address = known.gateway_address or intern(entry.gateway_address)
    target_address = known.target_address or intern(entry.target_address)
    if (certificate_id, gateway_address, target_address) == (
        known.certificate_id,
        known.gateway_address,
        known.target_address,
    ):
        return known
    return replace(
        known,
        certificate_id=certificate_id,
        gateway_address=gateway_address,
        target_address=target_address,
    )


def _tunnel(entry: AccessRecord) -> Tunnel:
    return Tunnel(
        tunnel=entry.tunnel,
        slot_id=entry.metadata.slot_id,
        envoy=intern(entry.envoy),
        started_at=entry.started_at,
        tenant_id=entry.metadata.tenant_id,
        user_id=entry.metadata.user_id,
        target=intern(entry.target),
        client=entry.client,
        from_address=entry.from_address,
        gateway_address=intern(entry.gateway_address),
        target_address=intern(entry.target_address),
        restoring=entry.metadata.restoring,
        over_quota=entry.metadata.over_quota,
        over_egress=entry.metadata.over_egress,
        came_from=entry.metadata.came_from,
        certificate_id=entry.metadata.certificate_id,
        revocation_epoch=entry.metadata.revocation_epoch,
    )
