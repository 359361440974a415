"""Named files: what is in a file that somebody has named, and why can it not be read?"""

from pathlib import Path
from typing import BinaryIO

from cloudgate.errors import InvalidRequestError


def opened(file: Path, what: str = "") -> BinaryIO:
    """A file, open for reading; `what` it is to whoever named it, such as "the password file".

    Raises:
        InvalidRequestError: it cannot be read, which says of what, and why.
    """
    try:
        return file.open("rb")
    except OSError as problem:  # whatever keeps it from being read is for whoever named it to see
        raise _unread(file, what, problem) from None


def data_of(file: Path, what: str = "", most_bytes: int = -1) -> bytes:
    """All that is in a file, or so much of it: see `opened`."""
    with opened(file, what) as reader:
        try:
            return reader.read(most_bytes)
        except OSError as problem:  # EIO and its like: as above
            raise _unread(file, what, problem) from None


def text_of(file: Path, what: str = "") -> str:
    """All that a file says, with the ends of lines that Python has: see `opened`.

    Raises:
        InvalidRequestError: it cannot be read, or is not UTF-8.
    """
    return text_in(data_of(file, what), file, what)


def text_in(data: bytes, file: Path, what: str = "") -> str:
    """What was read of a file, as text: see `text_of`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        named = _named(file, what)
        raise InvalidRequestError(f"{named[:1].upper()}{named[1:]} is not UTF-8 text.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unread(file: Path, what: str, problem: OSError) -> InvalidRequestError:
    return InvalidRequestError(f"Cannot read {_named(file, what)}: {problem.strerror}.")


def _named(file: Path, what: str) -> str:
    return f"{what} {file}".strip()
