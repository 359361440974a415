"""Proxies: by which address did a client come, and from where? Pure.

A proxy in front of the manager says so with Forwarded (RFC 7239) or the older X-Forwarded-*
headers, and by X-Forwarded-Prefix what it has taken from the path. Anybody can send these, so they
count only when the proxy is one that was configured.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from cloudgate.errors import InvalidRequestError
from cloudgate.network import hostport
from cloudgate.network.address_ranges import named_networks
from cloudgate.values import endpoints, ip_addresses

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Hop = dict[str, str]
"""What one proxy said, by the names of RFC 7239: ``for``, ``host``, ``proto``."""
_HOST = re.compile(r"[A-Za-z0-9._~\[\]:-]{1,300}")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]{1,100}){0,20}")
_QUOTED = r'"(?:[^"\\]|\\.?)*(?:"|\Z)'
"""What is not ended ends with the text, so that no text is gone through more than once."""
_ELEMENT = re.compile(f'(?:[^,"]|{_QUOTED})+', re.DOTALL)
_PAIR = re.compile(f'(?:[^;"]|{_QUOTED})+', re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """How a request came, as far as it can be trusted."""

    scheme: str
    host: str
    """With the port, as in the Host header."""
    address: str
    """The client's IP address."""
    prefix: str = ""
    """What a proxy has taken from the beginning of the path; begins with a slash, if it is not
    empty, and does not end with one."""


def is_host(said: str) -> bool:
    """Whether a Host header (RFC 9110, section 7.2) can go into addresses."""
    return bool(_HOST.fullmatch(said)) and endpoints.names_a_host(f"//{said}")


def own_host(address: str, port: int) -> str:
    """The manager's own address as it stands in a Host header, for who names no host.

    A socket of both families says an IPv4 address by its mapped form.
    """
    return hostport.join(ip_addresses.plain(address), port)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of configured proxies.

    Raises:
        InvalidRequestError: a text is no IP address and no network such as 10.0.0.0/8.
    """
    return named_networks(texts, "The trusted proxy {} is no IP address or network")


def origin(direct: Origin, headers: Mapping[str, str], trusted: tuple[Network, ...]) -> Origin:
    """How a request really came, given how it reached the manager.

    Args:
        direct: scheme, Host header and peer address of the connection.
        headers: the request's, names in lower case.
        trusted: the proxies that are believed.

    Raises:
        InvalidRequestError: it names two clients, of which one was not named by a proxy.
    """
    if not is_trusted(direct.address, trusted):
        return direct
    told = [hops(headers[name], headers) for name, hops in _HEADERS.items() if name in headers]
    found = [_origin(direct, hops, trusted) for hops in told or [iter([_common(headers)])]]
    first = found[0]
    # A proxy writes one of the two, and hands on the other, which anybody may have sent.
    if any(each.address != first.address for each in found):
        raise InvalidRequestError(
            "Forwarded and X-Forwarded-For name different clients. Have the proxy take away the one"
            " that it does not write."
        )
    return replace(first, prefix=_prefix(headers.get("x-forwarded-prefix", "")))


def _origin(direct: Origin, hops: Iterator[_Hop], trusted: tuple[Network, ...]) -> Origin:
    """From the nearest proxy outwards: the first hop that is not a trusted proxy is the client."""
    address = direct.address
    chosen: _Hop = {}
    for hop in hops:
        chosen = {**chosen, **hop}
        said = _address(hop.get("for", ""))
        address = said or address
        # Who a proxy does not know, or does not name, may say anything.
        if not is_trusted(address, trusted) or (hop.get("for") and not said):
            break
    scheme = chosen.get("proto", "").lower()
    host = chosen.get("host", "")
    return Origin(
        scheme=scheme if scheme in ("http", "https") else direct.scheme,
        host=host if is_host(host) else direct.host,
        address=address,
    )


def _prefix(said: str) -> str:
    """What the proxies have taken from the path, the outermost first.

    It goes into links and into the path of a cookie, so it is nothing at all unless each part of
    it is made of what needs no escaping anywhere (RFC 3986, 2.3), and leads nowhere else.
    """
    each_said = (each.strip().removesuffix("/").removeprefix("/") for each in said.split(","))
    prefix = "".join(f"/{each}" for each in each_said if each)
    parts = prefix.split("/")
    if not _PREFIX.fullmatch(prefix) or "." in parts or ".." in parts:
        return ""
    return prefix


def is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    """Whether an address is one of a proxy that is believed."""
    if not trusted:
        return False
    try:
        found = ip_addresses.read(address)
    except ValueError:
        return False
    return any(found in network for network in trusted)


def _forwarded(said: str, _headers: Mapping[str, str]) -> Iterator[_Hop]:
    """What each proxy said (RFC 7239, 4), the nearest first."""
    elements = _ELEMENT.findall(said)
    return (_pairs(each) for each in reversed(elements) if each.strip())


def _forwarded_for(said: str, headers: Mapping[str, str]) -> Iterator[_Hop]:
    """The same of X-Forwarded-For, beside which the others are of the whole way."""
    common = _common(headers)
    named = (each.strip() for each in reversed(said.split(",")))
    return (
        ({"for": each, **common} for each in named if each) if said.strip(" ,") else iter([common])
    )


_HEADERS: Mapping[str, Callable[[str, Mapping[str, str]], Iterator[_Hop]]] = {
    "forwarded": _forwarded,
    "x-forwarded-for": _forwarded_for,
}


def _common(headers: Mapping[str, str]) -> _Hop:
    host = headers.get("x-forwarded-host", "").split(",")[0].strip()
    port = headers.get("x-forwarded-port", "").split(",")[0].strip()
    if host and port.isdigit() and not re.search(r":\d+$", host):
        host = f"{host}:{port}"
    proto = headers.get("x-forwarded-proto", "").split(",")[0].strip()
    return {name: text for name, text in (("host", host), ("proto", proto)) if text}


def _pairs(element: str) -> _Hop:
    found = {}
    for pair in _PAIR.findall(element):
        name, _, value = pair.partition("=")
        text = value.strip()
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:].removesuffix('"'))
        found[name.strip().lower()] = text
    return found


def _address(text: str) -> str:
    """The IP address of a node, without its port; empty for one that hides it."""
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        return str(ip_addresses.read(host))
    except ValueError:
        return ""
