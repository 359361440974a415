"""Logon sessions: how does a client log on and log off?"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from cloudgate.api.access import EVERYBODY
from cloudgate.api.handlers import tenant_sessions
from cloudgate.api.handlers.entry_points import VERSIONS, ways_on
from cloudgate.api.http import links
from cloudgate.api.http.call import NO_TEXT_HAS, Answer, Call
from cloudgate.api.http.cross_site import cookie
from cloudgate.api.http.router import DONE, Outcome, Parameter, Proof, Route, Routes, shows
from cloudgate.errors import (
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    NotOfferedError,
)
from cloudgate.manager.audit.events import Change
from cloudgate.manager.audit.refusals import DENIED
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.sessions import accounts, operations, second_factor
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage import tables
from cloudgate.manager.tenants import own_password
from cloudgate.manager.tenants.operations import authenticate_tenant
from cloudgate.manager.tenants.passwords import Owner
from cloudgate.network.api_headers import CODE, SESSION_ID
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.sessions import (
    LoginSpec,
    LoginTenantCredentials,
    LogonSession,
    LogonSessions,
)

LONGEST_CODE = 8192
"""Characters of it: what a passkey has signed, which may stand there, is about 1500."""
ACCEPTED = (*VERSIONS, "latest")

ROUTES = Routes(EVERYBODY)


def token_of(session_id: UUID) -> str:
    """The token of a session: clients compute it, so it is base64 of the text of the id."""
    return base64.b64encode(str(session_id).encode()).decode()


def session_id_of(token: str) -> UUID:
    """The id of the session that a token is of.

    Raises:
        NotAuthenticatedError: it is no token.
    """
    try:
        return UUID(base64.b64decode(token.strip().strip('"'), validate=True).decode("ascii"))
    except (ValueError, binascii.Error):
        raise NotAuthenticatedError(
            operations.SESSION_ENDED,
            f"{SESSION_ID} does not hold a session ID."
            " Log on with POST /api/sessionMngr/?v=latest.",
        ) from None


LOGGED_ON = Outcome(
    status=201, kinds=(LogonSession,), headers=(SESSION_ID, "Location", "Set-Cookie")
)
CODE_SHOWN = Parameter(
    name=CODE,
    description=(
        "Of an account's second factor: the code that its app shows now, a recovery code, or what"
        " its passkey has signed."
    ),
)
VERSION = Parameter(
    name="v", description="Version of the API; all are the same here.", values=ACCEPTED
)


@dataclass(frozen=True)
class Logon:
    """A logon whose passwords were right."""

    who: tables.Account | Owner
    """An account; or a tenant, or its user, for itself."""
    version: str
    tenant_id: UUID | None = None
    """Of the tenant that an account logs on for."""


def check_logon(call: Call, spec: LoginSpec | None = None) -> Logon:
    """See whether a logon is right: the account's password, and the tenant's where one is named.

    With ``?as=tenant`` it is a tenant's, or its user's, and never an account's.

    Raises:
        NotAuthenticatedError: it is wrong, or there is none.
        InvalidRequestError: it is not one.
        NotOfferedError: it is one of another product.
    """
    version = call.query.get("v", "latest").lower() or "latest"
    if version not in ACCEPTED:
        raise InvalidRequestError(
            f"v: found {version[:100]!r}, expected one of {', '.join(ACCEPTED)}."
        )
    name, password = credentials(call.authorization)
    if tenant_sessions.is_meant(call):
        if spec is not None:
            raise InvalidRequestError(
                "as=tenant: a tenant logs on for itself, without a LoginSpec."
            )
        return Logon(tenant_sessions.check(call, name, password), version)
    tenant = _tenant_named(spec)
    account = accounts.authenticate(call.manager, name, password)
    second_factor.check_logon(call.manager, account, call.code)
    if tenant is None:
        return Logon(account, version)
    # After all that is asked of the account: else who guesses hears by it that a password is right.
    name = tenant.username or ""
    try:
        with call.reading() as work:
            found = authenticate_tenant(work, name, tenant.password or "")
    except NotAuthenticatedError as problem:
        problem.whose = own_password.guessed(name)
        raise
    return Logon(account, version, found.id)


def note_failed_logon(call: Call) -> None:
    """Have it on record that a logon was wrong."""
    if call.query.get(tenant_sessions.AS):
        tenant_sessions.note_failed(call, user_name(call.authorization))
        return
    operations.note_failed_logon(call.manager, user_name(call.authorization), call.address)


def _logs_on(call: Call) -> str:
    """Who is said to log on, the same however it is written: a tenant is no account."""
    name = user_name(call.authorization)
    is_tenant = bool(call.query.get(tenant_sessions.AS))
    return own_password.guessed(name) if is_tenant else accounts.local_name(name)


LOGON = Proof(
    check=check_logon,
    account=_logs_on,
    note=note_failed_logon,
    require=lambda call: credentials(call.authorization),
)


@ROUTES.add(
    Route(
        verb="POST",
        path="/sessionMngr",
        query=(VERSION, tenant_sessions.PARAMETER),
        headers=(CODE_SHOWN,),
        proof=LOGON,
        bodies=(LoginSpec,),
        body_optional=True,
        answers=LOGGED_ON,
        needs_session=False,
    )
)
def post_session(call: Call, _spec: LoginSpec | None = None) -> Answer:
    """Log on with ``Authorization: Basic``; with a body, for what one tenant may see."""
    logon: Logon = call.proven
    if isinstance(logon.who, tables.Account):
        session = operations.begin_session(
            call.manager, logon.who, logon.version, logon.tenant_id, call.address
        )
        resource = session_resource(call.root, session)
    else:
        resource = tenant_sessions.begin(call, logon.who, logon.version)
    return logged_on(call, resource)


def logged_on(call: Call, resource: LogonSession) -> Answer:
    """The answer to a logon that has begun this session."""
    token = token_of(UUID(resource.session_id))
    came = urlsplit(call.root)
    return Answer(
        status=201,
        resource=resource,
        headers={
            SESSION_ID: token,
            "Set-Cookie": cookie(SESSION_ID, token, came.path, came.scheme),
            "Location": resource.href or "",
        },
    )


def _tenant_named(spec: LoginSpec | None) -> LoginTenantCredentials | None:
    """Name and password of the tenant that a logon is for, if it is for one.

    Raises:
        InvalidRequestError: they are missing.
        NotOfferedError: it is none of this product.
    """
    if spec is None:
        return None
    said = spec.tenant_credentials
    others = spec.v_mware_sso_token, spec.v_cloud_organization_credentials
    if said is None and others == (None, None):
        raise InvalidRequestError("LoginSpec is incomplete: TenantCredentials is missing.")
    if said is None:
        raise NotOfferedError(
            "Cloudgate does not offer logons of VMware Cloud Director or VMware SSO; give"
            " TenantCredentials."
        )
    return said


def user_name(authorization: str) -> str:
    """Who a logon says to be; empty when it does not."""
    try:
        return credentials(authorization)[0]
    except NotAuthenticatedError:
        return ""


def credentials(authorization: str) -> tuple[str, str]:
    """User name and password of a Basic header (RFC 7617), in UTF-8 or else Latin-1.

    Raises:
        NotAuthenticatedError: there is none, or it is malformed.
    """
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise NotAuthenticatedError("Log on with the header Authorization: Basic.")
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        raise NotAuthenticatedError("The header Authorization is not valid base64.") from None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    name, _, password = text.partition(":")
    if NO_TEXT_HAS in name:  # RFC 7617, 2
        raise NotAuthenticatedError("The user name has the character U+0000, which no name has.")
    return name, password


def session_resource(
    root: str, session: tables.LogonSession, *, is_own: bool = True
) -> LogonSession:
    """A session, with the ways on from it; another's has an id that opens nothing, and none."""
    identifier = session.id if is_own else operations.alias_of(session.id)
    href = f"{root}/logonSessions/{identifier}"
    found = (
        Link(rel="Up", href=f"{root}/", type="EnterpriseManager"),
        *(_ways_on(root, session) if is_own else ()),
        Link(rel="Delete", href=href),
    )
    return LogonSession(
        href=href,
        type="LogonSession",
        links=found,
        user_name=session.account.name,
        session_id=str(identifier),
    )


def _ways_on(root: str, session: tables.LogonSession) -> Iterator[Link]:
    if not session.tenant_id:
        yield from ways_on(root)
    yield links.down_link(f"{root}/cloud", "CloudConnectService")


def note_denied(
    manager: Manager, call: Call, verb: str, path: str, message: str = "Access denied"
) -> None:
    """Put into the audit log that somebody was not let through; summed up when it is often."""
    who, wanted = call.author, f"{verb} {path}"
    if not manager.strangers.is_to_be_noted(
        DENIED.operation, who, call.address, manager.clock(), wanted
    ):
        return
    change = Change(DENIED, "Route", object_name=wanted)
    operations.note_refusal(manager, who, call.address, change, message)


@ROUTES.add(
    Route(
        verb="GET",
        path="/logonSessions",
        answers=shows(LogonSessions),
        for_tenants=True,
        without_factor=True,
    )
)
def get_sessions(call: Call) -> Answer:
    """The logon sessions: all of them for administrators, the own one for others.

    The own one comes first: programs take the first for theirs, and end it. Of the others the ids
    are others, too: what the token of a session is made of is for who has begun it.
    """
    with call.reading() as work:
        found = sorted(
            operations.list_sessions(work), key=lambda session: session.id != call.session.id
        )
    listed = tuple(
        session_resource(call.root, session, is_own=session.id == call.session.id)
        for session in found
        if _may_see(call, session.id)
    )
    return Answer(resource=LogonSessions(logon_sessions=listed))


@ROUTES.add(
    Route(verb="GET", path="/logonSessions/{id}", answers=shows(LogonSession), for_tenants=True)
)
def get_session(call: Call) -> Answer:
    """One logon session."""
    own = call.identifier("LogonSession")
    if own == call.session.id:
        return Answer(resource=session_resource(call.root, call.session))
    with call.reading() as work:
        session = operations.get_session(work, own)
        _check_may_see(call, session.id)
    return Answer(resource=session_resource(call.root, session, is_own=False))


@ROUTES.add(
    Route(
        verb="DELETE",
        path="/logonSessions/{id}",
        answers=DONE,
        for_tenants=True,
        without_factor=True,
    )
)
def delete_session(call: Call) -> Answer:
    """Log off."""
    own = call.identifier("LogonSession")
    if call.manager.pending_sessions.find(own) is not None:
        _check_may_see(call, own)
        call.manager.end_pending_session(own)
        if not _is_written(call, own):
            return Answer(status=204)
    with call.changing() as work:
        session = operations.get_session(work, call.identifier("LogonSession"))
        _check_may_see(call, session.id)
        operations.close_session(work, session)
    return Answer(status=204)


def _is_written(call: Call, session_id: UUID) -> bool:
    """Whether it is in the database after all: a disk may fail when it has written already."""
    with call.reading() as work:
        return operations.is_written(work, session_id)


def _may_see(call: Call, session_id: UUID) -> bool:
    """Others' sessions are for administrators who have shown all that they have to show."""
    if session_id == call.session.id:
        return True
    administers = Role.PORTAL_ADMINISTRATOR in call.roles and call.session.tenant_id is None
    return administers and not second_factor.owes_one(call.session)


def _check_may_see(call: Call, session_id: UUID) -> None:
    if not _may_see(call, session_id):
        raise NotFoundError(f"There is no logon session with the id {session_id}.")
