"""Password input: where do passwords come from? Never from the command line."""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli.settings import Connection
from cloudgate.errors import InvalidRequestError, NotAuthenticatedError
from cloudgate.named_files import text_of

PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="File with the new password.", show_default=False),
]


@dataclass(frozen=True)
class NewPassword:
    """A password for somebody, and whether he has yet to be told of it."""

    text: str
    generated: bool = False

    def show_generated(self, name: str) -> None:
        """Show whose it is and what, if nobody knows it yet; not among the results."""
        if self.generated:
            message = f"The password of {name}, shown this once: {self.text}"
            typer.echo(message, err=True)


@dataclass(frozen=True)
class NewPasswordOptions:
    """Where somebody's new password comes from; a group of options."""

    password_file: PasswordFile = None
    generate_password: Annotated[
        bool, typer.Option("--generate-password", help="Make a password, and show it once.")
    ] = False

    def password(self) -> NewPassword | None:
        """What the options say; None when they say nothing."""
        if self.password_file is not None and self.generate_password:
            raise typer.BadParameter("Give --password-file or --generate-password, not both.")
        return in_file(self.password_file) or (generate() if self.generate_password else None)

    def password_or_asked(self, name: str) -> NewPassword:
        """The same; asked for at the terminal when they say nothing."""
        return self.password() or asked_for(name)


def somebody_types() -> bool:
    """Whether there is somebody at a terminal, who can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def of_user(connection: Connection) -> str:
    """The password to log on with: from a file, the environment, or whoever is at the terminal.

    Raises:
        NotAuthenticatedError: there is none, and nobody to ask.
    """
    if connection.password_file is not None:
        return from_file(connection.password_file)
    if password := os.environ.get("CLOUDGATE_PASSWORD"):
        return password
    if not somebody_types():
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
        return from_file(connection.token_file, "token").strip()
    return os.environ.get("CLOUDGATE_TOKEN", "").strip() or None


def code() -> str | None:
    """The code of a second factor to log on with, from the environment; None for none."""
    return os.environ.get("CLOUDGATE_CODE", "").strip() or None


def asked_code(connection: Connection) -> str | None:
    """The same, of whoever is at the terminal; None where there is nobody, or no second factor."""
    if not somebody_types():
        return None
    question = f"Code of the second factor of {connection.user}, or Enter where there is none"
    typed = typer.prompt(question, default="", show_default=False, err=True)
    return str(typed).strip() or None


def in_file(file: Path | None) -> NewPassword | None:
    """The new password in a file that an option names; None where it names none."""
    return None if file is None else NewPassword(from_file(file))


def generate() -> NewPassword:
    """A new password that nobody knows yet."""
    return NewPassword(secrets.token_urlsafe(18), generated=True)


def asked_for(name: str) -> NewPassword:
    """A new password, typed twice."""
    if not somebody_types():
        raise typer.BadParameter("Give --password-file or --generate-password.")
    question = f"Password of {name}"
    text = typer.prompt(question, hide_input=True, confirmation_prompt=True, err=True)
    return NewPassword(str(text))


def from_file(file: Path, what: str = "password") -> str:
    """The password, or `what` it is, in a file: all of it but the end of its last line.

    Blanks are the password's, as they are where one is typed or sent. This is how all commands
    read a password, so that one file is one password to all of them.

    Raises:
        InvalidRequestError: it cannot be read, or holds nothing but white space.
    """
    password = text_of(file, f"the {what} file").rstrip("\n")
    if not password.strip():
        raise InvalidRequestError(f"The {what} file {file} is empty.")
    return password
