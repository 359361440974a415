"""How is one gateway spoken to? TLS that verifies whom it speaks with, and HTTP in it."""

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudgate.connect.settings import Address
from cloudgate.errors import (
    AccessDeniedError,
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    UnavailableError,
)

DIAL_SECONDS = 1.2
"""How long a gateway has for a TLS handshake; short, so that another is tried in time."""
ANSWER_SECONDS = 20.0
"""How long it has for the answer to CONNECT: the tenant may have to wait for a place."""
PIECE_BYTES = 256 * 1024
"""Read at a time, at most."""
_LONGEST_HEAD_BYTES = 16 * 1024
_LONGEST_DOCUMENT_BYTES = 4 * 1024 * 1024
_TCP_CONGESTION = getattr(socket, "TCP_CONGESTION", None)


class SetApartError(AccessDeniedError):
    """This gateway is not for this tenant; another one may be."""


@dataclass(frozen=True)
class Identity:
    """Who the tenant is, and whom it trusts."""

    tenant: str
    password: str = field(repr=False)
    context: ssl.SSLContext = field(repr=False)
    fingerprint: str | None = None
    """SHA-256 of the certificate that every gateway has to show; None where names are verified."""

    @property
    def authorization(self) -> str:
        """The value of an authorization header of the Basic scheme (RFC 7617)."""
        both = f"{self.tenant}:{self.password}".encode()
        return "Basic " + base64.b64encode(both).decode("ascii")


def identity(tenant: str, password: str, ca: Path | None, fingerprint: str | None) -> Identity:
    """Make one.

    Raises:
        InvalidRequestError: the authority cannot be read, or the fingerprint is none.
    """
    pinned = fingerprint.replace(":", "").strip().lower() if fingerprint else None
    if pinned is not None and (len(pinned) != hashlib.sha256().digest_size * 2 or not _hex(pinned)):
        raise InvalidRequestError("The fingerprint must be a SHA-256 of 64 hexadecimal digits.")
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except (OSError, ssl.SSLError) as problem:
        raise InvalidRequestError(f"Cannot read the authority {ca}: {problem}.") from None
    context.set_alpn_protocols(["http/1.1"])
    if pinned is not None:
        # The one certificate is compared instead, which says more than any name.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return Identity(tenant, password, context, pinned)


class Gate:
    """A connection to a gateway, verified; a tunnel once the gateway has let the tenant in."""

    def __init__(
        self, gateway: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.gateway = gateway
        self._reader = reader
        self._writer = writer
        self._rest = b""

    async def read(self) -> bytes:
        """What has come; empty when the other side has said all.

        Raises:
            OSError: the connection broke.
        """
        rest, self._rest = self._rest, b""
        return rest or await self._reader.read(PIECE_BYTES)

    async def write(self, data: bytes) -> None:
        """Send; returns when there is room for more.

        Raises:
            OSError: the connection broke.
        """
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """Hang up at once."""
        self._writer.transport.abort()

    async def ask(self, request: str) -> tuple[int, dict[str, str]]:
        """Send a request's head; the status and the headers of its answer, names in lower case."""
        try:
            await self.write(request.encode("utf-8"))
            while b"\r\n\r\n" not in self._rest:
                await self._more(_LONGEST_HEAD_BYTES)
        except OSError as error:
            raise self._hung_up(error) from None
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in rest if ": " in line)
        try:
            return int(first.split()[1]), headers
        except (IndexError, ValueError):
            raise UnavailableError(f"What answers at {self.gateway} is no gateway.") from None

    async def body(self, headers: dict[str, str]) -> bytes:
        """The body of the answer with these headers."""
        length = int(headers.get("content-length", "0") or 0)
        try:
            while len(self._rest) < length:
                await self._more(_LONGEST_DOCUMENT_BYTES)
        except OSError as error:
            raise self._hung_up(error) from None
        return self._rest[:length]

    async def _more(self, most_bytes: int) -> None:
        data = await self._reader.read(PIECE_BYTES)
        self._rest += data
        if not data or len(self._rest) > most_bytes:
            raise UnavailableError(f"What answers at {self.gateway} hung up, or is no gateway.")

    def _hung_up(self, error: OSError) -> UnavailableError:
        return UnavailableError(f"The gateway {self.gateway} hung up: {error.strerror or error}.")


async def dial(gateway: Address, who: Identity) -> Gate:
    """Connect to a gateway, and see that it is one.

    Raises:
        UnavailableError: it does not answer.
        NotAuthenticatedError: its certificate is not to be trusted.
    """
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            reader, writer = await asyncio.open_connection(
                gateway.host, gateway.port, ssl=who.context, limit=PIECE_BYTES
            )
    except OSError as problem:  # TimeoutError is one, too
        raise _said_well(gateway, problem) from None
    gate = Gate(gateway, reader, writer)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    try:
        _check_pin(gateway, shown, who)
    except NotAuthenticatedError:
        gate.close()
        raise
    _tune(writer.get_extra_info("socket"))
    return gate


def _said_well(gateway: Address, problem: OSError) -> CloudgateError:
    """What keeps a gateway from being reached, in words for the tenant."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return NotAuthenticatedError(
            f"The gateway {gateway} cannot be verified: {problem.verify_message}. Give the"
            " authority that signed its certificate with --ca, or pin it with --fingerprint."
        )
    if isinstance(problem, TimeoutError):
        return UnavailableError(f"The gateway {gateway} does not answer.")
    reason = problem.strerror or str(problem)
    return UnavailableError(f"The gateway {gateway} does not answer: {reason}.")


async def open_tunnel(gateway: Address, target: Address, who: Identity) -> Gate:
    """A tunnel to `target` (CONNECT, RFC 9110 section 9.3.6).

    Raises:
        NotAuthenticatedError: the gateway, or the tenant's password, is not right.
        SetApartError: another gateway may let the tenant in.
        AccessDeniedError: the tenant may not go there.
        UnavailableError: the gateway or the target does not answer.
    """
    gate = await dial(gateway, who)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            status, headers = await gate.ask(
                f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
                f"Proxy-Authorization: {who.authorization}\r\n\r\n"
            )
            if status == 200:  # noqa: PLR2004
                return gate
            reason = (await gate.body(headers)).decode("utf-8", "replace").strip()
    except TimeoutError as problem:
        gate.close()
        raise _said_well(gateway, problem) from None
    except (CloudgateError, asyncio.CancelledError):
        gate.close()
        raise
    gate.close()
    raise _refusal(gateway, status, reason, who)


async def read_document(gateway: Address, who: Identity) -> dict[str, Any]:
    """What a gateway tells a tenant of the gateways that it may use.

    Raises:
        CloudgateError: as `open_tunnel`.
    """
    gate = await dial(gateway, who)
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            status, headers = await gate.ask(
                f"GET /.well-known/cloudgate HTTP/1.1\r\nHost: {gateway}\r\n"
                f"Authorization: {who.authorization}\r\nConnection: close\r\n\r\n"
            )
            body = await gate.body(headers)
    except TimeoutError:
        raise UnavailableError(f"The gateway {gateway} does not answer.") from None
    finally:
        gate.close()
    if status != 200:  # noqa: PLR2004
        raise _refusal(gateway, status, body.decode("utf-8", "replace").strip(), who)
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("Gateways"), list):
        raise UnavailableError(f"What answers at {gateway} is no gateway of Cloudgate.")
    return found


def _refusal(gateway: Address, status: int, reason: str, who: Identity) -> CloudgateError:
    if status in (401, 407):
        return NotAuthenticatedError(
            f"The gateway {gateway} does not accept the name {who.tenant} with this password."
        )
    if status == 403 and "set apart" in reason:  # noqa: PLR2004
        return SetApartError(f"{gateway}: {reason}")
    if status == 403:  # noqa: PLR2004
        return AccessDeniedError(f"{gateway}: {reason}")
    return UnavailableError(f"{gateway}: {reason or f'status {status}'}")


def _check_pin(gateway: Address, shown_der: bytes, who: Identity) -> None:
    found = hashlib.sha256(shown_der).hexdigest()
    if who.fingerprint is not None and found != who.fingerprint:
        raise NotAuthenticatedError(
            f"The gateway {gateway} shows a certificate with the fingerprint {found}, which is not"
            " the one that was given."
        )


def _tune(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if _TCP_CONGESTION is not None:
        with contextlib.suppress(OSError):  # a kernel without it stays with what it has
            connection.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, b"bbr")


def _hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
