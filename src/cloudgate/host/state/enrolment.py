"""Enrolment: who is this host to the manager? What joining left behind, in private files."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from cloudgate.errors import NotFoundError
from cloudgate.host.state.files import forget_mirrored, read_or_backup, write_mirrored
from cloudgate.host.state.paths import StatePaths

T = TypeVar("T")


class _ManagerAddress(BaseModel):
    model_config = ConfigDict(frozen=True)

    url: str
    server_id: UUID
    manager_says_role: bool = False
    """The manager has shown a certificate that says its role: none that does not is its own."""
    others: tuple[str, ...] = ()
    """Addresses of managers that may be asked as well."""


class Enrolment(_ManagerAddress):
    """Makes this machine a managed server: where the manager is, its authority, a credential."""

    credential: str
    ca_pem: str

    def __repr__(self) -> str:
        return f"Enrolment(url={self.url!r}, server_id={self.server_id})"

    def __str__(self) -> str:
        return repr(self)


def save_enrolment(paths: StatePaths, membership: Enrolment) -> None:
    """Keep it; the place last, because a membership without its credential is none."""
    write_mirrored(paths.manager_ca, membership.ca_pem)
    # They are another manager's, perhaps.
    forget_mirrored(paths.former_credentials)
    write_mirrored(paths.credential, membership.credential)
    _keep_place(paths, membership)


def write_credential(paths: StatePaths, credential: str) -> None:
    """Prove who this host is with `credential` from now on."""
    write_mirrored(paths.credential, credential)


def keep_role(paths: StatePaths, membership: Enrolment) -> None:
    """Take nobody for the manager from now on whose certificate does not say so."""
    _keep_place(paths, membership.model_copy(update={"manager_says_role": True}))


def keep_others(paths: StatePaths, membership: Enrolment, others: tuple[str, ...]) -> None:
    """Know where other managers are, also after a restart."""
    _keep_place(paths, membership.model_copy(update={"others": others}))


def _keep_place(paths: StatePaths, membership: Enrolment) -> None:
    place = _ManagerAddress(
        **{name: getattr(membership, name) for name in _ManagerAddress.model_fields}
    )
    write_mirrored(paths.membership, place.model_dump_json())


def load_enrolment(paths: StatePaths) -> Enrolment:
    """What was kept.

    Raises:
        NotFoundError: This host has not joined, or its files are damaged.
        UnavailableError: They cannot be read now.
    """
    return Enrolment(
        **_need(paths.membership, _ManagerAddress.model_validate_json).model_dump(),
        credential=_need(paths.credential, _filled),
        ca_pem=_need(paths.manager_ca, _filled),
    )


def _need(path: Path, read: Callable[[str], T]) -> T:
    found = read_or_backup(path, read)
    if found is not None:
        return found
    if path.exists():
        raise NotFoundError(f"{path} is damaged. Join the host again.")
    raise NotFoundError(
        f"This host has not joined: {path} is missing. Join first, as the user who runs the host"
        f" service: `cloudgate host join … --data {path.parent.parent}`."
    )


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text.strip()
