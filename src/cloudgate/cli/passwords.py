"""Password input: where do passwords come from? Never from the command line."""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from cloudgate.cli.settings import Connection
from cloudgate.errors import InvalidRequestError, NotAuthenticatedError


@dataclass(frozen=True)
class NewPassword:
    """A password for a tenant, and whether somebody has yet to be told of it."""

    text: str
    generated: bool = False


def of_user(connection: Connection) -> str:
    """The password to log on with: from a file, the environment, or whoever is at the terminal.

    Raises:
        NotAuthenticatedError: there is none, and nobody to ask.
    """
    if connection.password_file is not None:
        return from_file(connection.password_file)
    if password := os.environ.get("CLOUDGATE_PASSWORD"):
        return password
    if not sys.stdin.isatty():
        raise NotAuthenticatedError(
            f"The password of {connection.user} is missing. Give --password-file, or set"
            " CLOUDGATE_PASSWORD_FILE or CLOUDGATE_PASSWORD."
        )
    question = f"Password of {connection.user} at {connection.url}"
    return str(typer.prompt(question, hide_input=True, err=True))


def token(connection: Connection) -> str | None:
    """The API token to show in place of a logon: from a file or the environment; None for none.

    Raises:
        InvalidRequestError: the file cannot be read, or holds none.
    """
    if connection.token_file is not None:
        return from_file(connection.token_file, "token")
    return os.environ.get("CLOUDGATE_TOKEN", "").strip() or None


def code() -> str | None:
    """The code of a second factor to log on with, from the environment; None for none."""
    return os.environ.get("CLOUDGATE_CODE", "").strip() or None


def asked_code(connection: Connection) -> str | None:
    """The same, of whoever is at the terminal; None where there is nobody, or no second factor."""
    if not sys.stdin.isatty():
        return None
    question = f"Code of the second factor of {connection.user}, or Enter where there is none"
    typed = typer.prompt(question, default="", show_default=False, err=True)
    return str(typed).strip() or None


def of_options(file: Path | None, *, generate: bool) -> NewPassword | None:
    """A tenant's new password as the options say; None when they say nothing."""
    if file is not None and generate:
        raise typer.BadParameter("Give --password-file or --generate-password, not both.")
    if file is not None:
        return NewPassword(from_file(file))
    if generate:
        return NewPassword(secrets.token_urlsafe(18), generated=True)
    return None


def asked_for(name: str) -> NewPassword:
    """A tenant's new password, typed twice."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("Give --password-file or --generate-password.")
    question = f"Password of {name}"
    text = typer.prompt(question, hide_input=True, confirmation_prompt=True, err=True)
    return NewPassword(str(text))


def from_file(file: Path, what: str = "password") -> str:
    """The password, or `what` it is, in a file; white space around it does not count.

    Raises:
        InvalidRequestError: it cannot be read, or holds none.
    """
    try:
        password = file.read_text(encoding="utf-8").strip()
    except OSError as problem:
        raise InvalidRequestError(
            f"Cannot read the {what} file {file}: {problem.strerror}."
        ) from None
    except UnicodeDecodeError:
        raise InvalidRequestError(f"The {what} file {file} is not UTF-8 text.") from None
    if not password:
        raise InvalidRequestError(f"The {what} file {file} is empty.")
    return password
