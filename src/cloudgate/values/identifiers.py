"""Identifiers: how is a thing named in the API? ``urn:veeam:<type>:<guid>``, or the bare GUID.

The one rule for reading it, wherever it stands: in a body, a path, a filter, on a command line.
Blanks around the parts do not count, nor does the case of letters, and a GUID may stand in braces,
as .NET writes it. The type ``Uid`` of the schema says the same.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from cloudgate.errors import InvalidRequestError

_PREFIX = "urn:veeam:"
_SHOWN_CHARACTERS = 100
_GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_READ = re.compile(
    rf"\s*(?:urn\s*:\s*veeam\s*:\s*(?P<type>[a-z]+)\s*:\s*)?(?P<guid>{_GUID}|\{{{_GUID}\}})\s*",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Identifier:
    """What a text names: a GUID, and the type where it said one."""

    guid: UUID
    type: str = ""
    """As it was written; empty for a bare GUID."""


def uid(resource_type: str, identifier: UUID) -> str:
    """The UID of a resource."""
    return f"{_PREFIX}{resource_type}:{identifier}"


def read(text: str) -> Identifier | None:
    """A UID of whatever type, or a GUID; None when it is neither."""
    match = _READ.fullmatch(text)
    return Identifier(UUID(match["guid"]), match["type"] or "") if match else None


def parse(text: str, resource_type: str) -> UUID:
    """The GUID in a bare GUID or the UID of a resource of that type.

    Raises:
        InvalidRequestError: it is neither, or the UID of something else.
    """
    found = read(text)
    shown = text.strip()[:_SHOWN_CHARACTERS]
    if found is None:
        raise InvalidRequestError(f"{shown!r} is not a GUID, nor the UID of a {resource_type}.")
    if found.type and found.type.lower() != resource_type.lower():
        raise InvalidRequestError(
            f"{shown!r} is not the UID of a {resource_type}; expected"
            f" {_PREFIX}{resource_type}:<GUID>."
        )
    return found.guid
