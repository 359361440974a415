"""Certificate request: how does a program ask for a certificate of a key that it keeps?"""

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def new_key_pem() -> str:
    """A new private key, in PEM and in the clear."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def request_pem(key_pem: str) -> str:
    """A request (PKCS #10, RFC 2986) that the key has signed: who has the certificate has the key.

    It names nobody: whose the certificate is, who issues it says.

    Raises:
        ValueError: that is no private key of an elliptic curve or of RSA.
    """
    key = serialization.load_pem_private_key(key_pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("the key is neither of an elliptic curve nor of RSA")  # noqa: TRY004
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
