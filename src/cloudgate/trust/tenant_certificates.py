"""Tenant certificates: whose is a certificate that a program shows at a gateway? Pure.

They are signed by an authority of their own that nothing else trusts: not below the root that
vouches for managers and gateways, so none of these passes as one of a tenant, and the other way
round. Whose one is stands in a URI (RFC 5280, section 4.2.1.6); its name in the subject is for
people alone. The serial number is the id under which the manager knows it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from cloudgate.trust.unreadable import UNREADABLE

AUTHORITY_NAME = "Cloudgate tenant authority"
UNIT = "Cloudgate tenant"
"""The organizational unit of the subject."""
LONGEST_PEM = 16 * 1024
"""Characters: one that is longer is not looked at."""
LONGEST_SHOWN = 3 * LONGEST_PEM
"""The same in the encoding of URLs, as Envoy says it."""
BACKDATED = timedelta(days=2)
"""So long before it was issued a certificate begins: the clock of a gateway may be behind."""
_URI = re.compile(r"cloudgate:tenant:([0-9a-f-]{36})(?::user:([0-9a-f-]{36}))?")
_ID_BITS = 128


@dataclass(frozen=True)
class Holder:
    """What a certificate says that a tenants' authority has signed."""

    certificate_id: UUID
    tenant_id: UUID
    user_id: UUID | None
    begins_at: datetime
    ends_at: datetime
    """It is good before this moment."""

    def is_in_time(self, now: datetime) -> bool:
        """Whether the certificate is good at a moment, as far as time goes."""
        return self.begins_at <= now < self.ends_at


def uri_of(tenant_id: UUID, user_id: UUID | None) -> str:
    """What a certificate says of whose it is."""
    return f"cloudgate:tenant:{tenant_id}" + (f":user:{user_id}" if user_id else "")


def issued_at(certificate: x509.Certificate) -> datetime:
    """When a tenant's certificate was issued."""
    return certificate.not_valid_before_utc + BACKDATED


def holder_of(pem: str, authorities: Iterable[str]) -> Holder | None:
    """Whose a certificate is; None where none of these authorities has signed it for a tenant.

    Args:
        pem: the certificate. Who shows it is to have proved that he has its key.
        authorities: certificates of the authorities, in PEM.
    """
    if not pem or len(pem) > LONGEST_PEM:
        return None
    try:
        shown = x509.load_pem_x509_certificate(pem.encode())
        if not any(_has_signed(_authority(each), shown) for each in authorities):
            return None
        return _holder(shown)
    except UNREADABLE:
        return None  # what no tenant's certificate is, whoever made it


@lru_cache(16)
def _authority(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def _has_signed(authority: x509.Certificate, shown: x509.Certificate) -> bool:
    if shown.issuer != authority.subject:
        return False
    try:
        shown.verify_directly_issued_by(authority)
    except InvalidSignature:
        return False
    return True


def _holder(shown: x509.Certificate) -> Holder | None:
    usage = shown.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    basic = shown.extensions.get_extension_for_class(x509.BasicConstraints).value
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    said = [_URI.fullmatch(each.value) for each in names]
    if basic.ca or list(usage) != [ExtendedKeyUsageOID.CLIENT_AUTH]:
        return None
    if len(said) != 1 or said[0] is None or shown.serial_number >> _ID_BITS:
        return None
    tenant, user = said[0].groups()
    return Holder(
        certificate_id=UUID(int=shown.serial_number),
        tenant_id=UUID(tenant),
        user_id=UUID(user) if user else None,
        begins_at=shown.not_valid_before_utc,
        ends_at=shown.not_valid_after_utc,
    )
