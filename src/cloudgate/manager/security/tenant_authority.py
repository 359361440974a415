"""Tenant authority: who signs the certificates that tenants show at gateways?

A root of its own, and nobody's but for that (`cloudgate.trust.tenant_certificates`).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudgate.errors import CloudgateError, InvalidRequestError
from cloudgate.manager.security.authority import (
    AUTHORITY_LIFE,
    CLOCK_SKEW,
    Signer,
    common_name,
    key_pem,
    usage,
)
from cloudgate.trust.tenant_certificates import AUTHORITY_NAME, BACKDATED, UNIT, uri_of
from cloudgate.trust.unreadable import UNREADABLE

_LONGEST_REQUEST = 8192
"""Characters."""
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_RSA_BITS = range(2048, 4097)
"""With what a program may come: what Envoy verifies without being asked to, and no more of RSA than
costs a gateway little."""
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True)
class CertificateSubject:
    """Whose a certificate is to be, and for how long."""

    certificate_id: UUID
    tenant_id: UUID
    user_id: UUID | None
    name: str
    """As somebody logs in, for people."""
    public_key: PublicKey
    ends_at: datetime


@dataclass(frozen=True)
class TenantAuthority(Signer):
    """A certificate that tenants' certificates are verified by, with its key."""

    @property
    def key_pem(self) -> str:
        """The key, in the clear."""
        return key_pem(self.key)

    def issue(self, wanted: CertificateSubject, now: datetime) -> x509.Certificate:
        """A certificate for clients alone."""
        name = x509.Name(
            [
                common_name(wanted.name),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, UNIT),
            ]
        )
        whose = x509.UniformResourceIdentifier(uri_of(wanted.tenant_id, wanted.user_id))
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.certificate.subject)
            .public_key(wanted.public_key)
            .serial_number(wanted.certificate_id.int)
            .not_valid_before(now - BACKDATED)
            .not_valid_after(wanted.ends_at)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
            .add_extension(x509.SubjectAlternativeName([whose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )


def new_tenant_authority(now: datetime) -> TenantAuthority:
    """One that nobody knows yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return TenantAuthority(certificate, key)


def read_tenant_authority(certificate_pem: str, private_key_pem: str) -> TenantAuthority:
    """One that was kept.

    Raises:
        CloudgateError: it is damaged.
    """
    try:
        key = serialization.load_pem_private_key(private_key_pem.encode(), None)
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CloudgateError(
            "The authority of tenants' certificates in the database is damaged: put the database"
            " back from a backup."
        )
    return TenantAuthority(certificate, key)


def requested_key(pem: str) -> PublicKey:
    """The public key of a certificate request (PKCS #10, RFC 2986), whose owner has signed it.

    What else the request says of names is for nobody here.

    Raises:
        InvalidRequestError: it is none, its signature is wrong, or its key is of another kind.
    """
    if len(pem) > _LONGEST_REQUEST:
        raise InvalidRequestError(
            f"CertificateRequest: it has more than {_LONGEST_REQUEST} characters."
        )
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        is_signed = request.is_signature_valid
    except UNREADABLE:
        raise InvalidRequestError(
            "CertificateRequest: expected a certificate request (PKCS #10) in PEM."
        ) from None
    if not is_signed:
        raise InvalidRequestError("CertificateRequest: its signature is not of its own key.")
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS:
        return key
    raise InvalidRequestError(
        "CertificateRequest: expected a key of the curve P-256 or P-384, or of RSA with 2048 to"
        " 4096 bits."
    )
