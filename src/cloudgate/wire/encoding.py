"""Encoding: in which characters is a body? RFC 7303 (3) for XML, RFC 8259 (8.1) for JSON.

A byte order mark is stronger than what Content-Type says, and that is stronger than what the
document says of itself; what nobody says is UTF-8.
"""

import codecs
import json
import re

from cloudgate.errors import InvalidRequestError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""The longer ones first: that of UTF-32 begins with that of UTF-16."""
_DECLARED = re.compile(
    rb"""\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,39})["']"""
)
_WIDE = {b"<\0\0\0": "utf-32-le", b"\0\0\0<": "utf-32-be", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
"""How a document begins that has several bytes for each character, and no mark."""
_NOT_OF_TEXTS = frozenset(
    {
        "idna",
        "punycode",
        "raw-unicode-escape",
        "unicode-escape",
        "undefined",
        "utf-7",
        "mbcs",
        "oem",
    }
)
"""What Python can read besides character sets."""


_STARTS = (b"<", b"{", b"[")
"""How a document begins in an encoding that has a byte for each letter."""


def charset_name(charset: str) -> str | None:
    """The usual name of a character set (IANA) that can be read; None for any other."""
    try:
        name = codecs.lookup(charset).name
        b"a".decode(name, "ignore")  # refuses what makes no text, such as base64
    except (LookupError, ValueError):
        return None
    return None if name.replace("_", "-") in _NOT_OF_TEXTS else name


def xml_text(body: bytes, charset: str | None = None) -> str:
    """The characters of an XML document. `charset`: what `charset_name` says.

    Raises:
        InvalidRequestError: it is not in the encoding that it is said to be in; which, and who
            says so, is in the message.
    """
    declared = _DECLARED.match(body)
    said = declared[1].decode("ascii") if declared else ""
    if charset is None and said and not _mark(body)[0]:
        found = charset_name(said)
        if found is None:
            raise InvalidRequestError(
                f"The body is not well-formed XML: its declaration names the encoding {said}, which"
                " is unknown here; send UTF-8."
            )
        if found.startswith(("utf-16", "utf-32")):
            raise InvalidRequestError(
                f"The body is not well-formed XML: its declaration names the encoding {said}, and"
                " it is in one that has a byte for each letter, such as UTF-8. Name the real one"
                " there, or as the charset of Content-Type."
            )
        return _decoded(body, found, f"its declaration names {said}", "XML")
    wide = next((name for start, name in _WIDE.items() if body.startswith(start)), None)
    return _text(body, charset, wide, "XML")


def json_text(body: bytes, charset: str | None = None) -> str:
    """The characters of a JSON document. `charset`: what `charset_name` says.

    Raises:
        InvalidRequestError: it is not in the encoding that it is said to be in.
    """
    guessed = json.detect_encoding(body)
    return _text(
        body, charset, guessed if guessed.startswith(("utf-16", "utf-32")) else None, "JSON"
    )


def _text(body: bytes, charset: str | None, wide: str | None, form: str) -> str:
    mark, marked = _mark(body)
    if mark:
        return _decoded(body[len(mark) :], marked, "its byte order mark says so", form)
    if charset in ("utf-16", "utf-32") and wide and wide.startswith(charset):
        return _decoded(body, wide, "Content-Type says so", form)
    if charset is not None:
        # Without a mark, the higher byte is the first one (RFC 2781, 4.3).
        name = f"{charset}-be" if charset in ("utf-16", "utf-32") else charset
        return _decoded(body, name, f"Content-Type names the charset {charset}", form)
    return _decoded(body, wide or "utf-8", "", form)


def _mark(body: bytes) -> tuple[bytes, str]:
    return next(((mark, name) for mark, name in _MARKS if body.startswith(mark)), (b"", ""))


def _decoded(body: bytes, name: str, why: str, form: str) -> str:
    reason = f" ({why})" if why else ""
    what = "The body is not well-formed XML: it is not" if form == "XML" else "The body is not"
    try:
        text = body.decode(name)
    except UnicodeDecodeError as problem:
        raise InvalidRequestError(
            f"{what} {name.upper()}{reason}: byte {problem.start} cannot be read."
        ) from None
    start = body.lstrip()[:1]
    if start in _STARTS and text.lstrip()[:1].encode("utf-8", "replace") != start:
        # Two letters at a time are nearly always some character, so nothing fails before.
        raise InvalidRequestError(
            f"{what} {name.upper()}{reason}: it begins as a text does that has a byte for each"
            " letter, such as UTF-8."
        )
    return text
