"""Loopback endpoints: how do host service and Envoy meet where there are no Unix sockets?

Every user of the machine reaches those. Both sides of the authorizer's port therefore prove with
the same key that they are who they are; it lies in the folder that only its owner may read. So
nobody else asks for tunnels, or answers in the authorizer's place when that does not run. Envoy's
administration knows no passwords: it has only those pages that do no harm and tell no secret.
"""

import datetime as dt
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloudgate.host.envoy.unix_endpoints import ANSWER_SECONDS
from cloudgate.host.state.files import read_if_there, read_or_backup, write_private
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.private_key import pem_of
from cloudgate.processes.socket_handoff import BACKLOG, inherit_listener

ADDRESS = "127.0.0.1"
PAGES = ("/ready", "/stats?", "/listeners?", "/config_dump?resource=dynamic_listeners&")
"""What the administration shows; and it opens its log files anew, when it is asked to."""
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_ALWAYS = dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(2199, 1, 1, tzinfo=dt.UTC)
"""A machine whose clock is wrong has a gateway nevertheless."""


class LoopbackEndpoints:
    """Local endpoints on ports of loopback, where both sides show one certificate."""

    def __init__(self, paths: StatePaths) -> None:
        self._paths = paths

    @property
    def context(self) -> ssl.SSLContext | None:
        """Both sides show the one certificate."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        made.verify_mode = ssl.CERT_REQUIRED
        certificate, _ = self._identity()
        made.load_verify_locations(cadata=certificate)
        made.load_cert_chain(self._paths.local_identity)
        return made

    def listen(self) -> socket.socket:
        """A socket at the same port as before, unless somebody else has that by now."""
        port = self._port()
        found = inherit_listener(socket.AF_INET, (ADDRESS, port))
        if found is not None:
            return found
        try:
            made = _bound(port)
        except OSError:  # EADDRINUSE, EACCES: any other port is as good, and is told to Envoy
            made = _bound(0)
        made.listen(BACKLOG)
        port = made.getsockname()[1]
        if port != self._port():
            write_private(self._paths.authorizer_port, str(port))
        return made

    def authorizer_endpoint(self) -> dict[str, Any]:
        """Its port, and the certificate that both sides show."""
        certificate, key = self._identity()
        pair = {"certificate_chain": certificate, "private_key": key}
        context = {
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_3",
                "tls_maximum_protocol_version": "TLSv1_3",
            },
            "tls_certificates": [{name: {"inline_string": pem} for name, pem in pair.items()}],
            "validation_context": {"trusted_ca": {"inline_string": certificate}},
        }
        return {
            "address": _address(self._port()),
            "transport_socket": {
                "name": "envoy.transport_sockets.tls",
                "typed_config": {"@type": _TLS, "common_tls_context": context},
            },
        }

    def admin_config(self, mark: str) -> dict[str, Any]:
        """Some port, with few pages."""
        del mark
        shown = [{"prefix": each} for each in PAGES]
        return {"address": _address(0), "allow_paths": [*shown, {"exact": "/reopen_logs"}]}

    def command_line(self, mark: str) -> Sequence[str]:
        """Where to write which port it is."""
        return ("--admin-address-path", str(self._paths.admin_address(mark)))

    def admin_client(self, mark: str) -> httpx2.AsyncClient | None:
        """By the port that was written down."""
        address = read_if_there(self._paths.admin_address(mark))
        if not address:
            return None
        return httpx2.AsyncClient(
            base_url=f"http://{address.strip()}", timeout=ANSWER_SECONDS, trust_env=False
        )

    def cleanup(self, mark: str) -> None:
        """The address that was written down."""
        self._paths.admin_address(mark).unlink(missing_ok=True)

    def _port(self) -> int:
        return read_or_backup(self._paths.authorizer_port, int) or 0

    def _identity(self) -> tuple[str, str]:
        """The certificate and its key, made at first need."""
        found = read_or_backup(self._paths.local_identity, _checked)
        if found is None:
            found = _made()
            write_private(self._paths.local_identity, "".join(found))
        return found


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # else another user may listen there, too
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((ADDRESS, port))
    except OSError:
        made.close()
        raise
    return made


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": ADDRESS, "port_value": port}}


def _made() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Cloudgate on this machine")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_ALWAYS[0])
        .not_valid_after(_ALWAYS[1])
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), pem_of(key)


def _checked(text: str) -> tuple[str, str]:
    at = text.index("-----BEGIN PRIVATE KEY-----")
    certificate, key = text[:at], text[at:]
    x509.load_pem_x509_certificate(certificate.encode())
    serialization.load_pem_private_key(key.encode(), None)
    return certificate, key
