"""Failures of commands: how does one end that cannot go on? With 1, and a sentence."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import typer

from cloudgate.cli.output import complain
from cloudgate.errors import CloudgateError

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""A full disk or quota, a file that is too large, a device that is broken or gone."""

_UNDECODED = frozenset(map(chr, range(0xDC80, 0xDD00)))
"""What Python has in place of bytes that are not UTF-8 (surrogateescape, PEP 383)."""


def fail(message: str) -> NoReturn:
    """Say why, and end with 1."""
    complain(message)
    raise typer.Exit(1)


@contextmanager
def failing_in_words() -> Iterator[None]:
    """Have a command end with 1, and say why; also where its results cannot be written."""
    try:
        try:
            yield
        finally:
            _write_out()
    except CloudgateError as problem:
        message = problem.message
    except UnicodeEncodeError as problem:
        message = _unencodable(problem)
        if not message:
            raise
    except OSError as problem:
        if problem.errno not in _UNWRITABLE or not _is_refused():
            raise
        _write_no_more()
        message = f"Cannot write to standard output: {problem.strerror}."
    else:
        return
    complain(message)
    raise typer.Exit(1) from None


def _unencodable(problem: UnicodeEncodeError) -> str:
    """What to say of a letter that cannot be sent or written; empty where nobody knows."""
    letter = problem.object[problem.start]
    if letter in _UNDECODED:
        # It is no letter, and may be of a password.
        return (
            "What was typed, or is in the environment, is not UTF-8. Have the terminal, or the"
            " program that starts this one, use UTF-8."
        )
    if sys.stdout is None or problem.encoding != sys.stdout.encoding:
        return ""
    return (
        f"Standard output is written in {problem.encoding}, which has no {letter!r}. Set"
        " PYTHONIOENCODING=utf-8."
    )


def _write_out() -> None:
    # Otherwise the interpreter does it at its end, and says what goes wrong its own way.
    # One that the command has closed itself is written out.
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _is_refused() -> bool:
    """Whether it is standard output that cannot be written, and no other file: one more line."""
    if sys.stdout is None or sys.stdout.closed:
        return False
    try:
        print(flush=True)
    except OSError:  # ENOSPC, EIO, EBADF: whatever it is, it takes no line
        return True
    return False


def _write_no_more() -> None:
    """What still waits to be written goes nowhere (Python's note on SIGPIPE)."""
    with suppress(OSError, ValueError):  # EBADF, and a standard output that is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def carried_out(command: Callable[[], None]) -> None:
    """Carry out what ends the process, and have it end in words whatever comes.

    Who reads no more of it, as `head`, needs no words.
    """
    try:
        with failing_in_words():
            command()
    except BrokenPipeError:
        _write_no_more()
        sys.exit(1)
    except typer.Exit as end:
        sys.exit(end.exit_code)
