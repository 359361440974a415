"""Content negotiation: in which form is a body, and in which is the answer wanted? Pure.

By what existing programs send: no Accept and ``*/*`` mean XML, a list means what it names first.
"""

import re
from enum import Enum

from cloudgate.errors import CloudgateError
from cloudgate.wire.encoding import charset_name


class Form(Enum):
    """One of the two representations."""

    XML = "application/xml"
    JSON = "application/json"


class UnsupportedFormError(CloudgateError):
    """The body is of a kind that cannot be read."""


_FORMS = {
    "application/xml": Form.XML,
    "text/xml": Form.XML,
    "application/json": Form.JSON,
    "text/json": Form.JSON,
}


def answer_form(accept: str | None) -> Form:
    """The form of the answer: what Accept names first of the two, else XML."""
    for entry in (accept or "").split(","):
        media_type = entry.partition(";")[0].strip().lower()
        if media_type in _FORMS:
            return _FORMS[media_type]
    return Form.XML


_CHARSET = re.compile(r""";\s*charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"']+))""", re.IGNORECASE)


def body_charset(content_type: str | None) -> str | None:
    """The character set that Content-Type names for a body; None when it names none.

    Raises:
        UnsupportedFormError: it is none that can be read.
    """
    match = _CHARSET.search(content_type or "")
    said = next((each for each in match.groups() if each), "").strip() if match else ""
    if not said:
        return None
    charset = charset_name(said)
    if charset is None:
        raise UnsupportedFormError(
            f"Content-Type: the charset {said[:50]!r} is unknown here; send UTF-8."
        )
    return charset


def body_form(content_type: str | None) -> Form:
    """The form of a body.

    Raises:
        UnsupportedFormError: it is neither XML nor JSON, or not said.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type in _FORMS:
        return _FORMS[media_type]
    found = f"found {media_type[:100]!r}" if media_type else "it is missing"
    raise UnsupportedFormError(
        f"Content-Type: {found}, expected application/xml or application/json."
    )
