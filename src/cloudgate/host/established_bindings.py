"""Established bindings: where has the gateway of this host listened before?

One that never has may be given up at a failure; one that has is mended again and again, also by a
host service that was restarted in the middle of a change, and after the change was taken back.
"""

from contextlib import suppress
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from cloudgate.host.state.files import read_or_backup, write_with_backup
from cloudgate.protocol import Assignment

_MOST = 2
"""The one before a change, and the one after it."""


class Binding(BaseModel):
    """Where a gateway listens."""

    model_config = ConfigDict(frozen=True)

    gateway_id: UUID
    addresses: tuple[str, ...]
    port: int


class _Bindings(BaseModel):
    bindings: tuple[Binding, ...]


class EstablishedBindings:
    """Those where the gateway of this host has listened last, the newest first."""

    def __init__(self, path: Path, assigned: Assignment | None) -> None:
        """What `path` says; where an earlier release has written nothing there, `assigned`."""
        self._path = path
        written = read_or_backup(path, _Bindings.model_validate_json)
        first = binding(assigned)
        self._written = written.bindings if written else ()
        self._known = self._written if written or not first else (first,)

    def __contains__(self, wanted: Binding) -> bool:
        """Whether it has listened there."""
        return wanted in self._known

    def note(self, listening: Binding) -> None:
        """It listens there."""
        if self._written[:1] == (listening,):
            return
        others = tuple(each for each in self._known if each != listening)
        self._known = (listening, *others)[:_MOST]
        text = _Bindings(bindings=self._known).model_dump_json()
        with suppress(OSError):  # ENOSPC: it is tried again the next time
            write_with_backup(self._path, text)
            self._written = self._known


def binding(assignment: Assignment | None) -> Binding | None:
    """Where a gateway is to listen; None where none is."""
    gateway = assignment.gateway if assignment else None
    if gateway is None or not gateway.accepting:
        return None
    return Binding(gateway_id=gateway.gateway_id, addresses=gateway.addresses, port=gateway.port)
