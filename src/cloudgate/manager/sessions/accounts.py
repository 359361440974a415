"""Accounts: who may use the API, and with which password?"""

import socket
from uuid import UUID

from sqlalchemy import select

from cloudgate.errors import NotAuthenticatedError
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.tables import Account, AccountIdentity, AccountRole
from cloudgate.trust.password_hashes import hash_password, matches
from cloudgate.values import precis

ADMINISTRATOR = "admin"
WRONG = "The user name or the password is wrong."
ADVICE = (
    "An account with a second factor also needs its code of now, in the header X-Cloudgate-Code;"
    " programs use an API token."
)
"""Said whatever was wrong: who guesses is not to learn that a password was right."""


def ensure_administrator(manager: Manager, password: str | None) -> bool:
    """See to it that there is an administrator; a password that is given becomes the one in force.

    Returns:
        Whether the account was made now, with `password`.
    """
    with manager.changing() as work:
        account = work.session.scalar(select(Account).where(Account.name == ADMINISTRATOR))
        if account is None:
            if password is None:
                return False
            role = AccountRole(role_id=Role.PORTAL_ADMINISTRATOR.id)
            work.session.add(
                Account(name=ADMINISTRATOR, password_hash=hash_password(password), roles=[role])
            )
            return True
        if password is not None and not matches(account.password_hash, password):
            account.password_hash = hash_password(password)
        return False


def has_administrator(manager: Manager) -> bool:
    """Whether the first start has happened."""
    with manager.reading() as work:
        found = work.session.scalar(select(Account.id).where(Account.name == ADMINISTRATOR))
        return found is not None


def authenticate(manager: Manager, name: str, password: str) -> Account:
    r"""The account of that name and password. ``HOST\name`` means an account of this machine.

    Raises:
        NotAuthenticatedError: there is no such account, or the password is wrong; which of the
            two is not told.
    """
    with manager.reading() as work:
        account = work.session.scalar(select(Account).where(Account.name == local_name(name)))
        if account is not None and comes_by_provider_alone(manager, work, account.id):
            account = None
    known_hash = account.password_hash if account else None
    if not matches(known_hash, password) or account is None:
        raise NotAuthenticatedError(WRONG, ADVICE)
    return account


def comes_by_provider_alone(manager: Manager, work: UnitOfWork, account_id: UUID) -> bool:
    """Whether an account may sign in by single sign-on, and by nothing else."""
    said = manager.signing_in.single_sign_on
    if said is None or said.passwords_are_good:
        return False
    return work.session.get(AccountIdentity, account_id) is not None


def local_name(name: str) -> str:
    """The account's name without the name of this machine in front of it."""
    host, separator, user = name.rpartition("\\")
    own = {".", "localhost", precis.key(socket.gethostname())}
    own.add(precis.key(socket.gethostname().partition(".")[0]))
    return precis.key(user if separator and precis.key(host) in own else name)
