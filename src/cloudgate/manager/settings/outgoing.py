"""Outgoing messages: by which mail server, and to which addresses, may the manager send? Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import unquote, urlsplit

from cloudgate.errors import InvalidRequestError
from cloudgate.network.address_ranges import named_networks
from cloudgate.network.destinations import final_address, is_never

Network = IPv4Network | IPv6Network
_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, always with TLS."""

    host: str
    port: int
    sender: str
    """The address that mail is from."""
    starts_plain: bool = True
    """Whether TLS begins with STARTTLS (RFC 3207), or with the connection (RFC 8314)."""
    user: str = ""
    password: str = field(default="", repr=False)
    authority_pem: str = ""
    """Whom to trust that it is the server; the system's authorities when empty."""


@dataclass(frozen=True)
class OutgoingSettings:
    """What the operator who started the manager has said of messages to others."""

    mail: MailServer | None = None
    """None while there is no mail."""
    networks: tuple[Network, ...] = ()
    """Networks of the provider's own that programs may be called in."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """Of mail, in place of the usual ones, by their names."""

    def may_be_called(self, address: str) -> bool:
        """Whether a program at an IP address may be called: outside, or where it was allowed."""
        found = final_address(address)
        if found is None or is_never(address):
            return False
        of_family = (each for each in self.networks if each.version == found.version)
        return found.is_global or any(found in each for each in of_family)


def mail_server(url: str, sender: str, password: str, authority_pem: str) -> MailServer:
    """A mail server by its address, such as ``smtp://user@mail.example:587``.

    Raises:
        InvalidRequestError: it is none, or nobody is named that mail is from.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if (
        not host
        or port == 0
        or parts.scheme not in _PORTS
        or parts.path.strip("/")
        or parts.password
    ):
        raise InvalidRequestError(
            f"--smtp: found {url!r}, expected smtp://USER@HOST:PORT (TLS by STARTTLS) or"
            " smtps://USER@HOST:PORT (TLS from the start); the password stands in the file of"
            " --smtp-password-file."
        )
    if "@" not in sender.strip("@") or any(each.isspace() for each in sender):
        raise InvalidRequestError(
            f"--mail-from: found {sender!r}, expected the address that mail is from, such as"
            " cloudgate@provider.example."
        )
    return MailServer(
        host=host,
        port=port or _PORTS[parts.scheme],
        sender=sender,
        starts_plain=parts.scheme == "smtp",
        user=unquote(parts.username or ""),
        password=password,
        authority_pem=authority_pem,
    )


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks of the provider's own that programs may be called in.

    Raises:
        InvalidRequestError: a text is none.
    """
    return named_networks(
        texts, "--hook-network: {} is no IP address or network such as 10.0.0.0/8"
    )
