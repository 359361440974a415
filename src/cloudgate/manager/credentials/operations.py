"""Credential operations: how are they kept? Sealed, and never shown again."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID, uuid4

from sqlalchemy import select

from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.manager.audit.events import NEW_PASSWORD, WARNING, Change, Document, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import BackupServer, Credentials, PasswordKey
from cloudgate.values import precis

CREDENTIALS = "Credentials"
_CREATED = Event("CreateCredentials", "Credentials {name} [{id}] have been created")
_EDITED = Event("EditCredentials", "Credentials {name} [{id}] have been modified")
_DELETED = Event("DeleteCredentials", "Credentials {name} have been deleted", WARNING)
_PASSWORD_CREATED = Event("CreatePassword", "Password {name} [{id}] has been created")
_PASSWORD_EDITED = Event("EditPassword", "Password {name} [{id}] has been modified")
_PASSWORD_DELETED = Event("DeletePassword", "Password {name} has been deleted", WARNING)
PASSWORD = "PasswordKey"  # noqa: S105  the name of a resource type
Kept = TypeVar("Kept", Credentials, PasswordKey)


def list_credentials(work: UnitOfWork, site: BackupServer) -> Sequence[Credentials]:
    """A site's user names."""
    return work.session.scalars(
        select(Credentials)
        .where(Credentials.backup_server_id == site.id)
        .order_by(Credentials.user_name, Credentials.id)
    ).all()


def get_credentials(work: UnitOfWork, site: BackupServer, identifier: UUID) -> Credentials:
    """A site's user name by its id.

    Raises:
        NotFoundError: it has none of that id.
    """
    return _of_site(
        work.session.get(Credentials, identifier), site, f"credentials with the id {identifier}"
    )


def create_credentials(
    work: UnitOfWork, site: BackupServer, user_name: str, description: str, password: str
) -> Credentials:
    """Keep a user name with its password.

    Raises:
        InvalidRequestError: the user name is empty.
    """
    if not user_name.strip():
        raise InvalidRequestError("Username is missing.")
    found = Credentials(
        id=uuid4(),
        backup_server_id=site.id,
        user_name=precis.name(user_name),
        description=description,
    )
    return _keep(work, found, password, _CREATED)


def edit_credentials(
    work: UnitOfWork,
    found: Credentials,
    *,
    user_name: str | None,
    description: str | None,
    password: str | None,
) -> None:
    """Change a user name or its password; None, or an empty password, leaves it as it is."""
    before = _documented(found)
    found.user_name = precis.name(user_name or "") or found.user_name
    if description is not None:
        found.description = description
    record(work, _change(_EDITED, found, before, _after(work, found, password)))


def list_passwords(work: UnitOfWork, site: BackupServer) -> Sequence[PasswordKey]:
    """A site's passwords."""
    return work.session.scalars(
        select(PasswordKey)
        .where(PasswordKey.backup_server_id == site.id)
        .order_by(PasswordKey.hint, PasswordKey.id)
    ).all()


def get_password(work: UnitOfWork, site: BackupServer, identifier: UUID) -> PasswordKey:
    """A site's password by its id.

    Raises:
        NotFoundError: it has none of that id.
    """
    return _of_site(
        work.session.get(PasswordKey, identifier), site, f"password with the id {identifier}"
    )


def create_password(work: UnitOfWork, site: BackupServer, hint: str, password: str) -> PasswordKey:
    """Keep a password with a hint to it.

    Raises:
        InvalidRequestError: the password is empty.
    """
    if not password:
        raise InvalidRequestError("Password is missing.")
    found = PasswordKey(id=uuid4(), backup_server_id=site.id, hint=hint, modified_at=work.now)
    return _keep(work, found, password, _PASSWORD_CREATED)


def edit_password(
    work: UnitOfWork, found: PasswordKey, hint: str | None, password: str | None
) -> None:
    """Change a hint, or a password; None leaves it as it is."""
    before = _documented(found)
    if hint is not None:
        found.hint = hint
    after = _after(work, found, password)
    if after != before:
        found.modified_at = work.now
    record(work, _change(_PASSWORD_EDITED, found, before, after))


def delete(work: UnitOfWork, found: Credentials | PasswordKey) -> None:
    """Forget a user name, or a password."""
    event = _DELETED if isinstance(found, Credentials) else _PASSWORD_DELETED
    record(work, _change(event, found, before=_documented(found)))
    work.session.delete(found)


def _of_site(found: Kept | None, site: BackupServer, what: str) -> Kept:
    if found is None or found.backup_server_id != site.id:
        raise NotFoundError(f"{site.name} has no {what}.")
    return found


def _keep(work: UnitOfWork, found: Kept, password: str, event: Event) -> Kept:
    _seal(work, found, password)
    work.session.add(found)
    work.session.flush()
    record(work, _change(event, found, after=_documented(found)))
    return found


def _after(
    work: UnitOfWork, found: Credentials | PasswordKey, password: str | None
) -> dict[str, str]:
    """As the audit log shows it after a change; the password is replaced, should there be one."""
    after = _documented(found)
    if password:
        _seal(work, found, password)
        after.update(NEW_PASSWORD)
    return after


def _seal(work: UnitOfWork, found: Credentials | PasswordKey, password: str) -> None:
    found.sealed_password = work.sealing.seal(password, f"{_type_of(found)} {found.id}")


def _type_of(found: Credentials | PasswordKey) -> str:
    return CREDENTIALS if isinstance(found, Credentials) else PASSWORD


def _documented(found: Credentials | PasswordKey) -> dict[str, str]:
    if isinstance(found, Credentials):
        return {"Username": found.user_name, "Description": found.description}
    return {"Hint": found.hint}


def _change(
    event: Event,
    found: Credentials | PasswordKey,
    before: Document | None = None,
    after: Document | None = None,
) -> Change:
    return Change(
        event,
        _type_of(found),
        object_id=found.id,
        object_name=found.user_name if isinstance(found, Credentials) else found.hint,
        before=before,
        after=after,
    )
