"""Connector settings: what does a tenant want? Options and file. Pure but for files.

The configuration file is TOML with the names of the options: ``gateway`` (one, or a list),
``tenant``, ``listen`` (a list), ``password_file``, ``certificate_file``, ``ca``, ``fingerprint``
and ``half_close`` (true or false).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudgate.errors import InvalidRequestError
from cloudgate.named_files import text_of
from cloudgate.network import hostport
from cloudgate.network.hostport import HostPort
from cloudgate.values.enumeration import few
from cloudgate.values.numbers import whole

DEFAULT_GATEWAY_PORT = 6180
LOOPBACK = "127.0.0.1"
_TEXTS = frozenset({"tenant", "password_file", "certificate_file", "ca", "fingerprint"})
_NAMES = _TEXTS | {"gateway", "listen", "half_close"}


@dataclass(frozen=True)
class Forward:
    """A local port, and the target that it leads to."""

    local: HostPort
    target: HostPort


def read_address(text: str, default_port: int | None = None) -> HostPort:
    """An address such as ``host:6180``, ``192.0.2.1:6180`` or ``[2001:db8::1]:6180``.

    Raises:
        InvalidRequestError: it is none.
    """
    try:
        return hostport.parse(text, default_port)
    except hostport.InvalidHostError as problem:
        raise InvalidRequestError(
            f"{text!r} is no address: {problem.message}. Write HOST:PORT."
        ) from None


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
    try:
        target = HostPort(hostport.parse_host(there), hostport.parse_port(there_port))
        # Locally, port 0 is any that is free, and a host may stand for all of this machine's.
        free = whole(here_port, 0, 0) == 0
        return Forward(HostPort(here, 0 if free else hostport.parse_port(here_port)), target)
    except hostport.InvalidHostError as problem:
        raise InvalidRequestError(f"{text!r}: {problem.message}.") from None


@dataclass(frozen=True)
class Options:
    """What was said, by options or in a file; None where nothing was."""

    gateway: tuple[str, ...] = ()
    tenant: str | None = None
    listen: tuple[str, ...] = ()
    password_file: Path | None = None
    ca: Path | None = None
    fingerprint: str | None = None
    half_close: bool | None = None
    certificate_file: Path | None = None

    def override(self, other: "Options") -> "Options":
        """This, and what the other says where this says nothing."""
        return Options(
            self.gateway or other.gateway,
            self.tenant or other.tenant,
            self.listen or other.listen,
            self.password_file or other.password_file,
            self.ca or other.ca,
            self.fingerprint or other.fingerprint,
            other.half_close if self.half_close is None else self.half_close,
            self.certificate_file or other.certificate_file,
        )


def read_file(file: Path) -> Options:
    """What a configuration file says. Paths in it are below its folder.

    Raises:
        InvalidRequestError: it cannot be read, is not TOML, or says something unknown.
    """
    try:
        said = tomllib.loads(text_of(file))
    except tomllib.TOMLDecodeError as problem:
        raise InvalidRequestError(f"{file} is not TOML: {problem}.") from None
    unknown = sorted(said.keys() - _NAMES)
    if unknown:
        raise InvalidRequestError(
            f"{file}: {few(unknown)} is unknown; known are {', '.join(sorted(_NAMES))}."
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
    return Options(
        gateway=tuple(gateways),
        tenant=said.get("tenant"),
        listen=tuple(listen),
        password_file=_below(file, said.get("password_file")),
        ca=_below(file, said.get("ca")),
        fingerprint=said.get("fingerprint"),
        half_close=said.get("half_close"),
        certificate_file=_below(file, said.get("certificate_file")),
    )


def _below(file: Path, name: str | None) -> Path | None:
    return file.parent / name if name else None


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


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
