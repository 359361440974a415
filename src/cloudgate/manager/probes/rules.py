"""Probe rules: what may a usage probe be, and where does it look for one tenant? Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

from cryptography import x509

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.network import hostport
from cloudgate.trust.unreadable import UNREADABLE
from cloudgate.values import fields, precis
from cloudgate.values.units import MB

DEFAULT_MINUTES = 60
DEFAULT_REGION = "us-east-1"
TENANT, TENANT_ID = "{tenant}", "{tenantId}"
RETRY_AFTER = timedelta(minutes=10)
"""When what could not be measured is tried again, unless the probe's own interval is shorter."""
SPREAD = 0.1
"""By which part of its interval a measurement comes sooner or later: not all come at once."""
_PLACEHOLDER = re.compile(r"\{tenant(?:Id)?\}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_NAME_BYTES = 255


class ProbeMethod(StrEnum):
    """How it is measured."""

    DIRECTORY = "Directory"
    """By walking through a directory of a managed server."""
    WEBDAV = "WebDAV"
    """By asking a WebDAV server (RFC 4918, RFC 4331)."""
    S3 = "S3"
    """By listing the objects of a bucket."""


class NotMeasuredError(UnavailableError):
    """It could not be measured. `everyone`: nor what the other tenants keep there."""

    def __init__(self, message: str, *, everyone: bool = False) -> None:
        super().__init__(message)
        self.everyone = everyone


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
    def opened_by_password(self) -> tuple[str, ...]:
        """To whom the password is shown, and whose it is."""
        return opened_by(self.method, self.url, self.username, self.authority_pem)

    @property
    def place(self) -> tuple[str, ...]:
        """What is measured; figures of another place say nothing about it."""
        return (self.method, self.server_id, self.path, self.url, self.bucket, self.prefix)


def opened_by(method: str, url: str, username: str, authority_pem: str) -> tuple[str, ...]:
    """To whom a password is shown, and whose it is: with another of these it is given anew.

    The authority says who the server is: whoever names another one could be it, on the way there.
    """
    scheme, netloc, *_ = urlsplit(url)
    return (method, scheme, netloc, username, authority_pem)


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


def check_authority(pem: str) -> None:
    """See whether a CaFile is one.

    Raises:
        InvalidRequestError: it is none.
    """
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except UNREADABLE:
        raise InvalidRequestError(
            "CaFile: expected certificates in PEM, to trust the server by."
        ) from None


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


def origin_of(url: str) -> str:
    """Scheme, host and port of a Url as they are dialled: the host by its usual form."""
    parts = urlsplit(url)
    host = hostport.bracketed(hostport.host_known_as(parts.hostname or ""))
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


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


def is_bucket(name: str) -> bool:
    """Whether a bucket can have that name."""
    return _BUCKET.fullmatch(name) is not None


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


def check_elements(
    given: Mapping[str, str],
    kind: tuple[str, str],
    method: str,
    used: Collection[str],
    needed: Sequence[str],
) -> None:
    """See whether a way to look at a server has what its method needs, and nothing else.

    Args:
        given: its elements by name; what is empty was not given.
        kind: what the whole is called, as an element and in a sentence.
        method: its method.
        used: the elements that the method knows.
        needed: those that it cannot do without.

    Raises:
        InvalidRequestError: it has not.
    """
    element, called = kind
    for name, value in given.items():
        if value and name not in used:
            raise InvalidRequestError(f"{name}: {called} with the method {method} has none.")
    missing = [name for name in needed if not given[name]]
    if missing:
        raise InvalidRequestError(
            f"{element} is incomplete: the method {method} needs {' and '.join(missing)}."
        )
    if bool(given["Password"]) != bool(given["Username"]):
        raise InvalidRequestError(
            f"{element}: Username and Password belong together. The Password has to be given"
            " again with another Method, Url, Username or CaFile."
        )


def check_s3_url(text: str) -> None:
    """See whether a Url is one of S3: secret keys sign and are not sent, and it names no bucket.

    Raises:
        InvalidRequestError: it is none.
    """
    check_url(text, open_password=False)
    if urlsplit(text).path.strip("/"):
        raise InvalidRequestError("Url: expected no path; the bucket is named by Bucket.")


def check_url(text: str, *, open_password: bool) -> None:
    """See whether a Url is one; `open_password`: the password can be read on the way.

    Raises:
        InvalidRequestError: it is none, or the password could be read.
    """
    try:
        url = urlsplit(text)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or any(c.isspace() or c in '<>"\\' for c in text):
        raise InvalidRequestError(
            f"Url: found {text[:100]!r}, expected one such as https://storage.example/."
        )
    try:
        hostport.parse_host(url.hostname or "")
    except hostport.InvalidHostError as error:
        raise InvalidRequestError(f"Url: found {text[:100]!r}: {error.message}.") from None
    if url.username is not None or url.query or url.fragment or _has_braces(url.netloc):
        raise InvalidRequestError(
            "Url: expected scheme, host, port and path only. Name and password are given as"
            " Username and Password."
        )
    if open_password and url.scheme == "http" and not _is_loopback(url.hostname or ""):
        raise InvalidRequestError(
            "Url: with http:// the password could be read on the way; expected https://."
        )


def _is_loopback(host: str) -> bool:
    # Not what it means elsewhere: a form that another machine translates takes the password there.
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
    if _has_braces(_PLACEHOLDER.sub("", template)) or "\0" in template:
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


def _has_braces(text: str) -> bool:
    return "{" in text or "}" in text


def _no_placeholder(name: str) -> str:
    return (
        f"{name}: {TENANT} (the tenant's name) or {TENANT_ID} (its GUID) is missing; all tenants"
        " would be measured in one place."
    )
