"""Client certificates: what does a program have that comes by one?"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from cloudgate.manager.security.tenant_authority import CertificateSubject, TenantAuthority

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    """A program's key."""
    return ec.generate_private_key(ec.SECP256R1())


def request_pem(key: Key | ed25519.Ed25519PrivateKey) -> str:
    """What the program asks with (PKCS #10)."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: Key) -> str:
    """The key as programs read it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def issued(
    authority: TenantAuthority,
    file: Path,
    tenant_id: UUID,
    user_id: UUID | None = None,
    ends_in: timedelta = timedelta(days=1),
) -> UUID:
    """Have a file with a new key and its certificate; the certificate's id."""
    key, identifier, now = new_key(), uuid4(), datetime.now(UTC)
    wanted = CertificateSubject(
        identifier, tenant_id, user_id, "Acme", key.public_key(), now + ends_in
    )
    made = authority.issue(wanted, min(now, now + ends_in))
    write(file, key, made)
    return identifier


def write(file: Path, key: Key, certificate: x509.Certificate) -> None:
    """Have a file with both."""
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    file.write_text(key_pem(key) + pem)
