"""Encoded updates: in which bytes is a host told? Made once for all who are told the same.

A change of a tenant is the same for a thousand hosts, and so is it that nothing has changed.
"""

from starlette.responses import Response

from cloudgate.api.http.bodies import LongAnswer
from cloudgate.manager.registries.hosts.tenant_counts import WANTED_SECONDS
from cloudgate.protocol import Update

MOST_KEPT = 4
"""Of the newest. A whole directory may have megabytes."""
_FOR_MANY = frozenset({"directory", "directory_trace"})
"""What is told to all hosts that are alike; all else is for one."""
Managers = tuple[str, ...] | None
_Key = tuple[int, str, Managers]


class EncodedUpdates:
    """The answers that were made last. Used on the event loop only."""

    def __init__(self) -> None:
        self._made: dict[_Key, tuple[Update, Response]] = {}

    def response(self, update: Update, managers: Managers) -> Response:
        """News, with how often the host's figures are wanted, and who else may be asked.

        `managers`: addresses of all; None where there is one.
        """
        if not update.model_fields_set <= _FOR_MANY:
            return _made(update, managers)
        # Updates are kept with their answers: as long as they are, nothing else has the same id.
        key = id(update.directory), update.directory_trace, managers
        if key not in self._made:
            if len(self._made) >= MOST_KEPT:
                del self._made[next(iter(self._made))]
            self._made[key] = update, _made(update, managers)
        return self._made[key][1]


def _made(update: Update, managers: Managers) -> Response:
    whole = update.model_copy(update={"figures_seconds": WANTED_SECONDS, "managers": managers})
    return LongAnswer(whole.model_dump_json(), media_type="application/json")
