"""Values: how is a single value written and read? Texts, numbers, booleans, times."""

import re
from datetime import datetime

from cloudgate.errors import InvalidRequestError
from cloudgate.values import timestamps
from cloudgate.wire.description import Scalar

BLANKS = " \t\r\n"
"""What XML means by white space (XML 1.0, production 3), and so its schema types: other blanks of
Unicode, such as the no-break space, are characters like any other."""
_ZEROS_BEFORE = re.compile(r"^([+-]?)0+(?=[0-9])")
"""Of a number: any number of them may be there, and Python reads no more than 4,300 digits."""

_UNSET_YEAR = "0001-"
"""So .NET and Go write a date that was never set: the schema takes no other one of that year."""


def to_text(value: Scalar) -> str:
    """The XML text of a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return timestamps.time_text(value)
    return str(value)


def from_text(text: str, value_type: type, name: str) -> Scalar | None:
    """The value of a text that the schema has already accepted.

    Empty is None, but for strings, and so is a date that was never set.

    Raises:
        InvalidRequestError: a time that a calendar does not have.
    """
    if value_type is str:
        return text
    text = text.strip(BLANKS)
    if not text:
        return None
    if value_type is bool:
        return text.lower() in ("true", "1")
    if value_type is int:
        return int(_ZEROS_BEFORE.sub(r"\1", text))
    return None if text.startswith(_UNSET_YEAR) else parse_time(text, name)


def parse_time(text: str, name: str) -> datetime:
    """A time; one without a zone is UTC.

    Raises:
        InvalidRequestError: there is no such time.
    """
    try:
        return timestamps.parse(text)
    except ValueError:
        raise InvalidRequestError(
            f"{name}: found {text!r}, expected a time such as 2030-12-31T00:00:00Z."
        ) from None
