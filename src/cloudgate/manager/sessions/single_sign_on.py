"""Single sign-on: which account is somebody whom the provider vouches for, and with which roles?

A person is known by the provider's name and its own for the person, never by an address of mail or
a name of an account: those anybody may have there. What the claim says holds at each logon.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from cloudgate.errors import (
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    NotOfferedError,
)
from cloudgate.manager.audit.events import WARNING, Change, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import LOG_ON
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.sessions import openid_provider
from cloudgate.manager.sessions.accounts import ADMINISTRATOR
from cloudgate.manager.sessions.administration import (
    ROLE_REMOVED,
    TYPE,
    NewAccount,
    add_role,
    check_not_last_administrator,
    create_account,
    roles_of,
)
from cloudgate.manager.sessions.challenges import hand_out, spend, taken_back
from cloudgate.manager.sessions.openid_provider import LONGEST_SUBJECT, AuthorizationRequest
from cloudgate.manager.sessions.operations import (
    LOGGED_CHARACTERS,
    end_sessions,
    note_refusal,
    open_session,
)
from cloudgate.manager.sessions.roles import BY_ID, Role
from cloudgate.manager.settings.signing_in import SingleSignOn
from cloudgate.manager.storage.tables import Account, AccountIdentity, LogonSession
from cloudgate.values import fields

_LINKED = Event("LinkAccount", "Account {name} [{id}] belongs to a person of a provider", WARNING)
_UNLINKED = Event("UnlinkAccount", "Account {name} [{id}] belongs to nobody of a provider")
SSO = "SingleSignOn"
"""What sessions say that were begun by it."""
_PURPOSE = "single sign-on"
_PLAIN = re.compile(r"[a-z_]{1,60}")


def role_named(text: str) -> UUID:
    """A role by its name, which may be written without blanks, and in any case.

    Raises:
        InvalidRequestError: there is none.
    """
    wanted = "".join(text.split()).casefold()
    for identifier, role in BY_ID.items():
        if "".join(role.value.split()).casefold() == wanted:
            return identifier
    known = ", ".join(role.value for role in BY_ID.values())
    raise InvalidRequestError(
        f"--sso-role: found the role {text[:100]!r}, expected one of {known}."
    )


def roles_said(settings: SingleSignOn, claims: Mapping[str, Any]) -> frozenset[Role]:
    """The roles that somebody's claims stand for. Pure."""
    found: Any = claims.get(settings.role_claim)
    if found is None:
        found = claims
        for part in settings.role_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    values: Iterable[Any] = found if isinstance(found, list) else (found,)
    ids = {
        settings.roles[each] for each in values if isinstance(each, str) and each in settings.roles
    }
    return frozenset(BY_ID[each] for each in ids)


def settings_of(manager: Manager) -> SingleSignOn:
    """What is set.

    Raises:
        NotOfferedError: nothing.
    """
    found = manager.signing_in.single_sign_on
    if found is None:
        raise NotOfferedError("This manager has no single sign-on: it is set up by --sso-issuer.")
    return found


def begin(manager: Manager, address: str) -> tuple[str, str]:
    """Where to send a browser, and what it has to bring along when it comes back.

    Raises:
        CloudgateError: the provider does not answer, or there is none.
    """
    settings = settings_of(manager)
    with manager.openid.seat(address):
        found = openid_provider.metadata(settings, manager.openid)
    asked = AuthorizationRequest()
    url = openid_provider.authorization_url(settings, found, manager.signing_in.callback_url, asked)
    content = {**asdict(asked), "issuer": settings.issuer, "client": settings.client_id}
    return url, hand_out(manager.sealing, _PURPOSE, content, manager.clock())


def sign_out_url(manager: Manager) -> str:
    """Where somebody signs out at the provider, too; empty where that is not known."""
    settings = settings_of(manager)
    found = openid_provider.known_metadata(settings, manager.openid)
    if found is None:
        return ""
    return openid_provider.sign_out_url(settings, found, manager.signing_in.signed_out_url)


@dataclass(frozen=True, kw_only=True)
class AuthorizationResponse:
    """What a browser brings that comes back from the provider."""

    kept: str
    """What it was given when it began."""
    state: str
    code: str = ""
    error: str = ""
    issuer: str = ""
    """Who says so (RFC 9207); empty where the provider does not say."""


def complete(
    manager: Manager, returned: AuthorizationResponse, version: str, address: str
) -> LogonSession:
    """Begin the session of somebody who comes back from the provider.

    Raises:
        NotAuthenticatedError: it is not so, or he may not come in; that is on record.
        CloudgateError: the provider does not answer.
    """
    try:
        found = _completed(manager, returned, version, address)
    except NotAuthenticatedError as problem:
        _note_refused(manager, address, _RefusedSignIn(problem.message))
        raise
    if isinstance(found, _RefusedSignIn):
        _note_refused(manager, address, found)
        raise NotAuthenticatedError(found.message)
    return found


@dataclass(frozen=True)
class _RefusedSignIn:
    """That somebody may not come in, whom the provider vouches for where a name is known."""

    message: str
    name: str = ""
    subject: str = ""


def _completed(
    manager: Manager, returned: AuthorizationResponse, version: str, address: str
) -> LogonSession | _RefusedSignIn:
    settings = settings_of(manager)
    begun = taken_back(manager.sealing, _PURPOSE, returned.kept, manager.clock())
    known = dict(begun.content)
    for_other = (known.pop("issuer"), known.pop("client")) != (settings.issuer, settings.client_id)
    if for_other or not hmac.compare_digest(known["state"].encode(), returned.state.encode()):
        raise NotAuthenticatedError(
            "This answer of the provider belongs to another attempt to sign in. Begin anew."
        )
    if returned.error or not returned.code:
        told = returned.error if _PLAIN.fullmatch(returned.error) else "no code"
        raise NotAuthenticatedError(f"The provider has not let you sign in ({told}).")
    with manager.openid.seat(address):
        _check_issuer(manager, settings, returned.issuer)
        claims = openid_provider.claims_of(
            manager, settings, returned.code, fields.from_document(AuthorizationRequest, known)
        )
    with manager.changing(_name_said(claims), address) as work:
        spend(work, begun)
        found = _account(work, settings, claims)
        if isinstance(found, Account):
            after = {"By": SSO, "Issuer": settings.issuer, "Subject": claims["sub"]}
            session = open_session(work, found, version, came_by=SSO, after=after)
            session.account = found
            return session
    return found  # what it took away holds


def _check_issuer(manager: Manager, settings: SingleSignOn, said: str) -> None:
    expected = openid_provider.metadata(settings, manager.openid).names_itself
    if (said or expected) and said not in (settings.issuer, f"{settings.issuer}/"):
        raise NotAuthenticatedError("This answer comes from another provider. Begin anew.")


def _note_refused(manager: Manager, address: str, refused: _RefusedSignIn) -> None:
    name = refused.name
    if not manager.strangers.is_to_be_noted(
        LOG_ON.operation, name or SSO, address, manager.clock()
    ):
        return
    after = {"By": SSO} | ({"Subject": refused.subject} if refused.subject else {})
    change = Change(LOG_ON, "LogonSession", object_name=name, after=after)
    note_refusal(manager, name or SSO, address, change, refused.message)


def _name_said(claims: Mapping[str, Any]) -> str:
    """What the provider calls a person: for people to read, and for the account's name."""
    for claim in ("preferred_username", "email", "sub"):
        said = claims.get(claim)
        if isinstance(said, str) and (seen := "".join(filter(str.isprintable, said)).strip()):
            return seen[:LOGGED_CHARACTERS]
    return ""


def _account(
    work: UnitOfWork, settings: SingleSignOn, claims: Mapping[str, Any]
) -> Account | _RefusedSignIn:
    """The account of a person, with the roles that the claims say."""
    name, subject, roles = _name_said(claims), str(claims["sub"]), roles_said(settings, claims)
    known = work.session.scalar(
        select(AccountIdentity).where(
            AccountIdentity.issuer == settings.issuer, AccountIdentity.subject == subject
        )
    )
    if known is not None:
        work.author = known.account.name  # and not what somebody calls himself there today
        problem = _give_roles(work, known.account, roles)
        if problem:
            return _RefusedSignIn(problem, known.account.name, subject)
        return known.account
    refused = _why_not_new(settings, roles, subject)
    if refused:
        return _RefusedSignIn(refused, name, subject)
    try:
        spec = NewAccount(name=name, kind="User", role_ids=sorted(role.id for role in roles))
        account = create_account(work, spec)
    except InvalidRequestError as problem:  # before anything is written
        said = f"{problem.message} An administrator links it to the person {subject}, or renames."
        return _RefusedSignIn(said, name, subject)
    work.author = account.name
    link(work, account, settings.issuer, subject)
    return account


def _why_not_new(settings: SingleSignOn, roles: frozenset[Role], subject: str) -> str:
    if not roles:
        return _no_role(settings)
    if not settings.makes_accounts:
        return (
            f"No account here is linked to you. Ask an administrator to link one to {subject},"
            f" which is what {settings.name} knows you by."
        )
    return ""


def _no_role(settings: SingleSignOn) -> str:
    return (
        f"{settings.name} has given you no role here: nothing in {settings.role_claim} stands for"
        " one."
    )


def _give_roles(work: UnitOfWork, account: Account, roles: frozenset[Role]) -> str:
    """Have an account have these roles and no others. Returns why it may not come in, if so."""
    lost = roles_of(account) - roles
    if Role.PORTAL_ADMINISTRATOR in lost:
        try:
            check_not_last_administrator(work, account)
        except InvalidRequestError as problem:
            return (
                f"The provider takes {Role.PORTAL_ADMINISTRATOR.value} from you. {problem.message}"
            )
    for role in sorted(roles - roles_of(account), key=lambda each: each.value):
        add_role(work, account, role)
    for each in [found for found in account.roles if BY_ID.get(found.role_id) in lost]:
        account.roles.remove(each)
        name = BY_ID[each.role_id].value
        record(work, change_to(account, TYPE, ROLE_REMOVED, before={"Role": name}))
    if roles:
        return ""
    end_sessions(work, account.id)
    return "The provider has given you no role here any more."


def identity_of(work: UnitOfWork, account: Account) -> AccountIdentity | None:
    """Whom a provider knows an account as; None where it does not."""
    return work.session.get(AccountIdentity, account.id)


def link(
    work: UnitOfWork, account: Account, issuer: str, subject: str, *, keep: UUID | None = None
) -> None:
    """Have a person of the provider come in as this account from now on, and nobody else there.

    The sessions that it has end, but `keep`: whoever began them need not be that person.

    Raises:
        InvalidRequestError: the account is the way in without a provider, or the person has one.
    """
    if not 0 < len(subject.strip()) <= LONGEST_SUBJECT:
        raise InvalidRequestError(f"Subject: expected 1 to {LONGEST_SUBJECT} characters.")
    if account.name == ADMINISTRATOR:
        raise InvalidRequestError(
            f"{ADMINISTRATOR} is the way in when the provider is away, and belongs to nobody there."
        )
    other = work.session.scalar(
        select(AccountIdentity).where(
            AccountIdentity.issuer == issuer,
            AccountIdentity.subject == subject,
            AccountIdentity.account_id != account.id,
        )
    )
    if other is not None:
        raise InvalidRequestError(f"This person is linked to {other.account.name} already.")
    found = identity_of(work, account)
    before = None if found is None else {"Issuer": found.issuer, "Subject": found.subject}
    if found is None:
        work.session.add(AccountIdentity(account_id=account.id, issuer=issuer, subject=subject))
    else:
        found.issuer, found.subject = issuer, subject
    after = {"Issuer": issuer, "Subject": subject}
    if before != after:
        end_sessions(work, account.id, keep=keep)
    record(work, change_to(account, TYPE, _LINKED, before=before, after=after))


def unlink(work: UnitOfWork, account: Account) -> None:
    """Have nobody come in as this account by single sign-on; its sessions that did so end.

    Raises:
        NotFoundError: it is linked to nobody.
    """
    found = identity_of(work, account)
    if found is None:
        raise NotFoundError(f"{account.name} is linked to nobody of a provider.")
    work.session.delete(found)
    end_sessions(work, account.id, SSO)
    before = {"Issuer": found.issuer, "Subject": found.subject}
    record(work, change_to(account, TYPE, _UNLINKED, before=before))
