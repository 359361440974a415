"""TLS connection: how does one come to speak with a gateway, and the right one?"""

import asyncio
import base64
import contextlib
import errno
import hashlib
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cloudgate.connector.socket_options import (
    PeerSigns,
    peer_signs,
    reset,
    set_keepalive,
    unsent_bytes,
)
from cloudgate.errors import InvalidRequestError, NotAuthenticatedError, UnavailableError
from cloudgate.network.happy_eyeballs import open_tls
from cloudgate.network.hostport import HostPort
from cloudgate.trust.certificate_roles import WrongRoleError, client_context, no_manager
from cloudgate.values import precis

DIAL_SECONDS = 5.0
"""How long a gateway has for TCP and TLS. Others are tried beside it long before that."""
PIECE_BYTES = 256 * 1024
"""Read at a time, at most."""


class GatewayUnreachableError(UnavailableError):
    """This gateway does not answer; another one may."""


class CertificateError(NotAuthenticatedError):
    """What answers cannot show that it is the gateway; another one may."""


@dataclass(frozen=True)
class Identity:
    """Who the tenant is, and whom it trusts."""

    tenant: str
    password: str = field(repr=False)
    """Empty where a certificate is shown in its place."""
    ca: Path | None = None
    """The authority that signs gateways' certificates; the system's when None."""
    fingerprint: str | None = None
    """SHA-256 of the certificate that every gateway has to show; None where names are verified."""
    http1: ssl.SSLContext = field(init=False, repr=False, compare=False)
    http2: ssl.SSLContext = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "http1", self._context("http/1.1"))
        object.__setattr__(self, "http2", self._context("h2"))

    @property
    def authorization(self) -> str:
        """The value of an authorization header; empty where a certificate says who it is."""
        return self.authorization_by(self.password) if self.password else ""

    def authorization_by(self, password: str) -> str:
        """The same by a password, of the Basic scheme (RFC 7617), in its one form."""
        both = f"{precis.name(self.tenant)}:{precis.password(password)}".encode()
        return "Basic " + base64.b64encode(both).decode("ascii")

    def show(self, file: Path) -> None:
        """Show the certificate in a file, which has its key, too, from the next connection on.

        Raises:
            OSError: it cannot be read, or they do not belong together.
        """
        for context in (self.http1, self.http2):
            context.load_cert_chain(file)

    def _context(self, protocol: str) -> ssl.SSLContext:
        try:
            context = client_context(no_manager, file=self.ca)
        except (OSError, ssl.SSLError) as problem:
            raise InvalidRequestError(f"Cannot read the authority {self.ca}: {problem}.") from None
        context.set_alpn_protocols([protocol])
        if self.fingerprint is not None:
            # The one certificate is compared instead, which says more than any name.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def identity(tenant: str, password: str, ca: Path | None, fingerprint: str | None) -> Identity:
    """Make one.

    Raises:
        InvalidRequestError: the authority cannot be read, or the fingerprint is none.
    """
    pinned = fingerprint.replace(":", "").strip().lower() if fingerprint else None
    if pinned is not None and (len(pinned) != hashlib.sha256().digest_size * 2 or not _hex(pinned)):
        raise InvalidRequestError("The fingerprint must be a SHA-256 of 64 hexadecimal digits.")
    return Identity(tenant, password, ca, pinned)


class TlsConnection:
    """A TLS connection to a gateway, verified."""

    def __init__(
        self, gateway: HostPort, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.gateway = gateway
        self._reader = reader
        self._writer = writer
        self._tls = writer.get_extra_info("ssl_object")
        self._cut_because = "the connection was cut"

    @property
    def speaks_http2(self) -> bool:
        """Whether HTTP/2 was agreed on."""
        return bool(self._tls.selected_alpn_protocol() == "h2")

    async def read(self) -> bytes:
        """What has come; empty when the gateway has said that this was all.

        Raises:
            OSError: the connection broke.
        """
        data = await self._reader.read(PIECE_BYTES)
        if not data and not self._was_ended():
            raise ConnectionResetError(errno.ECONNRESET, self._cut_because)
        return data

    def send(self, data: bytes) -> None:
        """Send, whether there is room or not."""
        self._writer.write(data)

    async def room(self) -> None:
        """Wait until there is room to send more.

        Raises:
            OSError: the connection broke.
        """
        await self._writer.drain()

    def unsent_bytes(self) -> int:
        """What was sent and the gateway has not confirmed, as far as the system tells."""
        return unsent_bytes(self._writer)

    def peer_signs(self) -> PeerSigns | None:
        """What TCP knows of the gateway; None where it says nothing."""
        return peer_signs(self._writer)

    def close(self) -> None:
        """Hang up at once."""
        self._writer.transport.abort()

    def reset(self) -> None:
        """The same, and have the gateway know at once, also where it takes nothing."""
        reset(self._writer)

    def cut(self, reason: str) -> None:
        """The same, because of what whoever reads is told."""
        self._cut_because = reason
        self.close()

    def _was_ended(self) -> bool:
        # TCP's end alone may come from anybody in between, or from a gateway that was killed.
        try:
            with contextlib.suppress(ssl.SSLZeroReturnError):
                self._tls.read(1)
        except ssl.SSLError:
            return False
        return True


async def connect(gateway: HostPort, who: Identity, context: ssl.SSLContext) -> TlsConnection:
    """Connect to a gateway, and see that it is one.

    Args:
        gateway: where.
        who: whom to trust.
        context: `who`'s, for the version of HTTP that is wanted.

    Raises:
        GatewayUnreachableError: it does not answer.
        CertificateError: its certificate is not to be trusted.
    """
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            reader, writer = await open_tls(
                gateway.host, gateway.port, context, limit_bytes=PIECE_BYTES
            )
    except WrongRoleError as problem:
        raise CertificateError(
            f"What answers at {gateway} is no gateway: {problem.verify_message}."
        ) from None
    except ssl.SSLCertVerificationError as problem:
        raise CertificateError(
            f"The gateway {gateway} cannot be verified: {problem.verify_message}. Give the"
            " authority that signed its certificate with --ca, or pin it with --fingerprint."
        ) from None
    except OSError as problem:  # TimeoutError is one, too
        raise lost(gateway, problem) from None
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    found = hashlib.sha256(shown).hexdigest()
    if who.fingerprint is not None and found != who.fingerprint:
        writer.transport.abort()
        raise CertificateError(
            f"The gateway {gateway} shows a certificate with the fingerprint {found}, which is not"
            " the one that was given."
        )
    set_keepalive(writer.get_extra_info("socket"))
    return TlsConnection(gateway, reader, writer)


def lost(gateway: HostPort, problem: OSError) -> GatewayUnreachableError:
    """What became of a gateway, in words for the tenant."""
    if isinstance(problem, TimeoutError) or not problem.strerror:
        return GatewayUnreachableError(f"The gateway {gateway} does not answer.")
    return GatewayUnreachableError(f"The gateway {gateway} does not answer: {problem.strerror}.")


def why(problem: OSError) -> str:
    """In words. What the event loop raises by itself has none of the system's."""
    return problem.strerror or str(problem) or "the connection was lost"


def _hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
