"""Old password uses: who still comes with a password that was replaced? For the manager."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cloudgate.host.state.principal import Principal
from cloudgate.protocol import MOST_GUESSES, OldPasswordUse

TOLD_EVERY = timedelta(seconds=60)
"""How often the manager hears of the same tenant or user."""
_Who = tuple[UUID, UUID | None]


class OldPasswordUses:
    """Gathers who was let in by an old password. Lost with the process; the next use tells anew.

    There is one of each tenant and user that has an old password, and so no more than these are.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._used: dict[_Who, datetime] = {}
        self._heard: dict[_Who, datetime] = {}
        self._told: tuple[OldPasswordUse, ...] = ()

    def record(self, who: Principal) -> None:
        """Somebody was right by an old password."""
        key = who.tenant.tenant_id, who.user.user_id if who.user else None
        self._used[key] = self._now()

    def pending(self) -> tuple[OldPasswordUse, ...]:
        """What the manager has to hear next: the same until it was `acknowledge`d."""
        if not self._told and self._used:
            due = self._now() - TOLD_EVERY
            keys = [key for key in self._used if self._heard.get(key, due) <= due]
            self._told = tuple(
                OldPasswordUse(tenant_id=key[0], user_id=key[1], last_at=self._used.pop(key))
                for key in keys[:MOST_GUESSES]
            )
        return self._told

    def acknowledge(self, heard: tuple[OldPasswordUse, ...]) -> None:
        """The manager has these."""
        if not heard or heard != self._told:
            return
        now = self._now()
        self._heard = {key: at for key, at in self._heard.items() if now - at < TOLD_EVERY}
        self._heard.update(((each.tenant_id, each.user_id), now) for each in heard)
        self._told = ()
