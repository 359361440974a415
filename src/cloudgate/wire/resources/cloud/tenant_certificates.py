"""Tenant certificate resources: what is said of those by which tenants come in? Extensions."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element, repeated
from cloudgate.wire.resources.base import Resource


@dataclass(frozen=True, kw_only=True)
class CreateCloudTenantCertificateSpec(ResourceType):
    """Body of POST /cloud/tenants/{id}/certificates."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    certificate_request: str | None = element()
    """PKCS #10 in PEM, signed with the key that the certificate is for."""
    subtenant_id: str | None = element()
    """Of the user that it is for; the tenant itself when left out."""
    valid_seconds: int | None = element()
    """86400 when left out."""


@dataclass(frozen=True, kw_only=True)
class OwnCertificateSpec(ResourceType):
    """Body of POST /cloud/certificate."""

    EXTENSION: ClassVar[bool] = True

    certificate_request: str | None = element()
    valid_seconds: int | None = element()
    """86400 when left out."""


@dataclass(frozen=True, kw_only=True)
class CloudTenantCertificate(Resource):
    """A certificate by which a tenant or its user comes in."""

    id: str | None = attribute()
    login: str | None = element()
    """Whose it is, as it logs in."""
    subtenant_id: str | None = element(omit_absent=True)
    serial_number: str | None = element()
    """In hexadecimal digits."""
    thumbprint: str | None = element()
    """SHA-256 of the certificate, in hexadecimal digits."""
    issued_time: datetime | None = element()
    expiration_time: datetime | None = element()
    status: str | None = element()
    """Good, Revoked, or Replaced where the password by which it was got is good no more."""
    certificate: str | None = element()
    """In PEM."""


@dataclass(frozen=True, kw_only=True)
class CloudTenantCertificates(ResourceType):
    """A tenant's certificates that have not ended."""

    cloud_tenant_certificates: tuple[CloudTenantCertificate, ...] = repeated(
        "CloudTenantCertificate"
    )
