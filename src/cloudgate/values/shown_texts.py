"""Shown texts: what of a text would steer a terminal or a spreadsheet, and what stands for it?

Others give names, messages and answers. Pure.
"""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def printable(text: str, kept: str = "\n") -> str:
    """Text that cannot steer a terminal; `kept` are characters that stay all the same."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in kept else repr(each)[1:-1] for each in text
    )


def printable_json(text: str) -> str:
    """JSON that cannot steer a terminal, and means the same: outside of texts it has only ASCII."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\t\r\n" else _escaped(each) for each in text
    )


def in_ascii(text: str) -> str:
    """JSON that means the same, in ASCII."""
    return text if text.isascii() else "".join(e if e.isascii() else _escaped(e) for e in text)


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def cell(value: object) -> str:
    """A cell of a table that no spreadsheet takes for a formula."""
    said = "" if value is None else str(value)
    return f"'{said}" if said.startswith(_FORMULA) else said
