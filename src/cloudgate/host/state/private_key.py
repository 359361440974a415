"""Private key: which key pair is the gateway's certificate for? It never leaves this host."""

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloudgate.errors import InvalidRequestError
from cloudgate.host.state.files import read_or_backup, write_mirrored
from cloudgate.host.state.paths import StatePaths


def private_key_pem(paths: StatePaths) -> str:
    """The private key, made at first need and kept for its owner only.

    Raises:
        UnavailableError: There may be one, and it cannot be read now.
    """
    found = read_or_backup(paths.private_key, _checked_key)
    if found is not None:
        return found
    made = pem_of(ec.generate_private_key(ec.SECP256R1()))
    write_mirrored(paths.private_key, made)
    return made


def pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    """A private key as PEM (PKCS #8), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _checked_key(text: str) -> str:
    serialization.load_pem_private_key(text.encode("ascii"), None)
    return text


def public_key_pem(paths: StatePaths) -> str:
    """The public half, for whoever signs the certificate."""
    key = serialization.load_pem_private_key(private_key_pem(paths).encode("ascii"), None)
    return key.public_key().public_bytes(*_PUBLIC).decode("ascii")


def check_certificate(paths: StatePaths, chain_pem: str, key_pem: str | None = None) -> None:
    """See that the certificate is for its key, or for this host's, before Envoy gets it.

    Raises:
        InvalidRequestError: It is none, or for another key.
        UnavailableError: This host's key cannot be read now.
    """
    if key_pem is not None:
        _check_pair(chain_pem, key_pem)
        return
    try:
        leaf = x509.load_pem_x509_certificates(chain_pem.encode("ascii"))[0]
    except ValueError:
        raise InvalidRequestError("The gateway's certificate is not readable PEM.") from None
    if leaf.public_key().public_bytes(*_PUBLIC).decode("ascii") != public_key_pem(paths):
        raise InvalidRequestError("The gateway's certificate is not for this host's key.")


def _check_pair(chain_pem: str, key_pem: str) -> None:
    try:
        leaf = x509.load_pem_x509_certificates(chain_pem.encode("ascii"))[0]
        key = serialization.load_pem_private_key(key_pem.encode("ascii"), None)
    except ValueError:
        raise InvalidRequestError("The gateway's certificate is not readable PEM.") from None
    if leaf.public_key().public_bytes(*_PUBLIC) != key.public_key().public_bytes(*_PUBLIC):
        raise InvalidRequestError("The gateway's certificate is not for the key that came with it.")


_PUBLIC = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
