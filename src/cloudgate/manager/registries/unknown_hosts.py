"""Unknown hosts: who speaks as a host with a credential that this manager does not know?

When an older database was put back, it does not know the credentials of after. Kept in memory, so
that an operator can be told, and can let such a host in again. Nothing of it is believed before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

RECENT = timedelta(minutes=2)
"""A host that is refused tries again within half a minute."""
MOST_KEPT = 1000


@dataclass(frozen=True)
class RefusedPoll:
    """A request that was refused."""

    credential_hash: str
    address: str
    claimed: UUID | None
    """The managed server that it claims to be; None for a host of the release before."""
    at: datetime


class UnknownHosts:
    """The hosts that were refused last, a bounded number. May be called from any thread."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, UUID | None, str], RefusedPoll] = {}

    def record(self, poll: RefusedPoll) -> None:
        """A host was refused."""
        # One that says who it is tries several credentials; the last one counts.
        told_apart = "" if poll.claimed else poll.credential_hash
        key = (poll.address, poll.claimed, told_apart)
        self._heard.pop(key, None)
        self._heard[key] = poll
        while len(self._heard) > MOST_KEPT:
            self._heard.pop(next(iter(self._heard)), None)

    def forget(self, credential_hash: str) -> None:
        """This credential is known from now on."""
        for key, each in tuple(self._heard.items()):
            if each.credential_hash == credential_hash:
                self._heard.pop(key, None)

    def of(self, server_id: UUID, seen: Iterable[str], now: datetime) -> tuple[RefusedPoll, ...]:
        """Those that may be a server: they say so, or come from where it was seen; newest first."""
        places = set(seen)
        found = (
            each
            for each in tuple(self._heard.values())
            if now - each.at < RECENT
            and (each.claimed == server_id or (each.claimed is None and each.address in places))
        )
        return tuple(sorted(found, key=lambda each: (each.claimed is not None, each.at))[::-1])
