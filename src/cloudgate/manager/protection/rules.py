"""Protection rules: how may a repository keep what is deleted, and whom does that protect? Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.storage_services.rules import (
    check_authority,
    check_elements,
    check_s3_url,
    check_url,
    is_bucket,
)
from cloudgate.network import hostport
from cloudgate.values import fields
from cloudgate.values.endpoints import DEFAULT_PORTS

TRUSTED_FOR = timedelta(days=1)
"""How long it is believed that it is so, once it was seen to be."""
CHECKED_EVERY = timedelta(hours=1)
CHECKED_AGAIN_AFTER = timedelta(minutes=10)
"""When it was not so, or nobody could say."""
SNAPSHOT_EVERY = timedelta(hours=26)
"""How old the newest snapshot may be: those of each day, and some time to make one."""
MAY_BE_AHEAD = timedelta(minutes=10)
"""By how much another clock, or that of before it was put back, may differ from the manager's."""


class ProtectionMethod(StrEnum):
    """How what is deleted is kept."""

    REST_SERVER = "RestServer"
    """A server of restic's REST protocol deletes nothing and writes over nothing."""
    S3 = "S3"
    """Object lock of a bucket, which keeps each object for some days after it was written."""
    SNAPSHOTS = "Snapshots"
    """Snapshots of a file system, as a program of the operator says."""


@dataclass(frozen=True, kw_only=True)
class Protection:
    """How a repository keeps what is deleted there, but for the password."""

    method: ProtectionMethod
    url: str = ""
    """Of a restic repository of the provider's own, or of an S3 server."""
    region: str = ""
    bucket: str = ""
    username: str = ""
    authority_pem: str = ""
    """Whom to trust that it is the server; the public authorities when empty."""
    named_by_administrator: bool = True
    """Whether it may lead where only administrators may have the manager look."""

    def as_document(self) -> dict[str, Any]:
        """For the database."""
        return {**asdict(self), "method": self.method.value}

    @property
    def place(self) -> tuple[str, ...]:
        """What is looked at; what was seen of another place says nothing about it."""
        return (self.method, self.url, self.bucket)


@dataclass(frozen=True, kw_only=True)
class ProtectionFinding:
    """What a look at it has shown."""

    holds: bool | None
    """Whether it is so; None when nobody could say."""
    days: int | None = None
    """For how long what is deleted is kept; None for ever."""
    problem: str = ""
    """Why it is not so, or why nobody could say."""


@dataclass(frozen=True, kw_only=True)
class ProtectionRecord:
    """What is known of it by all looks so far."""

    checked_at: datetime
    due_at: datetime
    held_at: datetime | None = None
    """When it was last seen to be so; None when it was not so since, or never."""
    days: int | None = None
    warning: str = ""
    held: bool = False
    """Whether it was believed to be so after the last look."""

    def is_held(self, now: datetime) -> bool:
        """Whether it is believed to be so. What was seen at a time yet to come says nothing."""
        return self.held_at is not None and -MAY_BE_AHEAD <= now - self.held_at < TRUSTED_FOR

    def as_document(self) -> dict[str, Any]:
        """For the database."""
        moments = ("checked_at", "due_at", "held_at")
        written = {name: value.isoformat() for name in moments if (value := getattr(self, name))}
        return {**asdict(self), "held_at": None, **written}


def from_document(document: Mapping[str, Any]) -> Protection:
    """From the database."""
    return fields.from_document(Protection, document, method=ProtectionMethod(document["method"]))


def known_from_document(document: Mapping[str, Any]) -> ProtectionRecord:
    """From the database."""
    moments = ("checked_at", "due_at", "held_at")
    read = {name: datetime.fromisoformat(document[name]) for name in moments if document[name]}
    return fields.from_document(ProtectionRecord, document, **read)


def check(protection: Protection, password: str, services: Sequence[str]) -> Protection:
    """The protection, as it may be used for a repository that is reached at `services`.

    Raises:
        InvalidRequestError: an element is missing, malformed, or of another method.
    """
    _check_elements(protection, password)
    if protection.method is ProtectionMethod.SNAPSHOTS:
        return protection
    if protection.method is ProtectionMethod.S3:
        check_s3_url(protection.url)
        if not is_bucket(protection.bucket):
            raise InvalidRequestError(
                f"Bucket: found {protection.bucket[:100]!r}, expected the name of one bucket that"
                " all tenants of the repository share: 3 to 63 lower-case letters, digits, dots"
                " and dashes."
            )
    else:
        check_url(protection.url, open_password=bool(password))
        if not urlsplit(protection.url).path.strip("/"):
            raise InvalidRequestError(
                f"Url: found {protection.url[:100]!r}, expected one with a path, to try it there"
                " without touching what tenants have: such as"
                " https://vault.example:8443/cloudgate/."
            )
    if problem := elsewhere(protection, services):
        raise InvalidRequestError(problem)
    if protection.authority_pem:
        check_authority(protection.authority_pem)
    return protection


def elsewhere(protection: Protection, services: Sequence[str]) -> str:
    """Why what is looked at is not what tenants reach; empty when it is."""
    if protection.method is ProtectionMethod.SNAPSHOTS:
        return ""
    url = urlsplit(protection.url)
    place = hostport.join(
        hostport.host_known_as(url.hostname or ""), url.port or DEFAULT_PORTS[url.scheme]
    )
    if place in {hostport.known_as(each) for each in services}:
        return ""
    return (
        f"Url: found {place}, expected the repository's Endpoint or Address: what is looked at has"
        " to be what tenants reach."
    )


def record_after(
    before: ProtectionRecord | None, finding: ProtectionFinding, now: datetime
) -> ProtectionRecord:
    """What is known after a look."""
    if finding.holds:
        return ProtectionRecord(
            checked_at=now,
            due_at=now + CHECKED_EVERY,
            held_at=now,
            days=finding.days,
            held=True,
        )
    unsure = before if before and finding.holds is None else None
    known = ProtectionRecord(
        checked_at=now,
        due_at=now + CHECKED_AGAIN_AFTER,
        held_at=unsure.held_at if unsure else None,
        days=unsure.days if unsure else None,
        warning=finding.problem,
    )
    return replace(known, held=known.is_held(now))


def warning(known: ProtectionRecord | None, now: datetime) -> str:
    """What there is to say of how a repository keeps what is deleted; empty for nothing."""
    if known is None or (not known.warning and known.is_held(now)):
        return ""
    if known.is_held(now):
        return (
            "It could not be looked whether deleted backups are kept, which was so at"
            f" {known.held_at:%Y-%m-%d %H:%M} UTC: {known.warning}"
        )
    said = known.warning or _why_not_believed(known, now)
    return f"Deleted backups may not be kept: {said}"


def _why_not_believed(known: ProtectionRecord, now: datetime) -> str:
    if known.held_at is not None and known.held_at > now:
        return (
            f"That was seen at {known.held_at:%Y-%m-%d %H:%M} UTC, which is yet to come. See that"
            " the manager's clock is right."
        )
    return "Nobody has looked for more than a day."


def why_not(
    name: str,
    protection: Protection | None,
    known: ProtectionRecord | None,
    period_days: int,
    now: datetime,
) -> str:
    """Why a repository does not keep what a tenant deletes for so long; empty when it does."""
    if protection is None:
        return (
            f"nothing says how the repository {name} keeps deleted backups: its provider can, with"
            " BackupProtection"
        )
    if known is None:
        return (
            f"nobody has looked yet whether the repository {name} keeps deleted backups, which"
            " takes some seconds: try again"
        )
    if not known.is_held(now):
        return f"the repository {name}: {warning(known, now)}".rstrip(".")
    if known.days is not None and known.days < period_days:
        return (
            f"the repository {name} keeps what is deleted for {known.days} days, and"
            f" BackupProtectionPeriod is {period_days}"
        )
    return ""


def snapshots_of(text: str, now: datetime) -> ProtectionFinding:
    """What the operator's program says of snapshots: the time of the newest, and days.

    Raises:
        ValueError: it is something else.
    """
    words = text.split()
    if len(words) != 2:  # noqa: PLR2004
        raise ValueError(text)
    newest, days = datetime.fromisoformat(words[0]), int(words[1])
    if newest.tzinfo is None or days < 1:
        raise ValueError(text)
    said = f"The newest snapshot is of {newest.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if now - newest > SNAPSHOT_EVERY:
        return ProtectionFinding(
            holds=False, problem=f"{said}, more than a day ago. See what makes them."
        )
    if newest - now > MAY_BE_AHEAD:
        return ProtectionFinding(
            holds=False,
            problem=f"{said}, which is yet to come: it does not say that there are any of today."
            " See that the clocks of the manager and of the machine with the snapshots are right.",
        )
    return ProtectionFinding(holds=True, days=days)


_USED: Mapping[ProtectionMethod, frozenset[str]] = {
    ProtectionMethod.REST_SERVER: frozenset({"Url", "Username", "Password", "CaFile"}),
    ProtectionMethod.S3: frozenset({"Url", "Region", "Bucket", "Username", "Password", "CaFile"}),
    ProtectionMethod.SNAPSHOTS: frozenset(),
}
_NEEDED: Mapping[ProtectionMethod, Sequence[str]] = {
    ProtectionMethod.REST_SERVER: ("Url",),
    ProtectionMethod.S3: ("Url", "Bucket", "Username", "Password"),
    ProtectionMethod.SNAPSHOTS: (),
}


def _check_elements(protection: Protection, password: str) -> None:
    given = {
        "Url": protection.url,
        "Region": protection.region,
        "Bucket": protection.bucket,
        "Username": protection.username,
        "Password": password,
        "CaFile": protection.authority_pem,
    }
    kind, method = ("BackupProtection", "a BackupProtection"), protection.method
    check_elements(given, kind, method, _USED[method], _NEEDED[method])
