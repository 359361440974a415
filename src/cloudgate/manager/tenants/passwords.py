"""Tenants' passwords: which are good, and how is one replaced while the old one is good beside it?

The same for tenants and for their users.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, select

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, Subtenant
from cloudgate.trust.password_hashes import (
    hash_beside,
    hash_password,
    matches,
    matching,
    password_fingerprint,
)

OLD_PASSWORD_SECONDS = 24 * 3600
MOST_OLD_PASSWORD_SECONDS = 30 * 24 * 3600
MOST_CHECKS = 4
"""Of a wrong password, where no name is on more sites."""
RETRY_SECONDS = 1
"""When who has changed a password in the same moment as somebody else may try again."""
_AT_ONCE = 500

Owner = CloudTenant | Subtenant
T = TypeVar("T", CloudTenant, Subtenant)
Named = TypeVar("Named", bound=Owner)


def find_owner(work: UnitOfWork, tenant_id: UUID, user_id: UUID | None) -> Owner | None:
    """The tenant, or its user of that id; None where there is none such."""
    if user_id is None:
        return work.session.get(CloudTenant, tenant_id)
    user = work.session.get(Subtenant, user_id)
    return user if user is not None and user.tenant_id == tenant_id else None


def generated() -> str:
    """A new password that nobody has thought of."""
    return secrets.token_urlsafe(18)


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """A password that is to take the place of another one: hashed before the change begins.

    That takes long, and others wait meanwhile who want to change something.
    """

    replaces: str
    """The hash of the other one."""
    password_hash: str
    is_the_same: bool
    """Whether it is that one."""
    characters: int
    old_for_seconds: int
    """How long the other one is good beside it; 0 for not at all."""


def replacement(
    old_hash: str, password: str, old_for_seconds: int | None, *, least_characters: int = 0
) -> Replacement:
    """Hash a password that is to take the place of one; a day beside it unless told.

    One of fewer than `least_characters`, which will be refused, is not hashed.
    """
    seconds = OLD_PASSWORD_SECONDS if old_for_seconds is None else old_for_seconds
    is_too_short = len(password) < least_characters
    is_the_same = not is_too_short and bool(old_hash) and matches(old_hash, password)
    made = ""
    if not is_the_same and not is_too_short:
        is_beside = bool(old_hash and seconds)
        made = hash_beside(password, old_hash) if is_beside else hash_password(password)
    return Replacement(
        replaces=old_hash,
        password_hash=made,
        is_the_same=is_the_same,
        characters=len(password),
        old_for_seconds=seconds,
    )


def set_password(who: Owner, password_hash: str) -> None:
    """Have this password at once, and no other."""
    who.password_hash = password_hash
    forget_old(who)


def replace_password(work: UnitOfWork, who: Owner, new: Replacement) -> None:
    """Have a new password, and the one of now beside it for a time.

    A password that was replaced before is good no more.

    Raises:
        InvalidRequestError: it is the one of now, or the time is too long.
        UnavailableError: the one of now is another one than it is to replace.
    """
    seconds = new.old_for_seconds
    if not 0 <= seconds <= MOST_OLD_PASSWORD_SECONDS:
        raise InvalidRequestError(
            f"OldPasswordSeconds: found {seconds}, expected 0 to {MOST_OLD_PASSWORD_SECONDS}"
            " (30 days)."
        )
    old = who.password_hash
    if old != new.replaces:
        raise UnavailableError(
            f"The password of {who.name} was changed by somebody else in the same moment. Try"
            " again if it is to be changed once more.",
            retry_after_seconds=RETRY_SECONDS,
        )
    if new.is_the_same:
        raise InvalidRequestError(
            f"Password: it is the one that {who.name} has; give another one, or none to have one"
            " made."
        )
    forget_old(who)
    who.password_hash = new.password_hash
    if not old or not seconds:
        return
    who.old_password_hash = old
    who.old_password_until = work.now + timedelta(seconds=seconds)


def forget_old(who: Owner) -> None:
    """The password that was replaced is good no more."""
    who.old_password_hash = ""
    who.old_password_until = who.old_password_used_at = None


def old_until(who: Owner, now: datetime) -> datetime | None:
    """Until when a password that was replaced is good; None when there is none."""
    return good_until(who.old_password_until, now) if who.old_password_hash else None


def good_until(until: datetime | None, now: datetime) -> datetime | None:
    """The same moment; None where it is over, though the hash is kept for a while."""
    return until if until is not None and until > now else None


def good_marks(who: Owner, now: datetime) -> frozenset[str]:
    """Of the passwords that somebody may come in by."""
    old = who.old_password_hash if old_until(who, now) else ""
    return marks_of(who.password_hash, old)


def marks_of(*hashes: str) -> frozenset[str]:
    """Of passwords that have these hashes; empty ones are of none."""
    return frozenset(password_fingerprint(each) for each in hashes if each)


def is_good(who: Owner, password: str, now: datetime) -> bool:
    """Whether somebody may come in by a password."""
    if not who.password_hash:
        return matches(None, password)
    old = who.old_password_hash if old_until(who, now) else ""
    return bool(matching((who.password_hash, old), password))


def checks_of_failure(named: int, most_alike: int) -> int:
    """How many checks a failure costs for a name that so many have, one on each site. Pure.

    As many as for the name that most have, so that how long it takes says nothing of a name; up to
    `MOST_CHECKS`, which bounds what a guess may cost.
    """
    return max(named, min(most_alike, MOST_CHECKS), 1)


def first_right(
    work: UnitOfWork, named: Sequence[Named], password: str, is_right: Callable[[Named], bool]
) -> Named | None:
    """The first of those of one name who comes in by a password.

    Args:
        work: what they were read in.
        named: all who have that name, each on another site.
        password: what is shown.
        is_right: checks it once, and whether somebody may come in.
    """
    for each in named:
        if is_right(each):
            return each
    alike = select(func.count().label("sites")).select_from(CloudTenant).group_by(CloudTenant.login)
    most = work.session.scalar(select(func.max(alike.subquery().c.sites))) or 0
    for _ in range(checks_of_failure(len(named), most) - len(named)):
        matches(None, password)
    return None


def host_fields(who: Owner) -> dict[str, Any]:
    """As gateways are told it."""
    return {
        "old_password_hash": who.old_password_hash,
        "old_password_until": who.old_password_until,
    }


def old_ones(work: UnitOfWork) -> dict[str, int]:
    """How many tenants and subtenants have a password that was replaced and is good yet."""
    columns = {
        "tenant": CloudTenant.old_password_until,
        "subtenant": Subtenant.old_password_until,
    }
    return {
        name: work.session.scalar(select(func.count(until)).where(until > work.now)) or 0
        for name, until in columns.items()
    }


def has_expired(work: UnitOfWork) -> bool:
    """Whether there are passwords to `forget_expired`."""
    return bool(_expired(work, CloudTenant, 1) or _expired(work, Subtenant, 1))


def forget_expired(work: UnitOfWork) -> None:
    """Forget the hashes of some passwords that are good no more, by a clock that is settled.

    Gateways, which go by the time, are told to forget them, too. What a clock that is ahead for
    a moment has ended is good again once it is put back.
    """
    tenants = _expired(work, CloudTenant, _AT_ONCE)
    users = _expired(work, Subtenant, _AT_ONCE)
    for tenant in tenants:
        forget_old(tenant)
    for user in users:
        forget_old(user)
    for tenant in {*tenants, *(user.tenant for user in users)}:
        work.touch_tenant(tenant)


def _expired(work: UnitOfWork, kind: type[T], most: int) -> Sequence[T]:
    query = select(kind).where(kind.old_password_until <= work.settled).limit(most)
    return work.session.scalars(query).all()
