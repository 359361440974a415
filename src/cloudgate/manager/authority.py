"""Who vouches for the manager and its gateways? A certificate authority of its own."""

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudgate.errors import CloudgateError

AUTHORITY_LIFE = timedelta(days=3650)
RENEWAL_SHARE = 1 / 3
"""A certificate from elsewhere is to be renewed when this much of its life, or less, is left."""
GATEWAY_DAYS = 14
"""Of gateways' certificates, unless the operator wants others."""
_CLOCK_SKEW = timedelta(days=2)
"""How far the clock of another machine may be behind, and still take what was just signed."""
_COMMON_NAME_CHARACTERS = 64


@dataclass(frozen=True)
class Term:
    """For how long a certificate is good, and how old it gets before another takes its place."""

    life: timedelta
    renewed_after: timedelta


def gateway_term(days: int = GATEWAY_DAYS) -> Term:
    """Of gateways' certificates: soon worth nothing when stolen, and good while nobody renews."""
    return Term(timedelta(days=days), timedelta(days=1))


PORT_TERM = Term(timedelta(days=90), timedelta(days=60))
"""Of the certificate of the manager's own port."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> str:
        """What clients have to trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, public_key_pem: str, names: Iterable[str], now: datetime, term: Term) -> str:
        """A server certificate for a public key and DNS names or IP addresses; PEM, leaf first.

        Raises:
            CloudgateError: the key cannot be read.
        """
        try:
            public_key = serialization.load_pem_public_key(public_key_pem.encode())
        except ValueError:
            raise CloudgateError("The host reported a public key that cannot be read.") from None
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise CloudgateError("The host reported a public key that is not an elliptic curve's.")
        known = sorted(set(names))
        builder = (
            x509.CertificateBuilder()
            .subject_name(_subject(known[0]))
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + term.life)
            .add_extension(x509.SubjectAlternativeName([_san(n) for n in known]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )
        leaf = builder.sign(self.key, hashes.SHA256())
        return leaf.public_bytes(serialization.Encoding.PEM).decode() + self.certificate_pem


def still_good(
    chain_pem: str, public_key_pem: str, names: Iterable[str], now: datetime, term: Term
) -> bool:
    """Whether a certificate is for this key, these names and this term, and still young."""
    if not chain_pem:
        return False
    leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
    covered = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        _public_pem(leaf.public_key()) == public_key_pem
        and set(covered) == {_san(name) for name in names}
        and leaf.not_valid_after_utc - leaf.not_valid_before_utc == term.life + _CLOCK_SKEW
        and timedelta() <= now - leaf.not_valid_before_utc < term.renewed_after + _CLOCK_SKEW
    )


def new_key_pem() -> str:
    """A new private key, in PEM and in the clear."""
    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, as 64 hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def open_authority(folder: Path) -> Authority:
    """The authority in `folder` (``ca.pem``, ``ca.key``); made there when there is none.

    Raises:
        CloudgateError: one of its files is damaged.
    """
    certificate_file, key_file = folder / "ca.pem", folder / "ca.key"
    if certificate_file.exists() and key_file.exists():
        return _read_authority(certificate_file, key_file)
    authority = _make_authority(datetime.now(UTC))
    write_private(key_file, _key_pem(authority.key))
    write_public(certificate_file, authority.certificate_pem)
    return authority


@dataclass(frozen=True)
class PortCertificate:
    """The certificate of the manager's own port, for some names."""

    folder: Path
    authority: Authority
    names: tuple[str, ...]

    def file(self, now: datetime) -> Path:
        """Certificate and key in one file that only its owner reads.

        Made anew when it is not for these names, or not young any more.
        """
        file = self.folder / "manager.pem"
        if file.exists():
            pem = file.read_text()
            key = serialization.load_pem_private_key(pem.encode(), None)
            if still_good(pem, _public_pem(key.public_key()), self.names, now, PORT_TERM):
                return file
        made = ec.generate_private_key(ec.SECP256R1())
        chain = self.authority.issue(_public_pem(made.public_key()), self.names, now, PORT_TERM)
        write_private(file, _key_pem(made) + chain)
        return file


def write_private(file: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    _replace(file, text, 0o600)


def write_public(file: Path, text: str) -> None:
    """Write a file whole or not at all, readable by all."""
    _replace(file, text, 0o644)


def _replace(file: Path, text: str, mode: int) -> None:
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


def _make_authority(now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject("Cloudgate certificate authority")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_authority_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def _authority_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read_authority(certificate_file: Path, key_file: Path) -> Authority:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except ValueError as problem:
        raise CloudgateError(
            f"The certificate authority in {certificate_file.parent} is damaged: {problem}."
            " Put back its files from a backup."
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CloudgateError(f"{key_file} does not hold an elliptic curve key.")
    return Authority(certificate, key)


def _subject(name: str) -> x509.Name:
    shown = name if len(name) <= _COMMON_NAME_CHARACTERS else name[:_COMMON_NAME_CHARACTERS]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown)])


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode() if not name.isascii() else name)


def _public_pem(key: object) -> str:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return ""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
