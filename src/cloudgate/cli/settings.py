"""Settings: where is what the command line needs, and who is asking?"""

import os
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Self

from cloudgate.client.core.addresses import DEFAULT_PORT, DEFAULT_USER, manager_url

DEFAULT_URL = f"https://localhost:{DEFAULT_PORT}"
PACKAGED_DATA = Path("/var/lib/cloudgate")
"""The data folder of the manager of a distribution's package."""


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
    folders = [Path(data)] if data else [default_data_folder(), PACKAGED_DATA]
    files = [folder / "tls" / "ca.pem" for folder in folders]
    return next((file for file in files if os.access(file, os.R_OK)), None)


def default_data_folder() -> Path:
    """Where `cloudgate up` keeps its state unless told otherwise."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "cloudgate"


def cache_folder() -> Path:
    """Where logon sessions are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "cloudgate"
