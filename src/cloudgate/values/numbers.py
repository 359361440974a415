"""Numbers: which whole number does a text mean? However long it is. Pure.

Python reads no more than 4,300 digits, zeros before a number included.
"""


def whole(text: str, least: int, most: int) -> int | None:
    """The number that is written in ASCII digits; None if it is none, or none from `least` on.

    Nor one that is more than `most`. Zeros before it count for nothing.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(most)):
        return None
    found = int(digits)
    return found if least <= found <= most else None
