"""Host and port: what may programs name and gateways dial, and how is it written? Pure.

The grammar is the one of a URI's authority (RFC 3986, section 3.2) for hosts that can be reached:
an IPv4 address, an IPv6 address in brackets, or a name as DNS has it (RFC 1035, section 2.3.4),
where underscores are allowed because they are in use. A name in another script is known by its
A-label (RFC 5890), as programs send it: by UTS 46, as browsers and RFC 5895 read what people type.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

import idna

from cloudgate.errors import InvalidRequestError
from cloudgate.values import endpoints

bracketed, join = endpoints.bracketed, endpoints.join
HIGHEST_PORT = 65535
LONGEST_NAME = 253
"""Of a host name, in characters of its A-labels."""
LONGEST_LABEL = 63
LONGEST = LONGEST_NAME + len("[]:65535")
"""Of host and port together."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_A_PREFIX = "xn--"
_QUOTED_CHARACTERS = 100
# What was a name before there was one grammar; rows of then go on.
_FORMER = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


class InvalidHostError(InvalidRequestError):
    """No program can name such a host or port; the message says why, and begins in the middle."""


@dataclass(frozen=True)
class HostPort:
    """A host name or IP address without brackets, in its usual form, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return join(self.host, self.port)


def is_address(host: str) -> bool:
    """Whether a host in its usual form is an IP address, and no name."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def split(address: str) -> tuple[str, int]:
    """Host without brackets, and port, of a well-formed ``host:port``."""
    return host_of(address), int(address.rpartition(":")[2])


def host_of(address: str) -> str:
    """Host without brackets of a ``host:port``, whatever stands for the port; empty for neither."""
    return address.rpartition(":")[0].removeprefix("[").removesuffix("]")


def parse(text: str, default_port: int | None = None) -> HostPort:
    """``host:port`` in its usual form: A-labels, lower case, no trailing dot, short IPv6.

    Args:
        text: as somebody wrote it.
        default_port: for a text that is a host alone; None where the port must be there.

    Raises:
        InvalidHostError: no program can name it.
    """
    said = text.strip()
    if default_port is not None and said.count(":") > 1 and not said.startswith("["):
        return HostPort(parse_host(said), default_port)  # an IPv6 address alone
    host, port = _apart(said)
    if port is None and default_port is None:
        raise InvalidHostError("the port is missing")
    return HostPort(
        parse_host(host), parse_port(port) if port is not None else default_port or HIGHEST_PORT
    )


def parse_host(text: str) -> str:
    """A host in its usual form; an IPv6 address may stand in brackets, and comes without.

    Raises:
        InvalidHostError: no program can name it.
    """
    if text.startswith("[") or text.endswith("]"):
        return _literal(text)
    if ":" in text:
        return _address(ipaddress.IPv6Address, text)
    mapped = text.lower() if text.isascii() else _mapped(text)
    name = mapped.removesuffix(".")
    if not name:
        raise InvalidHostError("the host is missing")
    if name.rpartition(".")[2].isdigit():
        return _address(ipaddress.IPv4Address, name)
    labels = [_label(each) for each in name.split(".")]
    found = ".".join(labels)
    if len(found) > LONGEST_NAME:
        raise InvalidHostError(
            f"the name has {len(found)} characters, and DNS names have {LONGEST_NAME} at most"
        )
    return found


def known_as(text: str) -> str:
    """What a stored ``host:port`` is known by; what the grammar refuses stays as it is."""
    try:
        return str(parse(text))
    except InvalidHostError:
        return text


def host_known_as(host: str) -> str:
    """What a stored host is known by; what the grammar refuses stays as it is."""
    try:
        return parse_host(host)
    except InvalidHostError:
        return host


def is_host_name(host: str) -> bool:
    """Whether a host in its usual form is more than a name of DNS: without underscores.

    Those are in no name of a host (RFC 1123, section 2.1), and Envoy refuses them in HTTP/1.
    """
    return "_" not in host


def unnamed_in_http1(host: str) -> str:
    """What keeps programs from naming a host to a gateway, and what to do; empty for most. Pure."""
    if is_host_name(host):
        return ""
    return (
        f"Most programs cannot name {host} to a gateway: a host name with an underscore is refused"
        " in HTTP/1.1. Give it another name, or have tenants come in by HTTP/2 or by the connector."
    )


def authority(text: str) -> str | None:
    """The ``host:port`` that a program names in CONNECT; None when it is neither.

    More is understood here than may be written down anew: a repository that was given its name
    before there was one grammar is still found by it.
    """
    return _authority(text) if len(text) <= LONGEST else _authority.__wrapped__(text)


@lru_cache(maxsize=1024)
def _authority(text: str) -> str | None:
    # The same are named again and again; what is long is a stranger's, and not remembered.
    try:
        return str(parse(text))
    except InvalidHostError:
        host, colon, port = text.strip().rpartition(":")
        name = host.lower().removesuffix(".")
        if not colon or len(name) > LONGEST_NAME or not _FORMER.fullmatch(name):
            return None
        return f"{name}:{int(port)}" if _is_port(port) else None


def typed(text: str) -> str:
    """A ``host:port`` as it is shown: as it was typed, where its name is one of another script.

    Raises:
        InvalidHostError: no program can name it.
    """
    found, said = parse(text), text.strip()
    stays = _A_PREFIX in found.host and not said.isascii() and len(said) <= LONGEST
    return said if stays else str(found)


def typed_host(text: str) -> str:
    """A host as it is shown: as it was typed, where it is a name of another script.

    Raises:
        InvalidHostError: no program can name it.
    """
    found = parse_host(text.strip())
    return text.strip() if _A_PREFIX in found and not text.isascii() else found


def quoted(text: str) -> str:
    """What somebody wrote, for a message."""
    return repr(text[:_QUOTED_CHARACTERS])


def _apart(text: str) -> tuple[str, str | None]:
    """What stands for the host, and what for the port; None where nothing does."""
    if "://" in text:
        raise InvalidHostError("only host and port are wanted here, and no URL")
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket:
            raise InvalidHostError("a bracket is missing")
        if rest and not rest.startswith(":"):
            raise InvalidHostError("after the bracket only a colon and the port may follow")
        return host + bracket, rest[1:] if rest else None
    host, colon, port = text.rpartition(":")
    if ":" in host:
        raise InvalidHostError("an IPv6 address stands in brackets before a port")
    return (host, port) if colon else (text, None)


def parse_port(text: str) -> int:
    """A port.

    Raises:
        InvalidHostError: it is none.
    """
    if not _is_port(text):
        raise InvalidHostError(f"the port is {quoted(text)}, and ports are 1 to {HIGHEST_PORT}")
    return int(text)


def _is_port(text: str) -> bool:
    return (
        text.isascii()
        and text.isdigit()
        and len(text) <= len(str(HIGHEST_PORT))
        and 0 < int(text) <= HIGHEST_PORT
    )


def _literal(text: str) -> str:
    if not (text.startswith("[") and text.endswith("]")):
        raise InvalidHostError("a bracket is missing")
    inside = text[1:-1]
    if ":" not in inside:
        raise InvalidHostError("brackets are for IPv6 addresses")
    return _address(ipaddress.IPv6Address, inside)


def _address(kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address], text: str) -> str:
    if "%" in text:
        raise InvalidHostError("an address with a zone means something on one machine only")
    try:
        found = kind(text)
    except ValueError:
        raise InvalidHostError(f"{quoted(text)} is no IP address") from None
    if found.is_unspecified or found.is_multicast:
        raise InvalidHostError(f"{found} is the address of no host")
    return found.compressed


def _mapped(text: str) -> str:
    try:
        return idna.uts46_remap(text, std3_rules=False, transitional=False)
    except idna.IDNAError:
        raise InvalidHostError(f"{quoted(text)} has characters that names cannot have") from None


def _label(text: str) -> str:
    if not text:
        raise InvalidHostError("the name has an empty label: two dots in a row, or one in front")
    if text == "*":
        raise InvalidHostError("an asterisk names no host")
    label = text if text.isascii() else _a_label(text)
    if len(label) > LONGEST_LABEL:
        raise InvalidHostError(f"the label {quoted(text)} has more than {LONGEST_LABEL} characters")
    if label.startswith("-") or label.endswith("-"):
        raise InvalidHostError(f"the label {quoted(text)} begins or ends with a hyphen")
    if not _LABEL.fullmatch(label):
        raise InvalidHostError(
            f"{quoted(text)} has characters that names cannot have: these are letters, digits,"
            " hyphens and underscores"
        )
    return label


def _a_label(text: str) -> str:
    try:
        return idna.alabel(text).decode("ascii")
    except idna.IDNAError as error:
        raise InvalidHostError(
            f"{quoted(text)} is no name that programs could turn into ASCII: {error}"
        ) from None
