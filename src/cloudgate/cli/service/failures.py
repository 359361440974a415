"""Failures of service commands: how does one end that cannot go on? With 1, and a sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from cloudgate.errors import CloudgateError
from cloudgate.values.shown_texts import printable


def fail(message: str) -> NoReturn:
    """Say why, and end with 1."""
    print(f"Error: {printable(message)}", file=sys.stderr)
    raise typer.Exit(1)


@contextmanager
def failing_in_words() -> Iterator[None]:
    """Have a command end with 1, and say why."""
    try:
        yield
    except CloudgateError as problem:
        print(f"Error: {printable(problem.message)}", file=sys.stderr)
        raise typer.Exit(1) from None
