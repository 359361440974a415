"""Settings: where is what the command line needs, and who is asking?"""

import os
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Self

from cloudgate.client.core.addresses import DEFAULT_PORT, DEFAULT_USER, manager_url
from cloudgate.errors import InvalidRequestError

DEFAULT_URL = f"https://localhost:{DEFAULT_PORT}"
PACKAGED_DATA = Path("/var/lib/cloudgate")
"""The data folder of the manager of a distribution's package."""
PACKAGED_HOST_DATA = Path("/var/lib/cloudgate-host")
"""The same of its host service."""


class Output(StrEnum):
    """How results are shown."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class ConnectionSettings:
    """What was said by options and environment; None where nothing was."""

    url: str | None = None
    user: str | None = None
    password_file: Path | None = None
    ca: Path | None = None
    output: Output | None = None
    token_file: Path | None = None

    def over(self, other: Self) -> Self:
        """This, and what the other says where this says nothing."""
        said = {
            field.name: mine if mine is not None else getattr(other, field.name)
            for field in fields(self)
            for mine in [getattr(self, field.name)]
        }
        return type(self)(**said)


@dataclass(frozen=True)
class Connection:
    """Which manager is asked, in whose name, and whom to trust."""

    url: str
    """Without a slash at the end, and without ``/api``."""
    user: str
    password_file: Path | None
    ca: Path | None
    """None for the authorities that the system trusts."""
    token_file: Path | None = None
    """With an API token, in place of user and password."""


def connection(given: ConnectionSettings) -> Connection:
    """Fill in the defaults.

    Raises:
        InvalidRequestError: the address is not one of HTTPS.
    """
    return Connection(
        url=manager_url(given.url or DEFAULT_URL),
        user=given.user or DEFAULT_USER,
        password_file=given.password_file,
        ca=given.ca or _own_authority(),
        token_file=given.token_file,
    )


def _own_authority() -> Path | None:
    """The certificate authority of the manager on this machine, if it may be read."""
    data = os.environ.get("CLOUDGATE_DATA")
    folders = [Path(data)] if data else [usual_data_folder(), PACKAGED_DATA]
    files = [folder / "tls" / "ca.pem" for folder in folders if folder]
    return next((file for file in files if os.access(file, os.R_OK)), None)


def default_data_folder() -> Path:
    """Where `cloudgate up` keeps its state unless told otherwise.

    Raises:
        InvalidRequestError: who asks has no home folder.
    """
    folder = usual_data_folder()
    if folder is None:
        raise InvalidRequestError(
            "There is no folder to keep data in: HOME is not set, and the system knows no home of"
            " this user. Give --data, or set CLOUDGATE_DATA."
        )
    return folder


def present_data_folder() -> Path:
    """The state that is on this machine, for commands that look at it unless told otherwise.

    The user's own; where there is none, that of the package's manager, or else of its host service.
    Both folders come with the package: which has state, only their users and root can see.

    Raises:
        InvalidRequestError: there is none, and who asks has no home folder.
    """
    own = usual_data_folder()
    if own is not None and own.exists():
        return own
    for folder, piece in ((PACKAGED_DATA, "sealing.key"), (PACKAGED_HOST_DATA, "host")):
        try:
            (folder / piece).stat()
        except FileNotFoundError:
            continue
        except OSError:  # EACCES: whoever looks into it tells why it cannot be done
            return folder
        return folder
    return default_data_folder()


def usual_data_folder() -> Path | None:
    """The same; None for who has no home folder."""
    return _own_folder("XDG_DATA_HOME", ".local/share")


def cache_folder() -> Path | None:
    """Where logon sessions are kept; None for who has no home folder."""
    return _own_folder("XDG_CACHE_HOME", ".cache")


def _own_folder(variable: str, below_home: str) -> Path | None:
    base = os.environ.get(variable)
    try:
        return (Path(base) if base else Path.home() / below_home) / "cloudgate"
    except RuntimeError:  # neither HOME nor the system says where it is
        return None
