"""Which settings may a gateway have, where does it listen, and where do tenants find it?

All by the API's page on POST /cloud/gateways; where that is silent, by docs/api.md.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from cloudgate import hostport
from cloudgate.errors import InvalidRequestError

DEFAULT_EXTERNAL_PORT = 6180
DEFAULT_INTERNAL_PORT = 8080
DIRECT = "Direct"
NAT = "NAT"
GATEWAY_KINDS = ("Windows", "Linux", "Local")


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """What an operator decides about a gateway."""

    description: str
    enabled: bool = True
    network_mode: str = DIRECT
    external_ip: str | None = None
    """Address or DNS name under which tenants reach it; None: the host's own address."""
    external_port: int = DEFAULT_EXTERNAL_PORT
    internal_port: int = DEFAULT_INTERNAL_PORT

    def as_document(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self)


def from_document(document: dict[str, Any]) -> GatewaySettings:
    """From the database."""
    return GatewaySettings(**document)


def check(settings: GatewaySettings) -> GatewaySettings:
    """The settings, if a gateway may have them.

    Raises:
        InvalidRequestError: NAT without ExternalIp, or an ExternalIp that names no host.
    """
    if settings.network_mode == NAT and not settings.external_ip:
        raise InvalidRequestError(
            "ExternalIp is missing: behind NAT it must be given, as the address or DNS name"
            " under which tenants reach the NAT device."
        )
    if settings.external_ip:
        return replace(settings, external_ip=host_name_or_address(settings.external_ip))
    return settings


def host_name_or_address(text: str) -> str:
    """An IP address in its usual form, or a DNS name; as typed where that needs A-labels.

    Raises:
        InvalidRequestError: it is neither.
    """
    try:
        return hostport.typed_host(text)
    except hostport.InvalidHostError as error:
        raise InvalidRequestError(
            f"ExternalIp: found {hostport.quoted(text)}, expected an IPv4 or IPv6 address or a DNS"
            f" name: {error.message}."
        ) from None


def listening_port(settings: GatewaySettings) -> int:
    """Direct: ExternalPort. NAT: InternalPort, to which the NAT device forwards."""
    return settings.external_port if settings.network_mode == DIRECT else settings.internal_port


def listening_addresses(settings: GatewaySettings) -> tuple[str, ...]:
    """The addresses to listen on; none means all.

    In direct mode an ExternalIp that is an IP address has to be one of the host's: the gateway
    listens on it and on nothing else, and the host refuses an address that it does not have.
    """
    if (
        settings.network_mode == DIRECT
        and settings.external_ip
        and _is_address(settings.external_ip)
    ):
        return (settings.external_ip,)
    return ()


def shown_external_ip(
    settings: GatewaySettings, host_name: str, host_addresses: Iterable[str]
) -> str:
    """What the API shows as ExternalIP: what was given, else the host's own address."""
    if settings.external_ip:
        return settings.external_ip
    known = tuple(host_addresses)
    if _is_address(host_name) and host_name in known:
        return host_name
    return known[0] if known else host_name


def certificate_names(
    settings: GatewaySettings, gateway_name: str, host_name: str, host_addresses: Iterable[str]
) -> tuple[str, ...]:
    """Under which names and addresses tenants may reach the gateway."""
    names = {host_name, gateway_name, "localhost", *host_addresses}
    if settings.external_ip:
        names.add(settings.external_ip)
    return tuple(sorted({found for name in names if (found := _certified(name))}))


def _certified(name: str) -> str:
    """How a certificate has a name; empty where it cannot have it."""
    try:
        return hostport.parse_host(name)
    except hostport.InvalidHostError:
        return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
