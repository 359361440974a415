"""Certificates as operators bring them."""

import base64
import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.support.certificates.client_certificates import key_pem

NOW = datetime.now(UTC)


class Made:
    """A certificate of a made-up authority, and its key."""

    def __init__(
        self,
        *names: str,
        days: float = 30,
        begun_days: float = 40,
        key: rsa.RSAPrivateKey | None = None,
        usage: x509.ObjectIdentifier | None = None,
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        issuer_key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
        self.issuer = _signed(issuer, issuer, issuer_key.public_key(), issuer_key, days=400)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        self.leaf = _signed(
            subject,
            issuer,
            self.key.public_key(),
            issuer_key,
            names=names,
            days=days,
            begun_days=begun_days,
            usage=usage,
        )

    @property
    def key_pem(self) -> str:
        return key_pem(self.key)

    @property
    def pem(self) -> str:
        """All of it, out of order."""
        return self.key_pem + pem_of(self.issuer) + pem_of(self.leaf)

    @property
    def pem_in_order(self) -> str:
        """Key and chain, as servers want them."""
        return self.key_pem + pem_of(self.leaf) + pem_of(self.issuer)

    def pfx(self, password: str) -> str:
        data = pkcs12.serialize_key_and_certificates(
            b"x",
            self.key,
            self.leaf,
            [self.issuer],
            serialization.BestAvailableEncryption(password.encode()),
        )
        return base64.b64encode(data).decode()


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    key: ec.EllipticCurvePrivateKey,
    *,
    names: tuple[str, ...] = (),
    days: float,
    begun_days: float = 40,
    usage: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=begun_days))
        .not_valid_after(NOW + timedelta(days=days))
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        found = x509.SubjectAlternativeName([_name(each) for each in names])
        builder = builder.add_extension(found, critical=False)
    else:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
    return builder.sign(key, hashes.SHA256())


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
