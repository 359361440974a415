"""Audit events: what is a change, and how is it told in the audit log? Pure.

What each is called stands beside what makes it. Numbers, severities and texts are those of the
original's events where it has such an event (reference of audit events, Cloud Connect).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol
from uuid import UUID

Document = Mapping[str, Any]
INFO, WARNING = "Info", "Warning"


@dataclass(frozen=True)
class Event:
    """Changes of a sort."""

    operation: str
    """Its name in the API, or one made in its style. It stays: the log is read by it."""
    text: str
    """What the log says, with ``{name}``, ``{id}`` and ``{owner}``."""
    severity: str = INFO
    code: int = 0
    """The original's number; 0 for what it has not."""


@dataclass(frozen=True)
class Change:
    """A change, as far as it is known when it is asked for."""

    event: Event
    object_type: str
    _: KW_ONLY
    object_id: UUID | None = None
    object_name: str = ""
    before: Document | None = None
    """What was, without secrets; None for what is new."""
    after: Document | None = None
    """What is to be, without secrets; None for what is removed."""
    owner_id: UUID | None = None
    """Of the tenant that a subtenant or a quota belongs to."""

    @property
    def text(self) -> str:
        """What the log says of it."""
        return self.event.text.format(name=self.object_name, id=self.object_id, owner=self.owner_id)


NEW_PASSWORD: Document = {"Password": "changed"}
TUNNELS_ENDED: Document = {"Tunnels": "ended"}
OUTSIDE_ENDED: Document = {"Tunnels": "ended, as far as they come from elsewhere"}
"""What the log says of a password, and all that it says."""


class NamedEntity(Protocol):
    """Something that is kept, with an id and a name."""

    id: Any
    name: Any


def change_to(
    thing: NamedEntity,
    object_type: str,
    event: Event,
    *,
    before: Document | None = None,
    after: Document | None = None,
    owner_id: UUID | None = None,
) -> Change:
    """A change to something that is kept; see `Change`."""
    return Change(
        event,
        object_type,
        object_id=thing.id,
        object_name=thing.name,
        before=before,
        after=after,
        owner_id=owner_id,
    )


def differences(change: Change) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Before and after, each with what differs only; whole where one side is missing."""
    if change.before is None or change.after is None:
        return _copied(change.before), _copied(change.after)
    names = [
        name
        for name in {**change.before, **change.after}
        if change.before.get(name) != change.after.get(name)
    ]
    return (
        {name: change.before.get(name) for name in names},
        {name: change.after.get(name) for name in names},
    )


def _copied(document: Document | None) -> dict[str, Any] | None:
    return None if document is None else dict(document)
