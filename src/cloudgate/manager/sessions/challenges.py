"""Challenges: what does somebody get who begins to sign in, that is good once and for minutes?

It is sealed and handed out, not kept: whichever manager leads when it comes back can open it, and
strangers who begin write nothing. What is kept is which of them were used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete

from cloudgate.errors import CloudgateError, NotAuthenticatedError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.security.sealing import SealingKey
from cloudgate.manager.storage.tables import SpentChallenge

GOOD_FOR = timedelta(minutes=10)
_ENDED = "Signing in took too long, or was done already. Begin anew."


@dataclass(frozen=True)
class Challenge:
    """What was handed out."""

    id: UUID
    ends_at: datetime
    content: Mapping[str, str]


def hand_out(sealing: SealingKey, purpose: str, content: Mapping[str, str], now: datetime) -> str:
    """A challenge, as only managers of this installation read it."""
    document = {
        "Id": str(uuid4()),
        "EndsAt": int((now + GOOD_FOR).timestamp()),
        "Content": dict(content),
    }
    return sealing.seal(json.dumps(document), purpose)


def taken_back(sealing: SealingKey, purpose: str, text: str, now: datetime) -> Challenge:
    """The challenge that comes back.

    Raises:
        NotAuthenticatedError: it is none of this installation and purpose, or has ended.
    """
    try:
        document = json.loads(sealing.open(text, purpose))
    except (CloudgateError, ValueError):  # it says nothing of who made what, nor of base64
        raise NotAuthenticatedError(_ENDED) from None
    ends_at = datetime.fromtimestamp(document["EndsAt"], UTC)
    if now >= ends_at:
        raise NotAuthenticatedError(_ENDED)
    return Challenge(UUID(document["Id"]), ends_at, document["Content"])


def spend(work: UnitOfWork, challenge: Challenge) -> None:
    """Have a challenge be good for nothing from now on.

    Raises:
        NotAuthenticatedError: it was used before.
    """
    work.session.execute(delete(SpentChallenge).where(SpentChallenge.ends_at < work.now))
    if work.session.get(SpentChallenge, challenge.id) is not None:
        raise NotAuthenticatedError(_ENDED)
    work.session.add(SpentChallenge(id=challenge.id, ends_at=challenge.ends_at))
    work.session.flush()
