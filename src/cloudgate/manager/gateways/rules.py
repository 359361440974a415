"""Gateway rules: which settings may it have, where does it listen, and where is it found? Pure.

All by the API's page on POST /cloud/gateways; where that is silent, by docs/api.md.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cloudgate.errors import InvalidRequestError
from cloudgate.network import address_ranges, hostport
from cloudgate.network.destinations import is_loopback
from cloudgate.values import fields

DEFAULT_EXTERNAL_PORT = 6180
DEFAULT_INTERNAL_PORT = 8080
DIRECT = "Direct"
NAT = "NAT"
GATEWAY_KINDS = ("Windows", "Linux", "Local")


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """What an operator decides about a gateway: the one statement of it.

    The API's bodies have fields of the same names. What a host is told of them, `host_fields` says.
    """

    description: str = ""
    enabled: bool = True
    network_mode: str = DIRECT
    external_ip: str | None = None
    """Address or DNS name under which tenants reach it; None: the host's own address."""
    external_port: int = DEFAULT_EXTERNAL_PORT
    internal_port: int = DEFAULT_INTERNAL_PORT
    proxy_protocol_networks: tuple[str, ...] = ()
    """Of load balancers in front of it, which may say by PROXY protocol for whom they ask."""

    @property
    def resource_fields(self) -> dict[str, Any]:
        """As the API shows them, by the names of the fields; what is empty is not there."""
        return {**vars(self), "proxy_protocol_networks": self.proxy_protocol_networks or None}

    @property
    def host_fields(self) -> dict[str, Any]:
        """As the gateway's host is told them: members of `protocol.Gateway`."""
        return {
            "addresses": listening_addresses(self),
            "port": listening_port(self),
            "accepting": self.enabled,
            "proxy_networks": self.proxy_protocol_networks,
        }

    def as_document(self) -> dict[str, Any]:
        """For the database."""
        return {**asdict(self), "proxy_protocol_networks": list(self.proxy_protocol_networks)}


def from_document(document: dict[str, Any]) -> GatewaySettings:
    """From the database."""
    networks = tuple(document.get("proxy_protocol_networks", ()))
    return fields.from_document(GatewaySettings, document, proxy_protocol_networks=networks)


def changed(wanted: GatewaySettings, change: Mapping[str, Any], shown: str) -> GatewaySettings:
    """What is wanted of a gateway once somebody asked for a change of what was wanted before.

    Args:
        wanted: before.
        change: what is given, by the names of the fields; an empty ExternalIP is as left out.
        shown: the gateway's ExternalIP by `shown_external_ip`: it comes back with a whole entity.
    """
    given = dict(change)
    address = given.pop("external_ip", None) or None
    if given.get("network_mode", wanted.network_mode) == DIRECT:
        if wanted.network_mode == NAT:
            # What tenants were told was the NAT device's.
            address = None if address == wanted.external_ip else address
            wanted = replace(wanted, external_ip=None)
        if wanted.external_ip is None and address == shown:
            address = None  # nobody chose it: it was filled in, or is the NAT device's
    return replace(wanted, **given, external_ip=address or wanted.external_ip)


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
    networks = dict.fromkeys(
        address_ranges.network(each) for each in settings.proxy_protocol_networks
    )
    settings = replace(settings, proxy_protocol_networks=tuple(networks))
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
    settings: GatewaySettings, name: str, claimed: Iterable[str], certain: Iterable[str]
) -> str:
    """What the API shows as ExternalIP: what was given, else an address of the host.

    Args:
        settings: the gateway's.
        name: what the operator called the gateway.
        claimed: the addresses that the host says to have, the best first.
        certain: those that are more than its word.
    """
    if settings.external_ip:
        return settings.external_ip
    known, sure = tuple(claimed), tuple(certain)
    if _is_address(name) and name in known:
        return name
    both = (each for each in known if each in sure and not is_loopback(each))
    seen = (each for each in sure if not is_loopback(each))
    return next(both, "") or next(seen, "") or next(iter(known), name)


def certificate_names(
    settings: GatewaySettings, said: Iterable[str], seen: Iterable[str]
) -> tuple[str, ...]:
    """The names and addresses that may stand in a gateway's certificate.

    Args:
        settings: the gateway's, with the ExternalIP that an operator gave.
        said: what else an operator said: the names of gateway and managed server.
        seen: the addresses that the manager saw itself.
    """
    names = {*said, *seen, settings.external_ip or ""}
    return tuple(sorted({found for name in names if (found := _certified(name))}))


def unsigned_claims(
    host_name: str, addresses: Iterable[str], signed: Iterable[str]
) -> tuple[str, ...]:
    """What a machine says of itself that its certificate is not for, and tenants might dial."""
    known = {each.casefold() for each in signed}
    labels = {each.partition(".")[0] for each in known if not _is_address(each)}
    name = host_name.rstrip(".").casefold()
    is_new = name not in known and name.partition(".")[0] not in labels and name != "localhost"
    others = [each for each in addresses if each not in known and not is_loopback(each)]
    return (*([host_name] if is_new and name else []), *others)


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
