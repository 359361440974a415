"""Naming: which names may things have that people give names to?"""

from cloudgate.errors import InvalidRequestError
from cloudgate.network import hostport
from cloudgate.values import precis


def printable(text: str, element: str, before: str = "") -> str:
    """A name as it is kept.

    RFC 8265 (3.4) has no control characters in names; nor has it those that only say in which
    direction letters run, or that nobody sees: two names that look alike would be different ones.

    Args:
        text: as somebody typed it.
        element: where, for the message.
        before: the name that it has, which stays as it is.

    Raises:
        InvalidRequestError: it has such a character.
    """
    found = precis.name(text)
    bad = next((letter for letter in found if not precis.is_seen(letter)), None)
    if bad is not None and found != before:
        raise InvalidRequestError(
            f"{element}: {found!r} has the character {bad!a}; names have no control characters, and"
            " none that cannot be seen."
        )
    return found


def host(text: str, element: str, before: str = "") -> str:
    """The name of a machine as it is kept: a DNS name or an IP address, as somebody typed it.

    Args:
        text: as somebody typed it.
        element: where, for the message.
        before: the name that it has, which stays as it is.

    Raises:
        InvalidRequestError: it is neither.
    """
    found = precis.name(text)
    try:
        hostport.parse_host(found)
    except hostport.InvalidHostError as error:
        if found != before:
            raise InvalidRequestError(
                f"{element}: found {hostport.quoted(found)}, expected a DNS name or an IP address:"
                f" {error.message}."
            ) from None
    return found
