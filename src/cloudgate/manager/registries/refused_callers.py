"""Refused callers: what is written down of them? Each once a minute, and counts.

At most `MOST_NOTED` of each kind are told apart within a minute. As many sums of them follow, and
one of all the others; so many rows are the most that strangers cause, whatever they do.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from cloudgate.manager.registries.audit_throttle import (
    AuditThrottle,
    SuppressedRefusals,
)
from cloudgate.trust.login_throttle import client_network

FIRST_LOGONS = 4
"""So many wrong logons with one name from one address are written down within a minute."""
GUESSES = "GuessTenantPassword"
OUTSIDERS = "RefuseTenantNetwork"
MOST_GUESSES = 500
"""Of all gateways together; of one, as many as of other refusals."""
MOST_DENIED = 500
"""Of those who have logged on, and are told apart by what they wanted."""
APART = "\n"
"""Between name and address; in neither."""


class RefusedCallers:
    """Counts who was refused lately, by audit operation. Any thread may call."""

    def __init__(self) -> None:
        self._refusals: defaultdict[str, AuditThrottle] = defaultdict(AuditThrottle)
        self._refusals["LogOn"] = AuditThrottle(first=FIRST_LOGONS)
        self._refusals["LogOnCloudTenant"] = AuditThrottle(first=FIRST_LOGONS)
        self._refusals[GUESSES] = AuditThrottle(most=MOST_GUESSES)
        self._refusals[OUTSIDERS] = AuditThrottle(most=MOST_GUESSES)
        self._refusals["DenyAccess"] = AuditThrottle(most=MOST_DENIED)
        self._guesses_at: defaultdict[str, AuditThrottle] = defaultdict(AuditThrottle)

    def is_to_be_noted(
        self, operation: str, name: str, address: str, now: datetime, call: str = ""
    ) -> bool:
        """Whether that somebody was refused is to be written down now; else it is summed up.

        Args:
            operation: as the audit log calls it.
            name: who he says to be, or what he wanted.
            address: where he speaks from.
            now: the time.
            call: what else tells it from others.
        """
        known = (name, client_network(address), call)
        sender = APART.join(each.replace(APART, " ") for each in known)
        return self._refusals[operation].allow(sender, operation, now)

    def is_guess_to_be_noted(
        self, operation: str, gateway: str, guess: str, now: datetime, count: int
    ) -> bool:
        """Whether guesses at a gateway are to be written down now; else they are summed up.

        Args:
            operation: as the audit log calls it: `GUESSES` or `OUTSIDERS`.
            gateway: the name of the managed server that tells of them.
            guess: tells them from all others.
            now: the time.
            count: how many.
        """
        here = self._guesses_at[gateway].allow(f"{operation} {guess}", operation, now, 0)
        everywhere = self._refusals[operation]
        if here and everywhere.allow(f"{gateway} {guess}", operation, now, 0):
            return True
        everywhere.add(gateway, operation, now, count)
        return False

    def copy_for(self, gateway: str) -> "RefusedCallers":
        """One that says of guesses at a gateway what this one would, and in which they count."""
        found = RefusedCallers()
        known = self._guesses_at.get(gateway)
        if known is not None:
            found._guesses_at[gateway] = known.copy()
        for each in (GUESSES, OUTSIDERS):
            found._refusals[each] = self._refusals[each].copy()
        return found

    def due(self, now: datetime, *, all_of_them: bool = False) -> list[SuppressedRefusals]:
        """The sums whose minute is over."""
        for gateway, each in list(self._guesses_at.items()):
            each.due(now)  # they are summed up over all gateways
            if each.is_idle(now):
                # What is noted in it at this moment is noted once more, at worst.
                self._guesses_at.pop(gateway, None)
        found = list(self._refusals.values())
        sums = [more for each in found for more in each.due(now, all_of_them=all_of_them)]
        return [more for more in sums if more.count]

    def give_back(self, sums: Sequence[SuppressedRefusals]) -> None:
        """Take sums again that were due and could not be written."""
        for each in sums:
            self._refusals[each.call].give_back(each)
