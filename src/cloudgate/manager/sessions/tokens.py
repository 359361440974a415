"""API tokens: what does a program show in place of a logon, and who may make one?

A secret has 256 random bits, so nobody guesses it, and nothing slow has to stand in the way: its
plain SHA-256 is kept, and a call costs a look into an index. A key for the hash would protect
nothing more, and a database that came back with another key would know no token.
"""

import re
import secrets
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm.attributes import set_committed_value

from cloudgate.errors import (
    AccessDeniedError,
    BadTokenError,
    InvalidRequestError,
    NotFoundError,
)
from cloudgate.manager import naming
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.sessions.administration import get_account, roles_of
from cloudgate.manager.sessions.roles import BY_ID, Role
from cloudgate.manager.storage.tables import Account, AccountRole, ApiToken, LogonSession
from cloudgate.trust.token_hashes import token_hash

TYPE = "ApiToken"
CREATED = Event("CreateApiToken", "API token {name} [{id}] has been created")
REVOKED = Event("RevokeApiToken", "API token {name} [{id}] has been revoked", WARNING)
PREFIX = "cgt_"
"""By which scanners of secrets find one that was published: this, and 49 letters and digits."""
METRICS = "Metrics"
"""A role of tokens alone: to see figures and health on the API's port, and nothing else."""
METRICS_ID = UUID("0e4c6c6d-3c0b-4d2e-9d55-6e1f2a7b9c31")
USUAL_DAYS, MOST_DAYS = 90, 366
LONGEST_NAME = 100
MOST_OF_ACCOUNT = 100
_LONGEST_AUTHOR = 140
"""Characters of an account's name, so that both fit where the audit log has its author."""
SHOWN_AFTER_END = timedelta(days=30)
"""How long one that has ended is still listed."""
NOTE_AFTER = timedelta(minutes=1)
"""Use is written down at most this often."""
_UNKNOWN = "The API token is not known: it was revoked, or its account was deleted."
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARACTERS, _SUM_CHARACTERS = 43, 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_CHARACTERS + _SUM_CHARACTERS}}}")
_WATCHERS = frozenset({Role.PORTAL_ADMINISTRATOR, Role.PORTAL_USER})
"""The roles that see figures, and so may let a program see them."""


def new_secret() -> str:
    """A secret: the prefix, 256 random bits, and a sum by which one sees that it is one."""
    number = secrets.randbits(256)
    return _with_sum(PREFIX + _in_digits(number, _RANDOM_CHARACTERS))


def is_one(text: str) -> bool:
    """Whether a text has the form of a secret, with the sum that it should have."""
    return bool(_FORM.fullmatch(text)) and _with_sum(text[:-_SUM_CHARACTERS]) == text


def _with_sum(text: str) -> str:
    return text + _in_digits(zlib.crc32(text.encode()), _SUM_CHARACTERS)


def _in_digits(number: int, length: int) -> str:
    found = ""
    while len(found) < length:
        number, digit = divmod(number, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found


def role_name(role_id: UUID) -> str:
    """The name of a token's role."""
    return METRICS if role_id == METRICS_ID else BY_ID[role_id].value


def may_have(roles: Collection[Role], role_id: UUID) -> bool:
    """Whether a token of an account with these roles may have that one: never more than it has."""
    if role_id == METRICS_ID:
        return not _WATCHERS.isdisjoint(roles)
    return Role.PORTAL_ADMINISTRATOR in roles or BY_ID.get(role_id) in roles


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """What POST /security/tokens asks for."""

    name: str
    role: str
    days: int | None = None


@dataclass(frozen=True, kw_only=True)
class OwnTokens:
    """The tokens that somebody may see and revoke who does not administer."""

    account_id: UUID
    shown: UUID | None = None
    """The token that they show; then it is that one alone: others may do more than it does."""

    def includes(self, token: ApiToken) -> bool:
        """Whether it is one of these."""
        return token.account_id == self.account_id and self.shown in (None, token.id)


def list_tokens(work: UnitOfWork, whose: OwnTokens | None) -> Sequence[ApiToken]:
    """Somebody's tokens, or all, by name."""
    found = select(ApiToken).order_by(ApiToken.name, ApiToken.id)
    if whose is not None:
        found = found.where(ApiToken.account_id == whose.account_id)
    return [each for each in work.session.scalars(found) if whose is None or whose.includes(each)]


def get_token(work: UnitOfWork, identifier: UUID, whose: OwnTokens | None) -> ApiToken:
    """A token by its id; of somebody's, where it is said whose.

    Raises:
        NotFoundError: there is none.
    """
    found = work.get(ApiToken, identifier, "API token")
    if whose is not None and not whose.includes(found):
        raise NotFoundError(f"There is no API token with the id {identifier}.")
    return found


def create_token(work: UnitOfWork, account_id: UUID, new: NewToken) -> tuple[ApiToken, str]:
    """Make a token of an account. Returns it, and its secret, which nobody can read again.

    Raises:
        InvalidRequestError: there is one of that name, too many, or no such role.
        AccessDeniedError: the account has not that role.
    """
    account = get_account(work, account_id)
    name = naming.printable(new.name, "Name")
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidRequestError(f"Name: expected 1 to {LONGEST_NAME} characters.")
    role_id = _role_id(new.role)
    if not may_have(roles_of(account), role_id):
        raise AccessDeniedError(
            f"Access denied: {account.name} has not the role {new.role}, and a token never has more"
            " than who makes it."
        )
    _make_room(work, account, name)
    days = USUAL_DAYS if new.days is None else new.days
    secret = new_secret()
    token = ApiToken(
        account_id=account.id,
        account=account,
        name=name,
        role_id=role_id,
        secret_hash=token_hash(secret),
        created_at=work.now,
        ends_at=work.now + timedelta(days=days),
    )
    work.session.add(token)
    work.session.flush()
    record(work, change_to(token, TYPE, CREATED, after=_document(token)))
    return token, secret


def _make_room(work: UnitOfWork, account: Account, name: str) -> None:
    long_over = ApiToken.ends_at < work.settled - SHOWN_AFTER_END
    work.session.execute(delete(ApiToken).where(long_over))
    own = select(func.count()).where(ApiToken.account_id == account.id)
    if work.session.scalar(own.where(ApiToken.name == name)):
        raise InvalidRequestError(f"{account.name} has an API token named {name!r} already.")
    if (work.session.scalar(own) or 0) >= MOST_OF_ACCOUNT:
        raise InvalidRequestError(
            f"{account.name} has {MOST_OF_ACCOUNT} API tokens, as many as may be; revoke one first."
        )


def _role_id(name: str) -> UUID:
    if name == METRICS:
        return METRICS_ID
    found = next((role for role in BY_ID.values() if role.value == name), None)
    if found is None:
        known = ", ".join([*(role.value for role in BY_ID.values()), METRICS])
        raise InvalidRequestError(f"Role: found {name[:100]!r}, expected one of {known}.")
    return found.id


def _document(token: ApiToken) -> dict[str, str]:
    return {
        "Name": token.name,
        "Account": token.account.name,
        "Role": role_name(token.role_id),
        "ExpirationTime": token.ends_at.isoformat(),
    }


def revoke_token(work: UnitOfWork, token: ApiToken) -> None:
    """Have a token be good for nothing any more, from now on."""
    record(work, change_to(token, TYPE, REVOKED, before=_document(token)))
    work.session.delete(token)


def known_token(work: UnitOfWork, secret: str) -> ApiToken:
    """The token of a secret, and whose it is.

    Raises:
        BadTokenError: there is none.
    """
    found = work.session.scalar(select(ApiToken).where(ApiToken.secret_hash == token_hash(secret)))
    if found is None:
        raise BadTokenError(_UNKNOWN)
    return found


def is_good(work: UnitOfWork, identifier: UUID) -> bool:
    """Whether the token of that id may be used now; one look at the database."""
    rows = work.session.execute(
        select(ApiToken.ends_at, ApiToken.role_id, AccountRole.role_id)
        .join(AccountRole, AccountRole.account_id == ApiToken.account_id)
        .where(ApiToken.id == identifier)
    ).all()
    if not rows or work.now >= rows[0][0]:
        return False
    roles = {BY_ID[each] for _, _, each in rows if each in BY_ID}
    return may_have(roles, rows[0][1])


def good_token(work: UnitOfWork, identifier: UUID) -> ApiToken:
    """The token of that id, which may be used now.

    Raises:
        BadTokenError: there is none, or it is good no more.
    """
    found = work.session.get(ApiToken, identifier)
    if found is None:
        raise BadTokenError(_UNKNOWN)
    check_good(found, work.now)
    return found


def check_good(token: ApiToken, now: datetime) -> None:
    """See whether a token that is known may be used now.

    Raises:
        BadTokenError: it has ended, or its account has lost its role.
    """
    if now >= token.ends_at:
        raise BadTokenError(
            f"The API token {token.name} has ended at {token.ends_at:%Y-%m-%d %H:%M} UTC. Make"
            " another one."
        )
    if not may_have(roles_of(token.account), token.role_id):
        raise BadTokenError(
            f"The API token {token.name} has the role {role_name(token.role_id)}, which its account"
            " has not any more."
        )


def author(token: ApiToken) -> str:
    """How the audit log names who shows a token."""
    return f"{token.account.name[:_LONGEST_AUTHOR]} (token {token.name})"


def acting_session(token: ApiToken, now: datetime) -> LogonSession:
    """What stands for a logon session in a call with a token: its account, with its role alone."""
    session = LogonSession(
        id=token.id,
        account_id=token.account_id,
        version="latest",
        created_at=token.created_at,
        used_at=now,
        tenant_id=None,
    )
    account = Account(
        id=token.account_id,
        name=author(token),
        kind=token.account.kind,
        restores_all_vms=token.account.restores_all_vms,
        roles=[AccountRole(role_id=token.role_id)],
    )
    set_committed_value(session, "account", account)
    return session


def watches(session: LogonSession) -> bool:
    """Whether who asks has a token for figures."""
    return any(each.role_id == METRICS_ID for each in session.account.roles)


def note_use(work: UnitOfWork, identifier: UUID) -> None:
    """Write down that a token is used."""
    found = work.session.get(ApiToken, identifier)
    if found is not None:
        found.used_at = work.now
