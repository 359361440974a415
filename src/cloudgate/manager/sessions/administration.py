"""Account administration: how are accounts made, given roles and passwords, and removed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from cloudgate.errors import AccessDeniedError, InvalidRequestError, NotFoundError
from cloudgate.manager import naming
from cloudgate.manager.audit.events import NEW_PASSWORD, WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.sessions.accounts import local_name
from cloudgate.manager.sessions.operations import end_sessions
from cloudgate.manager.sessions.roles import BY_ID, Role
from cloudgate.manager.storage.tables import Account, AccountRole
from cloudgate.trust.password_hashes import matches

TYPE = "EnterpriseAccount"
ROLE = "EnterpriseRole"
CREATED = Event("CreateAccount", "Account {name} [{id}] has been created")
EDITED = Event("EditAccount", "Account {name} [{id}] has been modified")
DELETED = Event("DeleteAccount", "Account {name} has been deleted", WARNING)
ROLE_ADDED = Event("AddAccountRole", "Account {name} [{id}] has got a role")
ROLE_REMOVED = Event("DeleteAccountRole", "Account {name} [{id}] has lost a role", WARNING)
PASSWORD_CHANGED = Event("ChangePassword", "The password of the account {name} has been changed")


@dataclass(frozen=True, kw_only=True)
class NewAccount:
    """What POST /security/accounts asks for."""

    name: str
    kind: str
    role_ids: Sequence[UUID]
    restores_all_vms: bool = False
    password_hash: str = ""
    """Empty for none."""


def list_accounts(work: UnitOfWork) -> Sequence[Account]:
    """All accounts by name."""
    return work.session.scalars(select(Account).order_by(Account.name)).all()


def get_account(work: UnitOfWork, identifier: UUID) -> Account:
    """An account by its id.

    Raises:
        NotFoundError: there is none.
    """
    return work.get(Account, identifier, "account")


def get_role(identifier: UUID) -> Role:
    """A role by its published GUID.

    Raises:
        NotFoundError: there is none.
    """
    role = BY_ID.get(identifier)
    if role is None:
        raise NotFoundError(f"There is no role with the id {identifier}.")
    return role


def roles_of(account: Account) -> frozenset[Role]:
    """The roles that an account has."""
    return frozenset(BY_ID[found.role_id] for found in account.roles if found.role_id in BY_ID)


def create_account(work: UnitOfWork, new: NewAccount) -> Account:
    """Let somebody use the API. Without a password nobody can log on with it yet.

    Raises:
        InvalidRequestError: there is one of that name, or it has no role.
        NotFoundError: a role is unknown.
    """
    name = local_name(naming.printable(new.name, "AccountName"))
    if not name:
        raise InvalidRequestError("AccountName is missing.")
    if work.session.scalar(select(Account.id).where(Account.name == name)) is not None:
        raise InvalidRequestError(f"An account named {name} is there already.")
    if not new.role_ids:
        raise InvalidRequestError("Roles is empty; an account needs at least one role.")
    roles = {get_role(identifier) for identifier in new.role_ids}
    account = Account(
        name=name,
        kind=new.kind,
        restores_all_vms=new.restores_all_vms,
        password_hash=new.password_hash,
        roles=[AccountRole(role_id=role.id) for role in roles],
    )
    work.session.add(account)
    work.session.flush()
    document = {"Name": name, "Roles": sorted(role.value for role in roles)}
    record(work, change_to(account, TYPE, CREATED, after=document))
    return account


def delete_account(work: UnitOfWork, account: Account) -> None:
    """Remove an account and its logon sessions.

    Raises:
        InvalidRequestError: nobody else is portal administrator.
    """
    check_not_last_administrator(work, account)
    names = sorted(role.value for role in roles_of(account))
    record(
        work,
        change_to(account, TYPE, DELETED, before={"Name": account.name, "Roles": names}),
    )
    work.session.delete(account)


def toggle_restore_scope(work: UnitOfWork, account: Account) -> None:
    """Turn the right to restore all machines on or off."""
    before = {"AllowRestoreAllVms": account.restores_all_vms}
    account.restores_all_vms = not account.restores_all_vms
    after = {"AllowRestoreAllVms": account.restores_all_vms}
    record(work, change_to(account, TYPE, EDITED, before=before, after=after))


def add_role(work: UnitOfWork, account: Account, role: Role) -> None:
    """Give an account one more role; one that it has already stays.

    Raises:
        InvalidRequestError: it has that role.
    """
    if role in roles_of(account):
        raise InvalidRequestError(f"{account.name} has the role {role.value} already.")
    account.roles.append(AccountRole(role_id=role.id))
    record(work, change_to(account, TYPE, ROLE_ADDED, after={"Role": role.value}))


def remove_role(work: UnitOfWork, account: Account, role: Role) -> None:
    """Take a role from an account.

    Raises:
        NotFoundError: it does not have it.
        InvalidRequestError: it is its last one, or nobody else is portal administrator.
    """
    found = next((each for each in account.roles if each.role_id == role.id), None)
    if found is None:
        raise NotFoundError(f"{account.name} does not have the role {role.value}.")
    if len(account.roles) == 1:
        raise InvalidRequestError(
            f"{role.value} is the last role of {account.name}; remove the account instead."
        )
    if role is Role.PORTAL_ADMINISTRATOR:
        check_not_last_administrator(work, account)
    account.roles.remove(found)
    record(work, change_to(account, TYPE, ROLE_REMOVED, before={"Role": role.value}))


def set_password(
    work: UnitOfWork, account: Account, password_hash: str, *, keep: UUID | None = None
) -> None:
    """Give an account a new password, and end its logon sessions but `keep`."""
    account.password_hash = password_hash
    end_sessions(work, account.id, keep=keep)
    record(work, change_to(account, TYPE, PASSWORD_CHANGED, after=NEW_PASSWORD))


def check_password(account: Account, password: str) -> None:
    """See whether a password is that of an account.

    Raises:
        AccessDeniedError: it is not.
    """
    if not matches(account.password_hash, password):
        raise AccessDeniedError("Access denied: CurrentPassword is wrong.")


def check_has_password(account: Account, proven_hash: str) -> None:
    """See whether the password that somebody has shown is that of an account still.

    Raises:
        AccessDeniedError: it has another one meanwhile.
    """
    if account.password_hash != proven_hash:
        raise AccessDeniedError("Access denied: the password has been changed meanwhile.")


def check_not_last_administrator(work: UnitOfWork, account: Account) -> None:
    """See whether somebody administers besides an account, if it does.

    Raises:
        InvalidRequestError: nobody else is portal administrator.
    """
    others = work.session.scalar(
        select(func.count())
        .select_from(AccountRole)
        .where(
            AccountRole.role_id == Role.PORTAL_ADMINISTRATOR.id,
            AccountRole.account_id != account.id,
        )
    )
    if Role.PORTAL_ADMINISTRATOR in roles_of(account) and not others:
        raise InvalidRequestError(
            f"{account.name} is the last portal administrator; make another one first."
        )
