"""Notification rules: what is an event called, who hears of it, and when? Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.sessions.roles import Role
from cloudgate.values import fields
from cloudgate.values.backoff import doubled

GIVEN_UP_AFTER = timedelta(days=1)
"""How long it is tried to tell somebody."""
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(hours=1)
MANAGER = "Manager"
OPERATORS = (Role.PORTAL_ADMINISTRATOR.value, Role.PORTAL_USER.value)
"""Whose accounts see what there is to tell."""
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_MAIL = re.compile(r"[^\s@<>,;:\"\\]{1,64}@[A-Za-z0-9.-]{1,253}")


class Kind(StrEnum):
    """What events are called."""

    GATEWAY_DOWN = "GatewayDown"
    GATEWAY_FULL = "GatewayFull"
    HOST_UNHEARD = "HostUnheard"
    CERTIFICATE_ENDING = "CertificateEnding"
    QUOTA_LEVEL = "QuotaLevel"
    EGRESS_LEVEL = "EgressLevel"
    LEASE_ENDING = "LeaseEnding"
    PROTECTION_LOST = "ProtectionLost"
    TASK_FAILED = "TaskFailed"
    WRONG_PASSWORDS = "WrongPasswords"
    BACKUP_OVERDUE = "BackupOverdue"
    SCHEMA_WAITING = "SchemaWaiting"
    NEEDS_A_LOOK = "NeedsALook"
    """What else `cloudgate status` shows."""
    TEST = "Test"


class Severity(StrEnum):
    """How bad it is, as the alerts in `monitoring/` say it."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Rule:
    """What becomes of events of a kind."""

    severity: Severity
    cleared: str = ""
    """What is said when it is over, with ``{name}``; empty where nothing is."""
    after: timedelta = timedelta()
    """How long it has to be so."""
    for_tenants: bool = False
    """Whether the tenant that it is about hears of it, too."""


RULES = {
    Kind.GATEWAY_DOWN: Rule(
        Severity.CRITICAL, "Gateway {name} lets tenants in again.", timedelta(minutes=1)
    ),
    Kind.GATEWAY_FULL: Rule(
        Severity.WARNING, "Gateway {name} has room again.", timedelta(minutes=10)
    ),
    Kind.HOST_UNHEARD: Rule(
        Severity.WARNING, "Host {name} is heard of again.", timedelta(minutes=2)
    ),
    Kind.CERTIFICATE_ENDING: Rule(
        Severity.WARNING, "The certificate of {name} is not near its end any more."
    ),
    Kind.QUOTA_LEVEL: Rule(
        Severity.WARNING, "{name} is below all levels of warning again.", for_tenants=True
    ),
    Kind.EGRESS_LEVEL: Rule(
        Severity.WARNING, "The egress of {name} is below all levels again.", for_tenants=True
    ),
    Kind.LEASE_ENDING: Rule(Severity.WARNING, for_tenants=True),
    Kind.PROTECTION_LOST: Rule(Severity.WARNING, "{name} keeps deleted backups again."),
    Kind.TASK_FAILED: Rule(Severity.INFO),
    Kind.WRONG_PASSWORDS: Rule(Severity.WARNING, for_tenants=True),
    Kind.BACKUP_OVERDUE: Rule(Severity.WARNING, "There is a new backup of the manager."),
    Kind.SCHEMA_WAITING: Rule(Severity.INFO, "The managers and their database are of one release."),
    Kind.NEEDS_A_LOOK: Rule(Severity.WARNING, "{name} needs a look no more."),
    Kind.TEST: Rule(Severity.INFO, for_tenants=True),
}


def key_of(kind: Kind, subject: str) -> str:
    """Tells a condition from all others. Pure."""
    return f"{kind}:{subject}"[:512]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that is so right now, and that somebody should know."""

    kind: Kind
    subject: str
    """Tells it from others of the kind."""
    name: str
    """What it is about, as people call it."""
    object_type: str
    text: str
    level: int = 0
    """Of several that follow each other; the higher is news, the lower is none."""
    site: str = ""
    """Name of the backup server."""
    site_id: UUID | None = None
    """None for all of them."""
    tenant_id: UUID | None = None

    @property
    def key(self) -> str:
        """Tells it from all others."""
        return key_of(self.kind, self.subject)

    @property
    def cleared(self) -> str:
        """What is said when it is over; empty where nothing is."""
        return RULES[self.kind].cleared.format(name=self.name)

    def document(self) -> dict[str, Any]:
        """For the database."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "name": self.name,
            "object_type": self.object_type,
            "text": self.text,
            "site": self.site,
            "site_id": str(self.site_id) if self.site_id else None,
            "tenant_id": str(self.tenant_id) if self.tenant_id else None,
        }


def from_document(document: dict[str, Any]) -> Condition:
    """From the database."""
    ids = {
        name: UUID(document[name]) if document[name] else None for name in ("site_id", "tenant_id")
    }
    return fields.from_document(Condition, document, kind=Kind(document["kind"]), **ids)


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Of which events a receiver hears."""

    role: str = ""
    site_id: UUID | None = None
    tenant_id: UUID | None = None
    events: Collection[str] | None = None

    def hears_of(self, condition: Condition) -> bool:
        """Whether it is told of this."""
        if self.events is not None and condition.kind not in self.events:
            return False
        if self.tenant_id is not None:
            return RULES[condition.kind].for_tenants and condition.tenant_id == self.tenant_id
        if self.role != Role.PORTAL_ADMINISTRATOR.value and condition.object_type == MANAGER:
            return False
        return self.site_id is None or condition.site_id in (None, self.site_id)


def due_at(
    now: datetime, severity: Severity, quiet: tuple[str, str] = ("", ""), digest_minutes: int = 0
) -> datetime:
    """When a receiver is to be told of what happens now. What is critical waits for nothing.

    `now` is in UTC, and so are quiet hours. Digests end at whole multiples of their length.
    """
    if severity is Severity.CRITICAL:
        return now
    due = now
    if digest_minutes:
        length = timedelta(minutes=digest_minutes)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        due = day + ((now - day) // length + 1) * length
    return _after_quiet(due, *quiet)


def _after_quiet(moment: datetime, begin: str, end: str) -> datetime:
    if not begin or not end or begin == end:
        return moment
    begins, ends = time.fromisoformat(begin), time.fromisoformat(end)
    at = moment.time()
    is_quiet = begins <= at < ends if begins < ends else at >= begins or at < ends
    if not is_quiet:
        return moment
    over = moment.replace(hour=ends.hour, minute=ends.minute, second=0, microsecond=0)
    return over if over > moment else over + timedelta(days=1)


def delivery_pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts that failed."""
    return doubled(FIRST_PAUSE, LONGEST_PAUSE, attempts)


def check_time(text: str, element: str) -> str:
    """A time of the day as it is kept; empty for none.

    Raises:
        InvalidRequestError: it is none.
    """
    if text and not _TIME.fullmatch(text):
        raise InvalidRequestError(f"{element}: found {text!r}, expected a time (UTC) as 22:00.")
    return text


def check_mail_address(text: str) -> str:
    """A mail address as it is kept.

    Raises:
        InvalidRequestError: it is none.
    """
    if not _MAIL.fullmatch(text):
        raise InvalidRequestError(
            f"Address: found {text[:100]!r}, expected a mail address such as ops@provider.example."
        )
    return text
