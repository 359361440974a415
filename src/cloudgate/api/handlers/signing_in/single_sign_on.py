"""Single sign-on: how does somebody come in by a provider, and as which account? Extensions."""

from uuid import UUID

from cloudgate.api.access import ADMINISTRATORS, EVERYBODY
from cloudgate.api.handlers.sessions import LOGGED_ON, logged_on, session_resource
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import DONE, Proof, Route, Routes, shows
from cloudgate.errors import NotFoundError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.sessions import administration, single_sign_on
from cloudgate.manager.sessions.administration import TYPE
from cloudgate.manager.sessions.single_sign_on import AuthorizationResponse
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.single_sign_on import (
    AccountIdentity,
    SingleSignOn,
    SingleSignOnSpec,
)

PATH = "/sessionMngr/sso"
IDENTITY = "/security/accounts/{id}/identity"
OPEN = Routes(EVERYBODY)
ADMINISTERED = Routes(ADMINISTRATORS)


@OPEN.add(Route(verb="GET", path=PATH, answers=shows(SingleSignOn), needs_session=False))
def get_sso(call: Call) -> Answer:
    """Which provider people sign in by, if there is one; needs no session."""
    settings = call.manager.signing_in.single_sign_on
    if settings is None:
        return Answer(resource=SingleSignOn())
    url = single_sign_on.sign_out_url(call.manager)
    began = f"{call.manager.signing_in.console_url}/console/sso/begin"
    return Answer(resource=SingleSignOn(name=settings.name, url=began, sign_out_url=url or None))


@OPEN.add(
    Route(
        verb="POST",
        path=PATH,
        answers=shows(SingleSignOn),
        needs_session=False,
        refuses_with=(429, 501),
    )
)
def begin_sso(call: Call) -> Answer:
    """Begin to sign in by the provider: where to send the browser; needs no session."""
    url, kept = single_sign_on.begin(call.manager, call.address)
    name = single_sign_on.settings_of(call.manager).name
    return Answer(resource=SingleSignOn(name=name, url=url, kept=kept))


def _complete(call: Call, spec: SingleSignOnSpec) -> tables.LogonSession:
    returned = AuthorizationResponse(
        kept=spec.kept or "",
        state=spec.state or "",
        code=spec.code or "",
        error=spec.error or "",
        issuer=spec.issuer or "",
    )
    return single_sign_on.complete(call.manager, returned, "latest", call.address)


@OPEN.add(
    Route(
        verb="POST",
        path=PATH,
        action="complete",
        proof=Proof(
            check=_complete,
            account=lambda _call: single_sign_on.SSO,
            note=lambda _call: None,  # it has done so, with the name that the provider says
            by_password=False,
            waits=True,
        ),
        bodies=(SingleSignOnSpec,),
        answers=LOGGED_ON,
        needs_session=False,
    )
)
def complete_sso(call: Call, _spec: SingleSignOnSpec) -> Answer:
    """Log on with what the provider has led the browser back with."""
    return logged_on(call, session_resource(call.root, call.proven))


def _account(call: Call, work: UnitOfWork) -> tables.Account:
    identifier: UUID = call.identifier(TYPE)
    return administration.get_account(work, identifier)


@ADMINISTERED.add(Route(verb="GET", path=IDENTITY, answers=shows(AccountIdentity)))
def get_identity(call: Call) -> Answer:
    """Whom the provider knows an account as."""
    with call.reading() as work:
        account = _account(call, work)
        found = single_sign_on.identity_of(work, account)
        if found is None:
            raise NotFoundError(f"{account.name} is linked to nobody of a provider.")
        return Answer(resource=AccountIdentity(issuer=found.issuer, subject=found.subject))


@ADMINISTERED.add(
    Route(verb="PUT", path=IDENTITY, answers=DONE, bodies=(AccountIdentity,), by_token=False)
)
def put_identity(call: Call, identity: AccountIdentity) -> Answer:
    """Have a person of the provider come in as this account."""
    issuer = single_sign_on.settings_of(call.manager).issuer
    with call.changing() as work:
        account, subject = _account(call, work), identity.subject or ""
        single_sign_on.link(work, account, issuer, subject, keep=call.session.id)
    return Answer(status=204)


@ADMINISTERED.add(Route(verb="DELETE", path=IDENTITY, answers=DONE))
def delete_identity(call: Call) -> Answer:
    """Have nobody come in as this account by single sign-on."""
    with call.changing() as work:
        single_sign_on.unlink(work, _account(call, work))
    return Answer(status=204)
