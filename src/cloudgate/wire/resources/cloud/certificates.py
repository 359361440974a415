"""Certificate resources: what is said of those that operators bring? Extensions."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, attribute, element, repeated
from cloudgate.wire.resources.base import Entity


@dataclass(frozen=True, kw_only=True)
class CreateCloudCertificateSpec(ResourceType):
    """Body of POST /cloud/certificates."""

    href: str | None = attribute()
    type: str | None = attribute()
    pem: str | None = element()
    """Certificate, issuers and key, each as PEM, in one text."""
    pfx: str | None = element()
    """PKCS#12 in base64, instead."""
    password: str | None = element()
    """Of the PKCS#12."""
    cloud_gateway_uid: str | None = element()
    """The gateway that it is for; all that have none of their own when left out."""


@dataclass(frozen=True, kw_only=True)
class CloudCertificateOrderSpec(ResourceType):
    """Body of POST /cloud/certificates?action=order: what to ask an ACME server for (RFC 8555)."""

    href: str | None = attribute()
    type: str | None = attribute()
    directory_url: str | None = element()
    names: str | None = element()
    """DNS names, with commas between them."""
    challenge: str | None = element()
    """How the server sees that the names are ours."""
    email: str | None = element()
    """Where the server may write to."""
    ca_file: str | None = element()
    """Whom to trust that it is the server, as PEM; the public authorities when left out."""
    cloud_gateway_uid: str | None = element()
    """The gateway that it is for; all that have none of their own when left out."""


@dataclass(frozen=True, kw_only=True)
class CloudCertificate(Entity):
    """A certificate, without its key."""

    subject: str | None = element()
    names: str | None = element()
    """The names and addresses that it is for, with commas between them."""
    thumbprint: str | None = element()
    """SHA-256."""
    valid_from: datetime | None = element()
    valid_to: datetime | None = element()
    cloud_gateway: str | None = element()
    """Name of the gateway that it is for; absent when it is for all."""
    warning: str | None = element()
    """What to look at: a name that it is not for, its end, a renewal that failed."""
    source: str | None = element()
    """Imported or Acme."""


@dataclass(frozen=True, kw_only=True)
class CloudCertificates(ResourceType):
    """All certificates that were brought."""

    cloud_certificates: tuple[CloudCertificate, ...] = repeated("CloudCertificate")
