"""Own password: how does a tenant, or its user, show it over HTTP, and change it? Extensions."""

from typing import Any

from cloudgate.api.access import EVERYBODY
from cloudgate.api.handlers.sessions import credentials, user_name
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import DONE, Proof, Route, Routes
from cloudgate.manager.audit.events import Change, Event
from cloudgate.manager.audit.refusals import OWN_PASSWORD
from cloudgate.manager.sessions.operations import LOGGED_CHARACTERS, note_refusal
from cloudgate.manager.tenants import own_password, passwords
from cloudgate.wire.resources.cloud.tenants import OwnPasswordSpec

ROUTES = Routes(EVERYBODY)


def own_proof(event: Event) -> Proof:
    """The password of a tenant or its user, for a call that the audit log calls so."""
    return Proof(
        check=check_tenant_password,
        account=lambda call: own_password.guessed(user_name(call.authorization)),
        note=lambda call: note_wrong_own_password(call, event),
    )


def check_tenant_password(call: Call, _spec: Any) -> passwords.Owner:
    """Who a request is of, by the name and the password that it shows.

    Raises:
        NotAuthenticatedError: they are wrong, or there are none.
    """
    name, password = credentials(call.authorization)
    with call.reading() as work:
        return own_password.authenticate(work, name, password)


def note_wrong_own_password(call: Call, event: Event) -> None:
    """Have it on record that a password was wrong; summed up when it is often."""
    manager, name = call.manager, user_name(call.authorization)[:LOGGED_CHARACTERS]
    if manager.strangers.is_to_be_noted(event.operation, name, call.address, manager.clock()):
        with call.reading() as work:
            meant = own_password.tenant_meant(work, name)
        change = Change(
            event,
            "CloudTenant",
            object_id=meant.id if meant else None,
            object_name=name,
        )
        note_refusal(manager, name, call.address, change, "The name or the password is wrong.")


@ROUTES.add(
    Route(
        verb="PUT",
        path="/cloud/password",
        proof=own_proof(OWN_PASSWORD),
        answers=DONE,
        bodies=(OwnPasswordSpec,),
        needs_session=False,
    )
)
def put_own_tenant_password(call: Call, spec: OwnPasswordSpec) -> Answer:
    """Change the own password, as a tenant or its user; the old one is good beside it for a time.

    Name and current password come as ``Authorization: Basic``, as at a gateway: no session does it.
    """
    new = own_password.own_replacement(
        call.proven.password_hash, spec.password, spec.old_password_seconds
    )
    with call.manager.changing(
        own_password.login_of(call.proven), call.address, administers=False
    ) as work:
        own_password.change_own_password(work, own_password.as_it_is(work, call.proven), new)
    return Answer(status=204)
