"""Own requests: what does a tenant ask for itself through a gateway, and is it the tenant?

A host that was stolen hands on what it likes. So the manager looks at the password itself, in the
line of all logons, where what comes through one host waits as of one address; and a certificate
is renewed for who has its key, which no host has.
"""

from http import HTTPStatus
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cloudgate.api.http.login_gate import LoginGate
from cloudgate.errors import (
    AccessDeniedError,
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    TooManyRequestsError,
)
from cloudgate.manager.audit.events import Change, Event
from cloudgate.manager.audit.refusals import OWN_CERTIFICATE, OWN_PASSWORD
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.servers.tenant_scope import pools_of, scope_of
from cloudgate.manager.sessions.operations import note_refusal
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.manager.tenants import certificates, own_password, passwords
from cloudgate.manager.tenants.certificates import CertificateSpec
from cloudgate.protocol import OwnAnswer, OwnRequest
from cloudgate.trust.password_hashes import matches

_STATUS = {
    InvalidRequestError: HTTPStatus.BAD_REQUEST,
    NotAuthenticatedError: HTTPStatus.UNAUTHORIZED,
    AccessDeniedError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.UNAUTHORIZED,
    TooManyRequestsError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_NOBODY = "The tenant's name or password is wrong, or it may not come in by this gateway."


class OwnRequests:
    """Does what tenants ask for at gateways."""

    def __init__(self, manager: Manager, gate: LoginGate) -> None:
        self._manager = manager
        self._gate = gate

    async def answer(self, request: Request, server_id: UUID, message: OwnRequest) -> OwnAnswer:
        """Do it, or say why not; `request` is the host's, whose server that is.

        Raises:
            CloudgateError: the manager cannot do it right now.
        """
        try:
            name = await run_in_threadpool(self._name_of, server_id, message)
            if message.certificate_id is not None:
                return await run_in_threadpool(self._renew, name, message)
            proven = await self._gate.log_on(
                request,
                own_password.guessed(name),
                f"through {server_id}",
                lambda: self._check(message),
                lambda: self._note_wrong(name, message),
            )
            return await run_in_threadpool(self._do, name, proven, message)
        except CloudgateError as problem:
            status = _STATUS.get(type(problem))
            if status is None:
                raise
            return OwnAnswer(status=status, message=problem.message)

    def _name_of(self, server_id: UUID, message: OwnRequest) -> str:
        """Who asks, as it logs in.

        Raises:
            NotAuthenticatedError: nobody that a gateway of that server lets in.
        """
        with self._manager.reading() as work:
            who = _owner(work, message)
            tenant = who if isinstance(who, CloudTenant) else who.tenant
            server = get_managed_server(work, server_id)
            scope = scope_of(server.scope, work.now)
            if (
                tenant.backup_server_id != server.backup_server_id
                or not scope.serves
                or scope.pool_id not in pools_of(tenant)
                or not own_password.is_let_in(work, who)
            ):
                raise NotAuthenticatedError(_NOBODY)
            return own_password.login_of(who)

    def _check(self, message: OwnRequest) -> passwords.Owner:
        with self._manager.reading() as work:
            who = _owner(work, message)
        if not matches(who.password_hash, message.password):
            raise NotAuthenticatedError(_NOBODY)
        return who

    def _note_wrong(self, name: str, message: OwnRequest) -> None:
        manager, address, event = self._manager, message.address, _event(message)
        if manager.strangers.is_to_be_noted(event.operation, name, address, manager.clock()):
            change = Change(
                event,
                "CloudTenant",
                object_id=message.tenant_id,
                object_name=name,
            )
            note_refusal(manager, name, address, change, "The name or the password is wrong.")

    def _renew(self, name: str, message: OwnRequest) -> OwnAnswer:
        with self._manager.changing(name, message.address, administers=False) as work:
            made = certificates.renew(
                work,
                _owner(work, message),
                message.certificate_id or UUID(int=0),
                message.certificate_request or "",
            )
            return OwnAnswer(status=HTTPStatus.OK, certificate_pem=made.certificate_pem)

    def _do(self, name: str, proven: passwords.Owner, message: OwnRequest) -> OwnAnswer:
        if message.certificate_request is not None:
            with self._manager.changing(name, message.address, administers=False) as work:
                who = own_password.as_it_is(work, proven)
                spec = CertificateSpec(request_pem=message.certificate_request)
                made = certificates.issue_own(work, who, spec)
                return OwnAnswer(status=HTTPStatus.OK, certificate_pem=made.certificate_pem)
        new = own_password.own_replacement(
            proven.password_hash, message.new_password, message.old_password_seconds
        )
        with self._manager.changing(name, message.address, administers=False) as work:
            own_password.change_own_password(work, own_password.as_it_is(work, proven), new)
            return OwnAnswer(status=HTTPStatus.OK)


def _owner(work: UnitOfWork, message: OwnRequest) -> passwords.Owner:
    """Who it is said to be.

    Raises:
        NotAuthenticatedError: there is nobody of that id.
    """
    found = passwords.find_owner(work, message.tenant_id, message.user_id)
    if found is None:
        raise NotAuthenticatedError(_NOBODY)
    return found


def _event(message: OwnRequest) -> Event:
    return OWN_PASSWORD if message.certificate_request is None else OWN_CERTIFICATE
