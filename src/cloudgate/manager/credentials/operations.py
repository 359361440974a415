"""Credential operations: how are they kept? Sealed, and never shown again."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import select

from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.manager.audit.events import NEW_PASSWORD, Change
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import BackupServer, Credentials, PasswordKey
from cloudgate.values import precis

CREDENTIALS = "Credentials"
PASSWORD = "PasswordKey"  # noqa: S105  the name of a resource type


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
    found = work.session.get(Credentials, identifier)
    if found is None or found.backup_server_id != site.id:
        raise NotFoundError(f"{site.name} has no credentials with the id {identifier}.")
    return found


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
    found.sealed_password = work.sealing.seal(password, f"{CREDENTIALS} {found.id}")
    work.session.add(found)
    work.session.flush()
    record(work, _credentials_change("CreateCredentials", found, after=_documented(found)))
    return found


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
    after = _documented(found)
    if password:
        found.sealed_password = work.sealing.seal(password, f"{CREDENTIALS} {found.id}")
        after.update(NEW_PASSWORD)
    record(work, _credentials_change("EditCredentials", found, before=before, after=after))


def delete_credentials(work: UnitOfWork, found: Credentials) -> None:
    """Forget a user name."""
    record(work, _credentials_change("DeleteCredentials", found, before=_documented(found)))
    work.session.delete(found)


def _documented(found: Credentials) -> dict[str, str]:
    return {"Username": found.user_name, "Description": found.description}


def _credentials_change(
    operation: str,
    found: Credentials,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> Change:
    return Change(
        operation=operation,
        object_type=CREDENTIALS,
        object_id=found.id,
        object_name=found.user_name,
        before=before,
        after=after,
    )


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
    found = work.session.get(PasswordKey, identifier)
    if found is None or found.backup_server_id != site.id:
        raise NotFoundError(f"{site.name} has no password with the id {identifier}.")
    return found


def create_password(work: UnitOfWork, site: BackupServer, hint: str, password: str) -> PasswordKey:
    """Keep a password with a hint to it.

    Raises:
        InvalidRequestError: the password is empty.
    """
    if not password:
        raise InvalidRequestError("Password is missing.")
    found = PasswordKey(id=uuid4(), backup_server_id=site.id, hint=hint, modified_at=work.now)
    found.sealed_password = work.sealing.seal(password, f"{PASSWORD} {found.id}")
    work.session.add(found)
    work.session.flush()
    record(work, _password_change("CreatePassword", found, after={"Hint": hint}))
    return found


def edit_password(
    work: UnitOfWork, found: PasswordKey, hint: str | None, password: str | None
) -> None:
    """Change a hint, or a password; None leaves it as it is."""
    before = {"Hint": found.hint}
    if hint is not None:
        found.hint = hint
    after = {"Hint": found.hint}
    if password:
        found.sealed_password = work.sealing.seal(password, f"{PASSWORD} {found.id}")
        after.update(NEW_PASSWORD)
    if after != before:
        found.modified_at = work.now
    record(work, _password_change("EditPassword", found, before=before, after=after))


def delete_password(work: UnitOfWork, found: PasswordKey) -> None:
    """Forget a password."""
    record(work, _password_change("DeletePassword", found, before={"Hint": found.hint}))
    work.session.delete(found)


def _password_change(
    operation: str,
    found: PasswordKey,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> Change:
    return Change(
        operation=operation,
        object_type=PASSWORD,
        object_id=found.id,
        object_name=found.hint,
        before=before,
        after=after,
    )
