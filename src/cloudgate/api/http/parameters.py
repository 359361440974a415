"""Parameters: what does the address of a request say beside its path?"""

from starlette.requests import Request

from cloudgate.errors import InvalidRequestError

NO_TEXT_HAS = "\0"
"""PostgreSQL keeps and compares none that has it. Of bodies the schema refuses it."""


def parameters(request: Request) -> tuple[tuple[str, str], ...]:
    """The query parameters. Some clients copy ``&amp;`` from XML, and name them ``amp;page``.

    Raises:
        InvalidRequestError: the address has a character that no text has.
    """
    found = request.query_params.multi_items()
    texts = (request.scope["path"], *(text for each in found for text in each))
    if any(NO_TEXT_HAS in text for text in texts):
        raise InvalidRequestError(
            "The address has the character U+0000 (%00), which no text has; leave it out."
        )
    return tuple((name.removeprefix("amp;"), value) for name, value in found)
