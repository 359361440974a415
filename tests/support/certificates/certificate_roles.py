"""Certificates as a thief or a release before this one has them, and a server that shows them."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudgate.manager.security.authority import Authority, CertificateRequest, gateway_term
from cloudgate.trust.certificate_roles import Role
from tests.support.certificates.client_certificates import key_pem

_NOTHING = b"HTTP/1.1 404 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NOW = datetime.now(UTC)


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def shown_by(
    authority: Authority, role: Role, *names: str, term: timedelta = timedelta(days=14)
) -> str:
    """Key and chain that an authority has signed for a role."""
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = CertificateRequest(public_pem(key), names, role, gateway_term(term.days))
    return key_pem(key) + authority.issue(wanted, NOW)


def make_former_root(folder: Path) -> None:
    """The authority of an installation that the release before this one has made."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cloudgate certificate authority")])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=3600))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.key").write_text(key_pem(key))
    (folder / "ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))


def shown_before(authority: Authority, name: str, life: timedelta) -> str:
    """Key and chain as the release before this one signed them, whatever for."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=2))
        .not_valid_after(NOW + life)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority.root.key, hashes.SHA256())
    )
    pem = leaf.public_bytes(serialization.Encoding.PEM).decode()
    return key_pem(key) + pem + authority.certificate_pem


class Impostor:
    """A TLS server, and what it was told by those who took it for somebody."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard = b""

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


def _request(line: ssl.SSLSocket) -> bytes:
    """A whole request, or what there is of it."""
    heard = b""
    while piece := line.recv(65536):
        heard += piece
        head, end, body = heard.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            break
    return heard


@contextmanager
def showing(folder: Path, pem: str, says: Iterable[bytes] = (_NOTHING,)) -> Iterator[Impostor]:
    """A server that shows a certificate, listens to whoever trusts it, and says 404.

    Or else what `says` has, piece by piece, until nobody takes it any more.
    """
    file = folder / "shown.pem"
    file.write_text(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        impostor = Impostor(listener.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                plain.settimeout(10)
                with contextlib.suppress(OSError), context.wrap_socket(plain, True) as line:
                    heard = _request(line)
                    impostor.heard += heard
                    if heard:
                        for piece in says:
                            line.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield impostor
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(30)
