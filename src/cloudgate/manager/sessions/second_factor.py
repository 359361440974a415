"""Second factor: who shows a code besides a password, who has to, and is a code right?

Secrets are sealed, with a key that is not in the database. Of recovery codes their marks are kept,
made with the same key: they are short enough to be tried out by who has the database alone.
"""

import secrets
from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from cloudgate.errors import AccessDeniedError, InvalidRequestError, NotAuthenticatedError
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.sessions import passkeys, totp
from cloudgate.manager.sessions.accounts import ADVICE, WRONG
from cloudgate.manager.sessions.administration import ROLE, TYPE, get_account, get_role
from cloudgate.manager.storage.tables import (
    Account,
    LogonSession,
    RequiredFactor,
    SecondFactor,
)

log = structlog.get_logger(__name__)

_SET = Event("SetSecondFactor", "Account {name} [{id}] has a second factor")
_REMOVED = Event(
    "RemoveSecondFactor", "Account {name} [{id}] has no second factor any more", WARNING
)
_REQUIRED = Event(
    "RequireSecondFactor", "Whether {name} needs a second factor has changed", WARNING
)
RECOVERY_CODES = 10
LONGEST_CODE = 100
"""Characters; what is longer was signed by a passkey."""
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without what looks like something else."""
_GROUPS, _GROUP_CHARACTERS = 3, 4
_PURPOSE = "recovery code"


def has_codes(account: Account) -> bool:
    """Whether an app shows codes for an account."""
    return account.factor is not None and account.factor.confirmed


def has_one(account: Account) -> bool:
    """Whether an account has a second factor that works: codes, or passkeys."""
    return has_codes(account) or bool(account.passkeys)


def owes_one(session: LogonSession) -> bool:
    """Whether a session's account has a role that asks for a second factor, and has none yet.

    Who came by single sign-on has shown its provider what that asks for.
    """
    if session.came_by is not None or has_one(session.account):
        return False
    return any(each.factor_required is not None for each in session.account.roles)


def begin(work: UnitOfWork, account_id: UUID) -> tuple[str, str]:
    """Make a secret for an account. Returns it, and what its QR code says; nothing asks for it yet.

    Raises:
        InvalidRequestError: there is a second factor already.
    """
    account = get_account(work, account_id)
    if has_codes(account):
        raise InvalidRequestError(
            f"{account.name} has a second factor already; take it away first, with a code of it."
        )
    secret = totp.new_secret()
    sealed = work.sealing.seal(secret, _owner(account.id))
    account.factor = SecondFactor(
        sealed_secret=sealed, confirmed=False, last_step=0, recovery_marks=[]
    )
    return secret, totp.uri(secret, account.name)


def confirm(work: UnitOfWork, account_id: UUID, code: str) -> Sequence[str]:
    """Have a second factor be asked for from now on. Returns recovery codes, this once.

    Raises:
        InvalidRequestError: none was begun.
        AccessDeniedError: the code is wrong.
    """
    account = get_account(work, account_id)
    factor = account.factor
    if factor is None or factor.confirmed:
        raise InvalidRequestError("No second factor was begun: ask for a secret first.")
    secret = work.sealing.open(factor.sealed_secret, _owner(account.id))
    step = totp.step_of(secret, _digits(code), work.now, factor.last_step)
    if step is None:
        raise AccessDeniedError(
            "Access denied: the code is wrong. See that the clock of the telephone is right."
        )
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    factor.last_step, factor.confirmed = step, True
    factor.recovery_marks = [_mark(work, account.id, each) for each in codes]
    record(work, change_to(account, TYPE, _SET))
    return codes


def take_away(work: UnitOfWork, account: Account) -> None:
    """Have no codes be asked of an account any more.

    Raises:
        InvalidRequestError: none are.
    """
    if account.factor is None:
        raise InvalidRequestError(f"{account.name} has no second factor.")
    account.factor = None
    record(work, change_to(account, TYPE, _REMOVED))


def reset(work: UnitOfWork, account: Account) -> None:
    """Have an account log on by its password alone again: its codes and passkeys are gone.

    Raises:
        InvalidRequestError: it has none.
    """
    for each in list(account.passkeys):
        passkeys.remove(work, account.id, each.id)
        if account.factor is None and not account.passkeys:
            return
    take_away(work, account)


def list_required(work: UnitOfWork) -> frozenset[UUID]:
    """The roles whose accounts have to have a second factor."""
    return frozenset(work.session.scalars(select(RequiredFactor.role_id)))


def require(work: UnitOfWork, role_id: UUID, *, required: bool) -> None:
    """Have accounts of a role need a second factor, or not.

    Raises:
        NotFoundError: there is no such role.
    """
    role = get_role(role_id)
    found = work.session.get(RequiredFactor, role_id)
    if required and found is None:
        work.session.add(RequiredFactor(role_id=role_id))
    if not required and found is not None:
        work.session.delete(found)
    if required is (found is None):
        named = _Role(role_id, role.value)
        before, after = {"Required": not required}, {"Required": required}
        record(
            work,
            change_to(named, ROLE, _REQUIRED, before=before, after=after),
        )


class _Role:
    def __init__(self, identifier: UUID, name: str) -> None:
        self.id, self.name = identifier, name


def check_logon(manager: Manager, account: Account, code: str) -> None:
    """See whether who knows an account's password also has its second factor, where it has one.

    Raises:
        NotAuthenticatedError: the code is wrong, was used before, or is missing; it says no more
            than of a wrong password.
    """
    if not has_one(account):
        return
    try:
        with manager.changing() as work:
            right = use(work, account.id, code, manager)
    except OperationalError as problem:
        log.warning("the use of a code cannot be written", reason=str(problem))
        with manager.reading() as work:
            right = use(work, account.id, code, manager, written=False)
    if not right:
        raise NotAuthenticatedError(WRONG, ADVICE)


def use(
    work: UnitOfWork, account_id: UUID, code: str, manager: Manager, *, written: bool = True
) -> bool:
    """Whether a code is right and was not used before; from now on it was.

    `written`: whether it can be written down; else it is remembered, and recovery codes and
    passkeys are no good, as they would be again after a restart.
    """
    account = work.session.get(Account, account_id)
    if len(code) > LONGEST_CODE:
        return written and passkeys.use_beside_password(work, account_id, code)
    factor = account.factor if account else None
    if factor is None or not factor.confirmed:
        return False
    if len(code.strip()) > totp.DIGITS + 1:
        return written and _use_recovery(work, account_id, factor, code)
    secret = work.sealing.open(factor.sealed_secret, _owner(account_id))
    step = totp.step_of(secret, _digits(code), work.now, factor.last_step)
    if step is None:
        return False
    if not written:
        return manager.used_codes.use(account_id, step)
    factor.last_step = step
    return not manager.used_codes.was_used(account_id, step)


def _use_recovery(work: UnitOfWork, account_id: UUID, factor: SecondFactor, code: str) -> bool:
    mark = _mark(work, account_id, code)
    if mark not in factor.recovery_marks:
        return False
    factor.recovery_marks = [each for each in factor.recovery_marks if each != mark]
    return True


def _mark(work: UnitOfWork, account_id: UUID, code: str) -> str:
    plain = "".join(letter for letter in code.lower() if letter in _ALPHABET)
    return work.sealing.sign(f"{account_id} {plain}", _PURPOSE)


def _new_code() -> str:
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_CHARACTERS)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def _digits(code: str) -> str:
    """A code as people type it, with a blank in the middle or not."""
    return "".join(code.split())


def _owner(account_id: UUID) -> str:
    return f"second factor of {account_id}"
