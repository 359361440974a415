"""Certificate rules: may a certificate be a gateway's? Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from cloudgate.errors import InvalidRequestError
from cloudgate.trust.key_strength import LEAST_RSA_BITS
from cloudgate.trust.unreadable import UNREADABLE
from cloudgate.values.enumeration import few

_PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class BroughtCertificate:
    """A certificate with its key."""

    chain_pem: str
    """Leaf first."""
    key_pem: str = field(repr=False)


def from_pem(text: str) -> BroughtCertificate:
    """The certificates and the key in one text, in whatever order.

    Raises:
        InvalidRequestError: one of them is missing or malformed, or they do not belong together.
    """
    data = text.encode()
    try:
        certificates = x509.load_pem_x509_certificates(data)
        key = serialization.load_pem_private_key(data, None)
    except UNREADABLE:
        raise InvalidRequestError(
            "Pem: expected the certificate, those of its issuers, and its key without a password,"
            " each as PEM, in one text."
        ) from None
    return _checked(certificates, key)


def issued(chain_pem: str, key_pem: str, names: Collection[str]) -> BroughtCertificate:
    """What an authority has issued for a key of ours, if it is for all of these names.

    Raises:
        InvalidRequestError: it is malformed, or for another key or other names.
    """
    try:
        certificates = x509.load_pem_x509_certificates(chain_pem.encode())
        found = _checked(certificates, serialization.load_pem_private_key(key_pem.encode(), None))
        said = _names_of(leaf_of(found.chain_pem))
    except UNREADABLE:
        raise InvalidRequestError("It is no certificate that can be read.") from None
    missing = sorted(set(names) - said)
    if missing:
        raise InvalidRequestError(f"The certificate is not for {few(missing)}.")
    return found


def _names_of(leaf: x509.Certificate) -> set[str]:
    """The DNS names that it is good for (RFC 5280, 4.2.1.6), in lower case."""
    said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {each.lower() for each in said.get_values_for_type(x509.DNSName)}


def from_pfx(data: bytes, password: str) -> BroughtCertificate:
    """The certificates and the key in a PKCS#12 file (RFC 7292).

    Raises:
        InvalidRequestError: as `from_pem`, or the password is wrong.
    """
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(data, password.encode() or None)
    except UNREADABLE:
        raise InvalidRequestError("Pfx: it is malformed, or its password is wrong.") from None
    if key is None or leaf is None:
        raise InvalidRequestError("Pfx: expected a certificate and its key.")
    return _checked([leaf, *others], key)


def check_time(brought: BroughtCertificate, now: datetime) -> None:
    """See that the certificate is in force.

    Raises:
        InvalidRequestError: it has expired, or is not yet.
    """
    leaf = leaf_of(brought.chain_pem)
    if leaf.not_valid_after_utc <= now:
        raise InvalidRequestError(
            f"The certificate has expired at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC."
        )
    if leaf.not_valid_before_utc > now:
        raise InvalidRequestError(
            f"The certificate is good from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only."
        )


def leaf_of(chain_pem: str) -> x509.Certificate:
    """The certificate itself, without those of its issuers."""
    return x509.load_pem_x509_certificates(chain_pem.encode())[0]


def _checked(certificates: Sequence[x509.Certificate], key: object) -> BroughtCertificate:
    if not isinstance(key, _PrivateKey):
        raise InvalidRequestError("The key must be of RSA or of an elliptic curve.")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        raise InvalidRequestError(
            f"The key has {key.key_size} bits; RSA keys have {LEAST_RSA_BITS} at least."
        )
    own = _public(key.public_key())
    leaf = next((each for each in certificates if _public_of(each) == own), None)
    if leaf is None:
        raise InvalidRequestError("The key is not the one of any of the certificates.")
    try:
        is_for_servers, chain = _is_for_servers(leaf), _in_order(leaf, certificates)
    except UNREADABLE:
        raise InvalidRequestError("The certificate, or one of its issuers, is malformed.") from None
    if not is_for_servers:
        raise InvalidRequestError(
            "The certificate is not for servers: its extended key usage lacks serverAuth."
        )
    return BroughtCertificate(
        chain_pem="".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in chain),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def _is_for_servers(leaf: x509.Certificate) -> bool:
    """RFC 5280, 4.2.1.12: without the extension, it is for everything."""
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return not allowed.isdisjoint(usage)


def _in_order(
    leaf: x509.Certificate, certificates: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """The certificate, its issuer, that one's issuer, as far as they are there."""
    chain = [leaf]
    while chain[-1].issuer != chain[-1].subject:
        issuer = next((each for each in certificates if each.subject == chain[-1].issuer), None)
        if issuer is None or issuer in chain:
            break
        chain.append(issuer)
    return chain


def thumbprint(chain_pem: str) -> str:
    """SHA-256 of the certificate, as 64 hexadecimal digits."""
    return leaf_of(chain_pem).fingerprint(hashes.SHA256()).hex()


def _public_of(certificate: x509.Certificate) -> bytes:
    try:
        return _public(certificate.public_key())
    except UNREADABLE:
        return b""  # of a kind that nobody here knows, so it is none of a gateway


def _public(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
