"""Presence: which hosts were heard of lately, and who else spoke in their names?

The database learns of it now and then.

A host polls every half minute; writing each of them down would be most of what the database does.
A moment that is yet to come is of before the clock was put back, and counts as of now: who is gone
would be there else until the clock has come so far again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from cloudgate.manager.registries.seen_addresses import KEPT_FOR
from cloudgate.protocol import POLL_SECONDS

ONLINE_FOR = timedelta(seconds=POLL_SECONDS + 10)
"""A host that polls is heard of at least this often."""
NOTED_EVERY = timedelta(seconds=60)
"""How old the time may get that the database has of a host that speaks all the time."""
TAKEN_OVER_WITHIN = timedelta(seconds=20)
"""Another manager goes on, or the same one again, so soon after the last time that it learned."""

LONGEST_SILENCE = ONLINE_FOR + NOTED_EVERY + TAKEN_OVER_WITHIN
"""Who was last heard of longer ago is not taken to be there in any case."""

CHANGES_AT_ONCE = 30
CHANGE_SECONDS = 10.0
"""So many times may a machine say something else of itself, one after the other, and then once in
so long: each time its gateway and others are told anew."""


@dataclass(frozen=True)
class _CloneSuspicion:
    """Machines that speak as a host and are not the one that joined."""

    since: datetime
    last: datetime


class _Moments:
    """When each host last did something, and who sees that as yet to come: since when."""

    def __init__(self) -> None:
        self._at: dict[UUID, datetime] = {}
        self._ahead: dict[UUID, tuple[datetime, datetime]] = {}
        """Beside what is kept, as a transaction may see it so that began before a clock was set."""

    def record(self, server_id: UUID, now: datetime) -> None:
        """It does now."""
        self._at[server_id] = now

    def forget(self, server_id: UUID) -> None:
        """It never did."""
        self._at.pop(server_id, None)
        self._ahead.pop(server_id, None)

    def of(self, server_id: UUID, now: datetime) -> datetime | None:
        """When it last did; None for never."""
        found = self._at.get(server_id)
        return found if found is None or found - now < ONLINE_FOR else self._seen(server_id, now)

    def all(self, now: datetime) -> Mapping[UUID, datetime]:
        """When each last did."""
        latest = now + ONLINE_FOR
        return {
            each: at if at < latest else self._seen(each, now)
            for each, at in dict(self._at).items()
        }

    def _seen(self, server_id: UUID, now: datetime) -> datetime:
        at, since = self._at.get(server_id, now), now
        known = self._ahead.get(server_id)
        if known is not None and known[0] == at:
            since = min(known[1], now)
        self._ahead[server_id] = at, since
        return since


class Presence:
    """When each host was last heard of, and what was refused that came in its name."""

    def __init__(self, began: datetime | None = None) -> None:
        """`began`: when nobody had been heard yet; when it is first asked where left out."""
        self._began = began
        self._heard = _Moments()
        self._strangers: dict[UUID, _CloneSuspicion] = {}
        self._refused = _Moments()
        self._heard_from: dict[UUID, dict[str, datetime]] = {}
        self._changed_until: dict[UUID, datetime] = {}

    def has_listened(self, now: datetime) -> bool:
        """Whether hosts that are there have had the time to be heard since nobody had been."""
        return now - self.beginning(now) >= ONLINE_FOR

    def beginning(self, now: datetime) -> datetime:
        """When nobody had been heard yet."""
        if self._began is None or self._began > now:
            self._began = now
        return self._began

    def is_there(self, silent: timedelta, now: datetime, *, was_online: bool) -> bool:
        """Whether a host is taken to be there that was last heard of so long ago."""
        return silent < self.patience(now, was_online=was_online)

    def patience(self, now: datetime, *, was_online: bool) -> timedelta:
        """For how long a host may be silent that is taken to be there.

        At the start, only what the database has learned is known of those that were online.
        """
        is_awaited = was_online and not self.has_listened(now)
        return LONGEST_SILENCE if is_awaited else ONLINE_FOR

    def touch(self, server_id: UUID, now: datetime) -> None:
        """A host has spoken. May be called from any thread."""
        self._heard.record(server_id, now)

    def hear_from(self, server_id: UUID, address: str, now: datetime) -> Mapping[str, datetime]:
        """A host has spoken from an address. When it last did from which, this time left out."""
        noted = self._heard_from.get(server_id, {})
        before = {each: min(at, now) for each, at in noted.items()}
        kept = {each: at for each, at in before.items() if now - at < KEPT_FOR}
        kept[address] = now
        self._heard_from[server_id] = kept
        return before

    def may_change(self, server_id: UUID, now: datetime) -> bool:
        """A machine says something else of itself. Whether that is heard."""
        until = self._changing_until(server_id, now)
        return until - now <= timedelta(seconds=CHANGE_SECONDS * (CHANGES_AT_ONCE - 1))

    def record_change(self, server_id: UUID, now: datetime) -> None:
        """It was heard, and is written down."""
        until = self._changing_until(server_id, now)
        self._changed_until[server_id] = until + timedelta(seconds=CHANGE_SECONDS)

    def _changing_until(self, server_id: UUID, now: datetime) -> datetime:
        until = max(self._changed_until.get(server_id, now), now)
        # So far ahead it never gets but by a clock that is put back.
        is_far = until - now > timedelta(seconds=CHANGE_SECONDS * CHANGES_AT_ONCE)
        return now if is_far else until

    def forget(self, server_id: UUID) -> None:
        """The host has no business here any more."""
        self._changed_until.pop(server_id, None)
        self._heard.forget(server_id)
        self._refused.forget(server_id)
        self._heard_from.pop(server_id, None)
        self.forget_strangers(server_id)

    def forget_strangers(self, server_id: UUID) -> None:
        """Nobody else speaks as this host from here on, as far as is known."""
        self._strangers.pop(server_id, None)

    def detect_clone(self, server_id: UUID, now: datetime) -> bool:
        """Another machine has spoken as this host. Whether both of them are there.

        They are when the host was heard of since the other one first spoke. A machine that was
        started anew is another one, too; but the one that it was before says nothing any more.
        """
        known = self._strangers.get(server_id)
        if known is None or abs(now - known.last) >= ONLINE_FOR:
            known = _CloneSuspicion(now, now)
        self._strangers[server_id] = replace(known, last=now)
        heard = self.last(server_id, now)
        return heard is not None and heard > known.since

    def is_contested(self, server_id: UUID, now: datetime) -> bool:
        """Whether another machine has spoken as this host, which was not heard of since."""
        strangers = self._strangers.get(server_id)
        if strangers is None or strangers.since - now >= ONLINE_FOR:
            return False
        heard = self.last(server_id, now)
        return heard is None or heard <= strangers.since

    def record_refusal(self, server_id: UUID, now: datetime) -> None:
        """Something was refused that came in this host's name."""
        self._refused.record(server_id, now)

    def is_healthy(self, server_id: UUID, now: datetime) -> bool:
        """Whether the host is heard of, and nothing came in its name for a while that was refused.

        What came before this process began is taken to have come then.
        """
        refused = self._refused.of(server_id, now) or self.beginning(now)
        heard = self.last(server_id, now)
        return heard is not None and heard > refused and now - refused >= ONLINE_FOR

    def last(
        self, server_id: UUID, now: datetime, noted: datetime | None = None
    ) -> datetime | None:
        """When a host was last heard of; `noted`: as far as the database has it."""
        heard = self._heard.of(server_id, now)
        if noted is None:
            return heard
        if noted - now >= ONLINE_FOR:
            noted = self.beginning(now)
        return max(heard or noted, noted)

    def all(self, now: datetime) -> Mapping[UUID, datetime]:
        """When each was last heard of by this process."""
        return self._heard.all(now)
