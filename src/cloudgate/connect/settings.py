"""What does a tenant want of the connector? Options and the configuration file. Pure but for files.

The configuration file is TOML with the names of the options: ``gateway`` (one, or a list),
``tenant``, ``listen`` (a list), ``password_file``, ``ca``, ``fingerprint`` and ``half_close`` (true
or false).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudgate.errors import InvalidRequestError

DEFAULT_GATEWAY_PORT = 6180
LOOPBACK = "127.0.0.1"
_HIGHEST_PORT = 65535
_TEXTS = frozenset({"tenant", "password_file", "ca", "fingerprint"})
_NAMES = _TEXTS | {"gateway", "listen", "half_close"}


@dataclass(frozen=True)
class Address:
    """A host name or IP address without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Forward:
    """A local port, and the target that it leads to."""

    local: Address
    target: Address


def read_address(text: str, default_port: int | None = None) -> Address:
    """An address such as ``host:6180``, ``192.0.2.1:6180`` or ``[2001:db8::1]:6180``.

    Raises:
        InvalidRequestError: it is none.
    """
    host, port = _split(text.strip())
    if port is None and default_port is not None:
        return Address(host, default_port)
    if not host or port is None:
        raise InvalidRequestError(f"{text!r} is no address; write HOST:PORT.")
    return Address(host, port)


def read_forward(text: str) -> Forward:
    """``PORT:HOST:PORT`` or ``ADDRESS:PORT:HOST:PORT``; an IPv6 address stands in brackets.

    Raises:
        InvalidRequestError: it is neither.
    """
    parts = _parts(text.strip())
    if len(parts) == len(("port", "host", "port")):
        parts = [LOOPBACK, *parts]
    if len(parts) != len(("address", "port", "host", "port")):
        raise InvalidRequestError(
            f"{text!r} does not say what leads where; write LOCAL_PORT:TARGET_HOST:TARGET_PORT."
        )
    here, here_port, there, there_port = parts
    return Forward(
        Address(here, _port(here_port, text, lowest=0)), Address(there, _port(there_port, text))
    )


@dataclass(frozen=True)
class Wanted:
    """What was said, by options or in a file; None where nothing was."""

    gateway: tuple[str, ...] = ()
    tenant: str | None = None
    listen: tuple[str, ...] = ()
    password_file: Path | None = None
    ca: Path | None = None
    fingerprint: str | None = None
    half_close: bool | None = None

    def over(self, other: "Wanted") -> "Wanted":
        """This, and what the other says where this says nothing."""
        return Wanted(
            self.gateway or other.gateway,
            self.tenant or other.tenant,
            self.listen or other.listen,
            self.password_file or other.password_file,
            self.ca or other.ca,
            self.fingerprint or other.fingerprint,
            other.half_close if self.half_close is None else self.half_close,
        )


def read_file(file: Path) -> Wanted:
    """What a configuration file says. Paths in it are below its folder.

    Raises:
        InvalidRequestError: it cannot be read, is not TOML, or says something unknown.
    """
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise InvalidRequestError(f"Cannot read {file}: {problem}.") from None
    unknown = sorted(said.keys() - _NAMES)
    if unknown:
        raise InvalidRequestError(
            f"{file}: {', '.join(unknown)} is unknown; known are {', '.join(sorted(_NAMES))}."
        )
    gateway, listen = said.get("gateway", []), said.get("listen", [])
    gateways = [gateway] if isinstance(gateway, str) else gateway
    if not (
        _are_texts([said[name] for name in _TEXTS & said.keys()])
        and _are_texts(gateways)
        and _are_texts(listen)
        and isinstance(said.get("half_close", False), bool)
    ):
        raise InvalidRequestError(
            f"{file}: values are texts, listen is a list of texts, gateway is a text or a list of"
            " texts, and half_close is true or false."
        )
    return Wanted(
        gateway=tuple(gateways),
        tenant=said.get("tenant"),
        listen=tuple(listen),
        password_file=_below(file, said.get("password_file")),
        ca=_below(file, said.get("ca")),
        fingerprint=said.get("fingerprint"),
        half_close=said.get("half_close"),
    )


def _below(file: Path, name: str | None) -> Path | None:
    return file.parent / name if name else None


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _split(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
        return host, _number(port) if rest.startswith(":") else None
    host, colon, port = text.rpartition(":")
    if not colon or ":" in host:
        return text, None
    return host, _number(port)


def _parts(text: str) -> list[str]:
    """The parts between colons; what is in brackets is one of them."""
    found, inside = [""], False
    for character in text:
        if character == ":" and not inside:
            found.append("")
        elif character in "[]":
            inside = character == "["
        else:
            found[-1] += character
    return found


def _port(text: str, whole: str, lowest: int = 1) -> int:
    number = _number(text)
    if number is None or number < lowest:
        raise InvalidRequestError(f"{whole!r}: {text!r} is no port; ports are 1 to 65535.")
    return number


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST_PORT))):
        return None
    return int(text) if int(text) <= _HIGHEST_PORT else None
