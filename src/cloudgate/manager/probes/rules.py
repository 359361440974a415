"""Probe rules: what may a usage probe be, and where does it look for one tenant? Pure."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.storage_services.rules import (
    check_authority,
    check_elements,
    check_s3_url,
    check_url,
    has_braces,
    is_bucket,
    origin_of,
)
from cloudgate.values import fields, precis
from cloudgate.values.units import MB

DEFAULT_MINUTES = 60
TENANT, TENANT_ID = "{tenant}", "{tenantId}"
RETRY_AFTER = timedelta(minutes=10)
"""When what could not be measured is tried again, unless the probe's own interval is shorter."""
SPREAD = 0.1
"""By which part of its interval a measurement comes sooner or later: not all come at once."""
_PLACEHOLDER = re.compile(r"\{tenant(?:Id)?\}")
_LONGEST_NAME_BYTES = 255


class ProbeMethod(StrEnum):
    """How it is measured."""

    DIRECTORY = "Directory"
    """By walking through a directory of a managed server."""
    WEBDAV = "WebDAV"
    """By asking a WebDAV server (RFC 4918, RFC 4331)."""
    S3 = "S3"
    """By listing the objects of a bucket."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How it is measured what each tenant keeps in one repository, but for the password."""

    method: ProbeMethod
    server_id: str = ""
    """Of the managed server that has the directory."""
    path: str = ""
    url: str = ""
    region: str = ""
    bucket: str = ""
    prefix: str = ""
    username: str = ""
    authority_pem: str = ""
    """Whom to trust that it is the server; the public authorities when empty."""
    interval_minutes: int = DEFAULT_MINUTES
    named_by_administrator: bool = True
    """Whether it may lead where only administrators may have the manager look."""

    def as_document(self) -> dict[str, Any]:
        """For the database."""
        said = {**asdict(self), "method": self.method.value}
        if self.named_by_administrator:
            del said["named_by_administrator"]  # as in all that were made before there was this
        return said

    @property
    def machine(self) -> str:
        """What answers: one of these is asked for one tenant at a time."""
        return self.server_id or urlsplit(self.url).netloc

    @property
    def place(self) -> tuple[str, ...]:
        """What is measured; figures of another place say nothing about it."""
        return (self.method, self.server_id, self.path, self.url, self.bucket, self.prefix)


def from_document(document: dict[str, Any]) -> Probe:
    """From the database."""
    return fields.from_document(Probe, document, method=ProbeMethod(document["method"]))


@dataclass(frozen=True)
class Subject:
    """Whose share is measured."""

    name: str
    tenant_id: UUID


@dataclass(frozen=True)
class TenantStorage:
    """Where a tenant keeps what it has: components below a base that all tenants share."""

    base: str
    """A directory, or a URL with a slash at its end."""
    parts: tuple[str, ...]


def check(probe: Probe, password: str) -> Probe:
    """The probe, as it may be used.

    Raises:
        InvalidRequestError: an element is missing, malformed, or of another method.
    """
    _check_elements(probe, password)
    if probe.method is ProbeMethod.DIRECTORY:
        directory_of(probe.path, ANYBODY)
    elif probe.method is ProbeMethod.WEBDAV:
        check_url(probe.url, open_password=bool(password))
        collection_of(probe.url, ANYBODY)
    else:
        check_s3_url(probe.url)
        objects_of(probe, ANYBODY)
    if probe.authority_pem:
        check_authority(probe.authority_pem)
    return probe


def directory_of(template: str, subject: Subject) -> TenantStorage:
    """The directory of a tenant, by a Path.

    Raises:
        InvalidRequestError: the template is none, or it leads elsewhere for this tenant.
    """
    if not template.startswith("/"):
        raise InvalidRequestError(
            f"Path: found {template[:100]!r}, expected an absolute path such as"
            " /srv/backups/{tenant}."
        )
    if not all(map(precis.is_seen, template)):
        raise InvalidRequestError(
            f"Path: found {template[:100]!r}, expected characters that can be seen: no line ends."
        )
    base, parts = _split(template.split("/"), "Path", subject)
    return TenantStorage("/" + "/".join(base), parts)


def collection_of(template: str, subject: Subject) -> TenantStorage:
    """The collection of a tenant, by a Url of WebDAV; percent-encoded (RFC 3986).

    Raises:
        InvalidRequestError: the template is none, or it leads elsewhere for this tenant.
    """
    url = urlsplit(template)
    # Decoded first: what the operator wrote is a URL already, and %2e%2e is no name either.
    base, parts = _split([unquote(each) for each in url.path.split("/")], "Url", subject)
    path = "".join(f"{quote(each, safe='')}/" for each in base)
    encoded = tuple(quote(each, safe="") for each in parts)
    return TenantStorage(f"{origin_of(template)}/{path}", encoded)


def objects_of(probe: Probe, subject: Subject) -> tuple[str, str]:
    """Bucket and prefix of a tenant's objects.

    Raises:
        InvalidRequestError: the templates are none, or they lead elsewhere for this tenant.
    """
    if not _PLACEHOLDER.search(probe.bucket + probe.prefix):
        raise InvalidRequestError(_no_placeholder("Bucket or Prefix"))
    bucket = _filled(probe.bucket, "Bucket", subject)
    if not is_bucket(bucket):
        raise InvalidRequestError(
            f"Bucket: {bucket[:100]!r} cannot be the name of a bucket: 3 to 63 lower-case letters,"
            f" digits, dots and dashes. Use {TENANT_ID}, or put {TENANT} into Prefix."
        )
    prefix = _filled(probe.prefix, "Prefix", subject)
    if prefix and not prefix.endswith("/"):
        raise InvalidRequestError(
            f"Prefix: {probe.prefix[:100]!r} does not end with a slash; objects of tenants whose"
            " name only begins alike would be counted too."
        )
    return bucket, prefix


def is_same_for_all(template: str) -> bool:
    """Whether a template says the same of each tenant."""
    return _PLACEHOLDER.search(template) is None


def megabytes(used_bytes: int) -> int:
    """What the API shows of it: in MB, as quotas, and what is there is at least 1."""
    return -(-used_bytes // MB)


def next_time(interval: timedelta, chance: float) -> timedelta:
    """When to measure again; `chance` is from 0 to 1."""
    return interval * (1 - SPREAD + 2 * SPREAD * chance)


def longest_pause(probe: Probe) -> timedelta:
    """How long it takes at most until something is measured again."""
    return next_time(timedelta(minutes=probe.interval_minutes), 1)


ANYBODY = Subject("acme", UUID(int=0))
_USED: dict[ProbeMethod, frozenset[str]] = {
    ProbeMethod.DIRECTORY: frozenset({"ManagedServerUid", "Path"}),
    ProbeMethod.WEBDAV: frozenset({"Url", "Username", "Password", "CaFile"}),
    ProbeMethod.S3: frozenset(
        {"Url", "Region", "Bucket", "Prefix", "Username", "Password", "CaFile"}
    ),
}
_NEEDED: dict[ProbeMethod, Sequence[str]] = {
    ProbeMethod.DIRECTORY: ("ManagedServerUid", "Path"),
    ProbeMethod.WEBDAV: ("Url",),
    ProbeMethod.S3: ("Url", "Bucket", "Username", "Password"),
}


def _check_elements(probe: Probe, password: str) -> None:
    given = {
        "ManagedServerUid": probe.server_id,
        "Path": probe.path,
        "Url": probe.url,
        "Region": probe.region,
        "Bucket": probe.bucket,
        "Prefix": probe.prefix,
        "Username": probe.username,
        "Password": password,
        "CaFile": probe.authority_pem,
    }
    kind, method = ("UsageProbe", "a probe"), probe.method
    check_elements(given, kind, method, _USED[method], _NEEDED[method])


def _split(
    found: Sequence[str], name: str, subject: Subject
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The components before the first that has a placeholder, and that one and all after it."""
    components = [each for each in found if each]
    first = next((n for n, each in enumerate(components) if _PLACEHOLDER.search(each)), None)
    if first is None:
        raise InvalidRequestError(_no_placeholder(name))
    filled = [_filled(each, name, subject) for each in components]
    for each in filled:
        if each in (".", ".."):
            raise InvalidRequestError(
                f"{name}: {each!r} leads out of its place, for the tenant {subject.name[:100]!r}."
                " Write the path as it is, without dots to stand for it."
            )
    return tuple(filled[:first]), tuple(filled[first:])


def _filled(template: str, name: str, subject: Subject) -> str:
    """A template with its placeholders replaced, by what can be a part of a path only."""
    if has_braces(_PLACEHOLDER.sub("", template)) or "\0" in template:
        raise InvalidRequestError(
            f"{name}: found {template[:100]!r}; expected no braces but {TENANT} and {TENANT_ID}."
        )
    if TENANT in template:
        _check_name(subject)
    # At one go: a name may look like the other placeholder.
    values = {TENANT: subject.name, TENANT_ID: str(subject.tenant_id)}
    return _PLACEHOLDER.sub(lambda found: values[found[0]], template)


def _check_name(subject: Subject) -> None:
    name = subject.name
    if (
        not name
        or name in (".", "..")
        or any(c in "/\\" or not c.isprintable() for c in name)
        or len(name.encode(errors="replace")) > _LONGEST_NAME_BYTES
    ):
        raise InvalidRequestError(
            f"The name {name[:100]!r} cannot be one directory or folder. Use {TENANT_ID} in the"
            " usage probe, and keep what the tenant stores by its id."
        )


def _no_placeholder(name: str) -> str:
    return (
        f"{name}: {TENANT} (the tenant's name) or {TENANT_ID} (its GUID) is missing; all tenants"
        " would be measured in one place."
    )
