"""Certificate authority: who vouches for the manager and its gateways?

A root that everybody trusts, and below it two authorities that issue: one for managers, one for
gateways (`cloudgate.trust.certificate_roles`). A root of a release before this one is not allowed
to have others below it (RFC 5280, section 4.2.1.9: its path length is 0, which OpenSSL and Go
hold trusted roots to, too), and tenants have copies of it: there it goes on signing itself,
and the role that a leaf says in its subject is what tells the two apart.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudgate.atomic_files import write_private, write_public
from cloudgate.errors import CloudgateError
from cloudgate.trust.certificate_roles import ISSUER_NAMES, ROOT_NAME, Role

log = structlog.get_logger(__name__)

AUTHORITY_LIFE = timedelta(days=3650)
RENEWAL_SHARE = 1 / 3
"""A certificate from elsewhere is to be renewed when this much of its life, or less, is left."""
GATEWAY_DAYS = 14
"""Of gateways' certificates, unless the operator wants others."""
CLOCK_SKEW = timedelta(days=2)
"""How far the clock of another machine may be behind, and still take what was just signed."""
_COMMON_NAME_BYTES = 64
_Certifiable = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_CERTIFIABLE = (ec.EllipticCurvePublicKey, rsa.RSAPublicKey, ed25519.Ed25519PublicKey)


@dataclass(frozen=True)
class Validity:
    """For how long a certificate is good, and how old it gets before another takes its place."""

    life: timedelta
    renewed_after: timedelta


def gateway_term(days: int = GATEWAY_DAYS) -> Validity:
    """Of gateways' certificates: soon worth nothing when stolen, and good while nobody renews."""
    return Validity(timedelta(days=days), timedelta(days=1))


@dataclass(frozen=True)
class CertificateRequest:
    """What a server certificate is to be for."""

    public_key_pem: str
    names: tuple[str, ...]
    """DNS names and IP addresses."""
    role: Role
    term: Validity


PORT_TERM = Validity(timedelta(days=90), timedelta(days=60))
"""Of the certificate of the manager's own port."""


@dataclass(frozen=True)
class Signer:
    """A certificate that may sign others, with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True)
class Authority:
    """The root, and who issues in its name."""

    root: Signer
    managers: Signer
    gateways: Signer
    """The root itself where it may have none below it."""

    @property
    def certificate(self) -> x509.Certificate:
        """Of the root."""
        return self.root.certificate

    @property
    def certificate_pem(self) -> str:
        """What clients have to trust."""
        return self.root.pem

    def issue(self, wanted: CertificateRequest, now: datetime) -> str:
        """A server certificate in PEM: the leaf, who issued it, and the root.

        Raises:
            CloudgateError: the key cannot be read.
        """
        public_key = _public_key(wanted.public_key_pem)
        issuer, known = self._issuer(wanted.role), sorted(set(wanted.names))
        builder = (
            _unsigned(
                _subject(known[0] if known else wanted.role.value, wanted.role),
                public_key,
                issuer.certificate.subject,
                (now - CLOCK_SKEW, now + wanted.term.life),
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_key_of(issuer), critical=False)
        )
        if known:
            names_extension = x509.SubjectAlternativeName([_san(name) for name in known])
            builder = builder.add_extension(names_extension, critical=False)
        leaf = builder.sign(issuer.key, hashes.SHA256())
        chain = [Signer(leaf, issuer.key), issuer, *([self.root] if issuer != self.root else [])]
        return "".join(each.pem for each in chain)

    def is_current(self, chain_pem: str, wanted: CertificateRequest, now: datetime) -> bool:
        """Whether a certificate is what `issue` makes of this, and still young."""
        if not chain_pem:
            return False
        leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
        term = wanted.term
        return (
            self._has_issued(leaf, wanted.role)
            and leaf.public_key() == _public_key(wanted.public_key_pem)
            and _covered(leaf) == {_san(name) for name in wanted.names}
            and leaf.not_valid_after_utc - leaf.not_valid_before_utc == term.life + CLOCK_SKEW
            and timedelta() <= now - leaf.not_valid_before_utc < term.renewed_after + CLOCK_SKEW
        )

    def _issuer(self, role: Role) -> Signer:
        return self.managers if role is Role.MANAGER else self.gateways

    def _has_issued(self, leaf: x509.Certificate, role: Role) -> bool:
        said = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        try:
            leaf.verify_directly_issued_by(self._issuer(role).certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return [each.value for each in said] == [role.value]


def new_key_pem() -> str:
    """A new private key, in PEM and in the clear."""
    return key_pem(ec.generate_private_key(ec.SECP256R1()))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, as 64 hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def open_authority(folder: Path) -> Authority:
    """The authority in `folder` (``ca.pem``, ``ca.key``); made there when there is none.

    Raises:
        CloudgateError: one of its files is missing, damaged, or cannot be read or written.
    """
    certificate_file, key_file = folder / "ca.pem", folder / "ca.key"
    try:
        there = [file for file in (certificate_file, key_file) if file.exists()]
        if not there:
            made = _make_root(datetime.now(UTC))
            write_private(key_file, key_pem(made.key))
            write_public(certificate_file, made.pem)
        elif len(there) == 1:
            (missing,) = {certificate_file, key_file} - set(there)
            raise CloudgateError(
                f"{missing} is missing, and {there[0]} is there. Put {missing.name} back from a"
                " backup: with another one, no host, tenant or program would trust this manager."
            )
        root = _read_root(certificate_file, key_file)
        return Authority(root, *(_open_issuer(folder, root, role) for role in Role))
    except OSError as problem:
        raise CloudgateError(
            f"The certificate authority in {folder} cannot be used: {problem.filename}:"
            f" {problem.strerror}."
        ) from None


@dataclass(frozen=True)
class PortCertificate:
    """The certificate of the manager's own port, for some names."""

    folder: Path
    authority: Authority
    names: tuple[str, ...]

    @property
    def known_file(self) -> Path:
        """Where it is, whatever it is worth by now."""
        return self.folder / "manager.pem"

    def file(self, now: datetime) -> Path:
        """Certificate and key in one file that only its owner reads.

        Made anew when it is not for these names, or not young any more.

        Raises:
            OSError: that cannot be written.
        """
        file = self.known_file
        if file.exists() and self._is_still_good(file.read_bytes(), now):
            return file
        made = ec.generate_private_key(ec.SECP256R1())
        public = _public_pem(made.public_key())
        chain = self.authority.issue(self._wanted(public), now)
        write_private(file, key_pem(made) + chain)
        return file

    def usable_file(self, now: datetime) -> Path:
        """The same, or the one from before where the disk takes nothing.

        Raises:
            OSError: there is none from before, either.
        """
        try:
            return self.file(now)
        except OSError as problem:
            if not self.known_file.exists():
                raise
            log.warning("the port's certificate cannot be made anew", reason=problem.strerror)
            return self.known_file

    def _is_still_good(self, pem: bytes, now: datetime) -> bool:
        try:
            public = _public_pem(serialization.load_pem_private_key(pem, None).public_key())
            return self.authority.is_current(pem.decode("ascii"), self._wanted(public), now)
        except ValueError:
            return False  # damaged, and made anew

    def _wanted(self, public_key_pem: str) -> CertificateRequest:
        return CertificateRequest(public_key_pem, self.names, Role.MANAGER, PORT_TERM)


def _make_root(now: datetime) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ROOT_NAME)])
    certificate = (
        _unsigned(name, key.public_key(), name, (now - CLOCK_SKEW, now + AUTHORITY_LIFE))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Signer(certificate, key)


def _open_issuer(folder: Path, root: Signer, role: Role) -> Signer:
    """Who issues for a role: in a file of the folder, made anew by the root when it is not there.

    Nobody has to know it beforehand, since whoever shows a certificate shows its chain.
    """
    basic = root.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if basic.path_length == 0:
        return root
    file = folder / f"{role.name.lower()}-issuer.pem"
    if file.exists():
        pem = file.read_bytes()
        try:
            found = Signer(x509.load_pem_x509_certificate(pem), _elliptic(pem))
            found.certificate.verify_directly_issued_by(root.certificate)
            if _public_pem(found.certificate.public_key()) == _public_pem(found.key.public_key()):
                return found
        except (ValueError, TypeError, InvalidSignature):
            pass  # damaged, or of another root
    made = _make_issuer(root, role)
    write_private(file, key_pem(made.key) + made.pem)
    return made


def _make_issuer(root: Signer, role: Role) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER_NAMES[role])])
    times = (root.certificate.not_valid_before_utc, root.certificate.not_valid_after_utc)
    certificate = (
        _unsigned(name, key.public_key(), root.certificate.subject, times)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_key_of(root), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return Signer(certificate, key)


def _unsigned(
    subject: x509.Name,
    public_key: _Certifiable,
    issuer: x509.Name,
    times: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(times[0])
        .not_valid_after(times[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def usage(*, signs: bool) -> x509.KeyUsage:
    """What a key is for: to sign certificates, too, or to prove who somebody is alone."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_of(issuer: Signer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _read_root(certificate_file: Path, key_file: Path) -> Signer:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = _elliptic(key_file.read_bytes())
    except ValueError as problem:
        raise CloudgateError(
            f"The certificate authority in {certificate_file.parent} is damaged: {problem}."
            " Put back its files from a backup."
        ) from None
    if _public_pem(certificate.public_key()) != _public_pem(key.public_key()):
        raise CloudgateError(
            f"{key_file} is not the key of {certificate_file}. Put back both from one backup."
        )
    return Signer(certificate, key)


def _elliptic(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not one of an elliptic curve")  # noqa: TRY004  as cryptography
    return key


def _public_key(pem: str) -> _Certifiable:
    try:
        found = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise CloudgateError("The host reported a public key that cannot be read.") from None
    if not isinstance(found, _CERTIFIABLE):
        raise CloudgateError("The host reported a public key that no certificate can have.")
    return found


def _covered(leaf: x509.Certificate) -> set[x509.GeneralName]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return set(found.value)


def common_name(name: str) -> x509.NameAttribute[str]:
    """A name for people, as much of it as a certificate can have (X.520; bytes of UTF-8 here)."""
    cut = name.encode()[:_COMMON_NAME_BYTES].decode(errors="ignore")
    return x509.NameAttribute(NameOID.COMMON_NAME, cut)


def _subject(name: str, role: Role) -> x509.Name:
    return x509.Name(
        [
            common_name(name),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.value),
        ]
    )


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


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """A private key, in PEM and in the clear."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
