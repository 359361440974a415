"""PRECIS forms: of what people type, which texts are the same? One form, on both sides. Pure.

By PRECIS (RFC 8265) names and passwords are put into one form before they are kept, sent or
compared; RFC 7617 (2.1) wants the same of what Basic carries. Of its profiles only the mappings are
taken: names of this API may hold blanks and more that the profiles refuse.
"""

import re
import unicodedata
from typing import Literal

_USUAL_WIDTH = {
    code: int(kind_and_usual[1], 16)
    for code in (0x3000, *range(0xFF00, 0xFFF0))
    if (kind_and_usual := unicodedata.decomposition(chr(code)).split())
}
"""The usual letters in place of full-width and half-width ones, which stand in these places."""
_ONE_SPACE = dict.fromkeys((0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")
"""The spaces of other scripts (Unicode category Zs)."""
_MOST_MARKS = 30
"""In a row: no language has more on one letter (Stream-Safe Text Format, UAX #15, 13)."""
_ALSO_MARKS = frozenset("\u0f73\u0f75\u0f81")
"""They are taken apart into marks, and count as none themselves."""


_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Letters and marks that show nothing (Default_Ignorable_Code_Point, RFC 8264, 9.13), and the blank
of Braille: Python counts them as printable."""


def is_seen(letter: str) -> bool:
    """Whether a letter shows: two names that differ in others look alike."""
    return letter.isprintable() and not _IGNORABLE.match(letter)


def normalized(form: Literal["NFC", "NFD"], text: str) -> str:
    """A text in a form of Unicode, in a time that grows as its length does.

    Marks in a row are put in order two by two, which takes the square of their number: whoever may
    say a name would have the program do nothing else. What has more of them than any language is
    left as it is.
    """
    return unicodedata.normalize(form, text) if _is_stream_safe(text) else text


def name(text: str) -> str:
    """A name as it is kept and shown: composed (NFC), without blanks around it."""
    return normalized("NFC", text).strip()


def key(text: str) -> str:
    """What is equal for all ways to type a name (RFC 8265, 3.3).

    Full-width and half-width letters count as the usual ones, and the case of letters does not
    count. Normalized before and after: folding may leave what is not composed.
    """
    if text.isascii():
        return text.strip().lower()
    narrow = name(text).translate(_USUAL_WIDTH)
    return normalized("NFC", normalized("NFC", narrow).casefold())


def password(text: str) -> str:
    """A password as it is hashed and sent: OpaqueString (RFC 8265, 4.2). Its letters stay.

    Spaces of other scripts become the usual one, and the whole is composed (NFC).
    """
    return text if text.isascii() else normalized("NFC", text.translate(_ONE_SPACE))


def password_forms(text: str) -> tuple[str, ...]:
    """The forms that a password may have been hashed in: the one of now first.

    Before there was one form, it was hashed as it was typed, and some systems type what is
    decomposed (NFD).
    """
    if text.isascii():
        return (text,)
    return tuple(dict.fromkeys((password(text), text, normalized("NFD", password(text)))))


def _is_stream_safe(text: str) -> bool:
    if len(text) <= _MOST_MARKS:
        return True
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) or letter in _ALSO_MARKS else 0
        if marks > _MOST_MARKS:
            return False
    return True
