"""In which form does a body come, and in which is the answer wanted? Pure rules on headers.

By what existing programs send: no Accept and ``*/*`` mean XML, a list means what it names first.
"""

from enum import Enum

from cloudgate.errors import CloudgateError


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
