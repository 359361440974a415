"""Entity tags: has somebody else changed a thing since whoever changes it has looked at it?

RFC 9110, 8.8.3 and 13.1.1. A tag stands for what a change can change. Figures that change by
themselves are not in it: a tenant that is in use could never be edited else. So it says whether a
change fits, and nothing of whether an answer is still fresh.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloudgate.errors import ChangedMeanwhileError
from cloudgate.manager.audit.log import last_change
from cloudgate.values import identifiers, timestamps
from cloudgate.wire.description import ResourceType, parts

if TYPE_CHECKING:
    from cloudgate.api.http.call import Answer, Call
    from cloudgate.api.http.router import Route

HEADER, CONDITION = "ETag", "If-Match"
BY_THEMSELVES = frozenset(
    {
        "Href", "Type", "Links", "State", "LiveTunnels", "Warning", "Version", "Capacity",
        "FreeSpace", "LastResult", "LastActive", "UsedQuota", "UsedQuotaTime", "UsedEgressMb",
        "VmCount", "BackupCount", "ReplicaCount", "WorkStationBackupCount", "ServerBackupCount",
        "OldPasswordExpirationDate", "OldPasswordLastUsed", "ConcurrentTasksLimited", "Since",
    }
)  # fmt: skip
"""Elements that no change sets, or that say more than what was set. A repository's Capacity is in
its `Answer.version`, as far as it was stated."""
_CHARACTERS = 22
_TAG = re.compile(r'"([A-Za-z0-9_-]+)(?:\.[a-z]+)?"')


def digest(answer: "Answer") -> str:
    """What of an entity can be changed, in a few characters; the same in both forms."""
    said = [_plain(answer.resource), answer.version]
    raw = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(raw).decode()[:_CHARACTERS]


def _plain(value: Any) -> Any:
    if isinstance(value, ResourceType):
        return {
            part.name: _plain(getattr(value, part.field))
            for part in parts(type(value))
            if part.name not in BY_THEMSELVES
        }
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def tag(answer: "Answer", routes: "Mapping[str, list[Route]]", form: str) -> str:
    """The ETag of what a GET answers; empty unless it is an entity that PUT can change."""
    changing = [kind for route in routes.get("PUT", ()) for kind in route.bodies]
    if answer.resource is None or type(answer.resource) not in changing:
        return ""
    return f'"{digest(answer)}.{form}"'


def fits(condition: str, found: str) -> bool:
    """Whether one of the tags of an If-Match stands for that digest. Weak ones never do."""
    if condition.strip() == "*":
        return True
    return any(
        match is not None and match[1] == found
        for each in condition.split(",")
        for match in [_TAG.fullmatch(each.strip())]
    )


@dataclass
class Precondition:
    """What a call asks to be so still when its change is made."""

    condition: str
    """The If-Match."""
    shown_by: "Route"
    """The GET of the same path."""
    _made: list[bool] = field(default_factory=list)

    def check(self, call: "Call", *, changing: bool = False) -> None:
        """See whether it is so; once a change has begun, it was, whatever that then does.

        Raises:
            ChangedMeanwhileError: somebody has changed the thing.
            CloudgateError: the thing cannot be shown.
        """
        if self._made:
            return
        answer = self.shown_by.handler(replace(call, query={"format": "Entity"}))
        if not fits(self.condition, digest(answer)):
            raise ChangedMeanwhileError(_why(call, answer.resource))
        if changing:
            self._made.append(True)


def _why(call: "Call", found: Any) -> str:
    known = identifiers.read(str(getattr(found, "uid", None) or getattr(found, "id", None) or ""))
    by = ""
    if known is not None:
        with call.reading() as work:
            event = last_change(work, known.guid)
            if event is not None:
                by = f" by {event.account}, at {timestamps.readable(event.at)}"
    name = getattr(found, "name", None) or "It"
    return (
        f"{name} was changed since you looked at it{by}. Look at what it is now, and send your"
        " change again if it is still wanted."
    )


def precondition(
    headers: Mapping[str, str], verb: str, routes: "Mapping[str, list[Route]]"
) -> Precondition | None:
    """What a call asks for by If-Match; None when it asks for nothing.

    Raises:
        ChangedMeanwhileError: there is nothing at its path that has a tag.
    """
    said = headers.get(CONDITION.lower(), "")
    if not said or verb in ("GET", "HEAD"):
        return None
    shown = [route for route in routes.get("GET", ()) if route.action is None]
    if not shown or "PUT" not in routes:
        raise ChangedMeanwhileError(
            f"{CONDITION}: what is at this path has no {HEADER}, so nothing can match. Leave it"
            " out."
        )
    return Precondition(said, shown[0])
