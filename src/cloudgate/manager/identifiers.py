"""How is a thing named in the API? ``urn:veeam:<type>:<guid>``, or the bare GUID."""

from uuid import UUID

from cloudgate.errors import InvalidRequestError

_PREFIX = "urn:veeam:"
_GUID_CHARACTERS = 36


def uid(resource_type: str, identifier: UUID) -> str:
    """The UID of a resource."""
    return f"{_PREFIX}{resource_type}:{identifier}"


def parse(text: str, resource_type: str) -> UUID:
    """The GUID in a UID or a bare GUID; blanks around it do not count.

    Raises:
        InvalidRequestError: it is neither, or the UID of something else.
    """
    found = text.strip()
    kind, _, guid = found.rpartition(":")
    wanted = f"{_PREFIX}{resource_type}"
    if kind and kind.lower() != wanted.lower():
        raise InvalidRequestError(
            f"{found[:100]!r} is not the UID of a {resource_type}; expected {wanted}:<GUID>."
        )
    try:
        if len(guid) == _GUID_CHARACTERS:
            return UUID(guid)
    except ValueError:
        pass
    raise InvalidRequestError(f"{found[:100]!r} is not a GUID, nor the UID of a {resource_type}.")
