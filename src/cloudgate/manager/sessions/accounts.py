"""Accounts: who may use the API, and with which password?"""

import socket
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select

from cloudgate.errors import NotAuthenticatedError
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.security.generated_passwords import generate_password
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.marks import UNSHOWN, put_mark, read_mark, take_mark
from cloudgate.manager.storage.tables import Account, AccountIdentity, AccountRole
from cloudgate.trust.password_hashes import hash_password, matches, password_fingerprint
from cloudgate.values import precis

ADMINISTRATOR = "admin"
WRONG = "The user name or the password is wrong."
ADVICE = (
    "An account with a second factor also needs its code of now, in the header X-Cloudgate-Code;"
    " programs use an API token."
)
"""Said whatever was wrong: who guesses is not to learn that a password was right."""


def ensure_administrator(manager: Manager, password: str) -> None:
    """See to it that there is an administrator who comes in by this password."""
    with manager.reading() as work:
        account = _administrator(work)
    has_it = account is not None and matches(account.password_hash, password)
    password_hash = "" if has_it else hash_password(password)
    with manager.changing() as work:
        if not has_it:
            _give_password(work, _administrator(work), password_hash)
        note_first_password_known(work)


def begin_administrator(manager: Manager, password: Callable[[], str]) -> None:
    """See to it that there is an administrator, by this password if nobody knows one yet.

    It is asked for in that case alone. An administrator who was deleted stays so while there are
    other accounts: an old first password is not to bring him back.
    """
    with manager.reading() as work:
        if not _wants_to_begin(work):
            return
    given = hash_password(password())
    with manager.changing() as work:
        if not _wants_to_begin(work):
            return
        _give_password(work, _administrator(work), given)
        note_first_password_known(work)


def first_password(manager: Manager) -> str | None:
    """A password for the administrator, who has it from here on; None where somebody knows one.

    It is made for an account that is not there yet, and for one whose first password nobody has
    seen: until `note_first_password_known`, each call makes another one.
    """
    with manager.reading() as work:
        if not _wants_first_password(work):
            return None
    password = generate_password()
    password_hash = hash_password(password)
    with manager.changing() as work:
        if not _wants_first_password(work):
            return None
        account = _give_password(work, _administrator(work), password_hash)
        put_mark(work.session, UNSHOWN, password_fingerprint(account.password_hash))
    return password


def note_first_password_known(work: UnitOfWork) -> None:
    """Somebody has seen the administrator's password, or has given him one."""
    take_mark(work.session, UNSHOWN)


def _wants_first_password(work: UnitOfWork) -> bool:
    account = _administrator(work)
    if account is None:
        return True
    return read_mark(work.session, UNSHOWN) == password_fingerprint(account.password_hash)


def _wants_to_begin(work: UnitOfWork) -> bool:
    if _administrator(work) is None:
        return work.session.scalar(select(Account.id).limit(1)) is None
    return _wants_first_password(work)


def _administrator(work: UnitOfWork) -> Account | None:
    return work.session.scalar(select(Account).where(Account.name == ADMINISTRATOR))


def _give_password(work: UnitOfWork, account: Account | None, password_hash: str) -> Account:
    if account is None:
        role = AccountRole(role_id=Role.PORTAL_ADMINISTRATOR.id)
        account = Account(name=ADMINISTRATOR, roles=[role])
        work.session.add(account)
    account.password_hash = password_hash
    return account


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
