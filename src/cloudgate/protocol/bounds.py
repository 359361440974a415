"""Bounds of a message: how long may a text be, how large a number, and of which characters?

They are wide enough for whatever an honest host of this release or the one before says, and narrow
enough that nothing said by a host can do harm where it is kept or shown.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, FailFast, Field

from cloudgate.values import ip_addresses

Item = TypeVar("Item")
Value = TypeVar("Value")
Number = TypeVar("Number", int, float)

LONGEST_REMARK = 10_000
"""Characters of a text for the operator."""
LONGEST_NAME = 253
"""Characters of a host's name (RFC 1035, section 2.3.4)."""
LONGEST_SERVICE = 300
"""Characters of ``host:port``."""
LONGEST_WORD = 64
"""Characters of a version, an identifier or a digest."""
LONGEST_PEM = 8192
"""Characters of a public key, or of a certificate request."""
LONGEST_SECRET = 2048
"""Characters of a password."""
MOST_ADDRESSES = 512
"""IP addresses of one machine."""
MOST_LINES = 5000
"""Lines of usage in one batch."""
MOST_TUNNELS = 200_000
"""Live tunnels of one gateway in one answer."""
MOST_DEMANDS = 100_000
"""Tenants with a speed limit at one gateway."""
MOST_KINDS_COUNTED = 64
"""Names in one mapping."""
MOST_SMALL = 2**31 - 1
"""How many there may be of something."""
MOST_BYTES = 2**60
"""Some file systems, those that have no end, say that they have more."""

FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC)
"""No clock of a machine says anything outside of these, however wrong it is."""

_NOT_SHOWN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, but for tabs and ends of lines; what turns the direction of writing, and what
is no character. XML takes few of them, and a terminal obeys some (ECMA-48)."""
_REPLACEMENT = "\ufffd"


def readable(text: str) -> str:
    """A text as it may be kept and shown: cut to `LONGEST_REMARK`, without control characters."""
    return _NOT_SHOWN.sub(_REPLACEMENT, text[:LONGEST_REMARK])


def printable(text: str, longest: int = LONGEST_WORD) -> str:
    """A name as it may be kept and shown: cut, on one line, without control characters."""
    return "".join(each if each.isprintable() else _REPLACEMENT for each in text[:longest])


def bounded(number: Number, most: Number) -> Number:
    """A number as it may be told: the nearest one from 0 to `most`."""
    return max(min(number, most), type(number)(0))


def usable_addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are IP addresses, as many as may be told."""
    return tuple(each for each in addresses if is_address(each))[:MOST_ADDRESSES]


def is_address(text: str) -> bool:
    """Whether a text is an IP address, and has no zone: that could be any text (RFC 4007)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _check_readable(text: str) -> str:
    if _NOT_SHOWN.search(text):
        raise ValueError("it has control characters")
    return text


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has control characters")
    return text


def _check_address(text: str) -> str:
    if not is_address(text):
        raise ValueError("it is not an IP address")
    return text


def _plain_address(text: str) -> str:
    try:
        return str(ip_addresses.read(text))
    except ValueError:
        raise ValueError("it is not an IP address") from None


def _let_others_go_on(each: Item) -> Item:
    """Give it back: other threads have their turn when Python is called, and at no other time."""
    return each


def _check_kinds(said: object) -> object:
    """Before each of them is read, and found to be wrong."""
    if isinstance(said, Mapping) and len(said) > MOST_KINDS_COUNTED:
        raise ValueError("it has too many members")
    return said


def _check_moment(moment: datetime) -> datetime:
    if not FIRST_MOMENT <= moment <= LAST_MOMENT:
        raise ValueError("no clock says such a time")
    return moment.astimezone(UTC)


Remark = Annotated[str, Field(max_length=LONGEST_REMARK), AfterValidator(_check_readable)]
"""For the operator, in several lines where need be."""
HostName = Annotated[
    str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_check_printable)
]
Word = Annotated[str, Field(max_length=LONGEST_WORD), AfterValidator(_check_printable)]
BatchName = Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_check_printable)]
Token = Annotated[str, Field(max_length=512), AfterValidator(_check_printable)]
Service = Annotated[
    str, Field(min_length=1, max_length=LONGEST_SERVICE), AfterValidator(_check_printable)
]
Pem = Annotated[str, Field(max_length=LONGEST_PEM), AfterValidator(_check_readable)]
Address = Annotated[str, Field(max_length=LONGEST_WORD), AfterValidator(_check_address)]
SeenAddress = Annotated[str, Field(max_length=LONGEST_WORD), AfterValidator(_plain_address)]
"""Where somebody speaks from, as a socket says it; kept is the address in its usual form."""
Moment = Annotated[AwareDatetime, AfterValidator(_check_moment)]
"""With its zone; in UTC."""

Many = Annotated[tuple[Annotated[Item, AfterValidator(_let_others_go_on)], ...], FailFast()]
"""Several of something. Of what is wrong with them the first is told, and no more is looked at."""
Kinds = Annotated[
    dict[Word, Value],
    Field(max_length=MOST_KINDS_COUNTED),
    BeforeValidator(_check_kinds),
]
"""How much there is of each kind."""

Small = Annotated[int, Field(strict=True, ge=0, le=MOST_SMALL)]
"""How many there are of something."""
Revision = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
Seconds = Annotated[float, Field(ge=0, le=2**31, allow_inf_nan=False)]
Bytes = Annotated[int, Field(strict=True, ge=0, le=MOST_BYTES)]
"""More than any machine has, or ever carries."""
