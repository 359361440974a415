"""How does a test have a certificate that programs verify? By an authority of its own."""

import datetime as dt
import ssl
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.support.certificates.certificate_roles import public_pem
from tests.support.certificates.client_certificates import key_pem


class Authority:
    """A certificate authority for one test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = self._sign(self._name, self._key.public_key(), constraints)
        self.pem = _pem(self._certificate)

    def certificate(self, public_pem: str, called: str = "localhost") -> str:
        """A new certificate for a DNS name or IP address."""
        key = load_pem_public_key(public_pem.encode())
        assert isinstance(key, ec.EllipticCurvePublicKey)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, called)])
        try:
            general: x509.GeneralName = x509.IPAddress(ip_address(called))
        except ValueError:
            general = x509.DNSName(called)
        names = x509.SubjectAlternativeName([general])
        return _pem(self._sign(name, key, names))

    def server_context(self, folder: Path, called: str = "localhost") -> ssl.SSLContext:
        """For a server that shows a certificate of this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        file = folder / "server.pem"
        file.write_text(self.certificate(public_pem(key), called) + key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
