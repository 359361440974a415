"""PRECIS forms: of what people type, which texts are the same? One form, on both sides.

By PRECIS (RFC 8265) names and passwords are put into one form before they are kept, sent or
compared; RFC 7617 (2.1) wants the same of what Basic carries. Of its profiles only the mappings are
taken: names of this API may hold blanks and more that the profiles refuse.
"""

import re
import unicodedata

_COMPATIBLE = ("<wide>", "<narrow>")
_SPACES = "Zs"
"""The Unicode category of spaces."""


_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Letters and marks that show nothing (Default_Ignorable_Code_Point, RFC 8264, 9.13), and the blank
of Braille: Python counts them as printable."""


def is_seen(letter: str) -> bool:
    """Whether a letter shows: two names that differ in others look alike."""
    return letter.isprintable() and not _IGNORABLE.match(letter)


def name(text: str) -> str:
    """A name as it is kept and shown: composed (NFC), without blanks around it."""
    return unicodedata.normalize("NFC", text).strip()


def key(text: str) -> str:
    """What is equal for all ways to type a name (RFC 8265, 3.3).

    Full-width and half-width letters count as the usual ones, and the case of letters does not
    count. Normalized before and after: folding may leave what is not composed.
    """
    if text.isascii():
        return text.strip().lower()
    narrow = "".join(_usual_width(letter) for letter in name(text))
    folded = unicodedata.normalize("NFC", narrow).casefold()
    return unicodedata.normalize("NFC", folded)


def password(text: str) -> str:
    """A password as it is hashed and sent: OpaqueString (RFC 8265, 4.2). Its letters stay.

    Spaces of other scripts become the usual one, and the whole is composed (NFC).
    """
    if text.isascii():
        return text
    spaced = (" " if unicodedata.category(letter) == _SPACES else letter for letter in text)
    return unicodedata.normalize("NFC", "".join(spaced))


def password_forms(text: str) -> tuple[str, ...]:
    """The forms that a password may have been hashed in: the one of now first.

    Before there was one form, it was hashed as it was typed, and some systems type what is
    decomposed (NFD).
    """
    if text.isascii():
        return (text,)
    return tuple(
        dict.fromkeys((password(text), text, unicodedata.normalize("NFD", password(text))))
    )


def _usual_width(letter: str) -> str:
    kind, _, usual = unicodedata.decomposition(letter).partition(" ")
    return chr(int(usual, 16)) if kind in _COMPATIBLE and " " not in usual else letter
