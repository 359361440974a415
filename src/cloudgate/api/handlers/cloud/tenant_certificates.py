"""Tenant certificates: which are there by which tenants come in, and who gets one? Extensions."""

from cloudgate.api.access import EVERYBODY, PROVIDERS, TENANTS
from cloudgate.api.handlers.cloud import tenants
from cloudgate.api.handlers.cloud.own_password import own_proof
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import DONE, Route, Routes, adds, shows
from cloudgate.errors import NotFoundError
from cloudgate.manager.audit.refusals import OWN_CERTIFICATE
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.portal import sessions
from cloudgate.manager.storage import tables
from cloudgate.manager.subtenants.operations import TYPE as SUBTENANT
from cloudgate.manager.subtenants.operations import get_subtenant
from cloudgate.manager.tenants import certificates, own_password
from cloudgate.manager.tenants.certificates import TYPE, CertificateSpec
from cloudgate.manager.tenants.operations import get_tenant
from cloudgate.values.identifiers import parse
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.cloud.tenant_certificates import (
    CloudTenantCertificate,
    CloudTenantCertificates,
    CreateCloudTenantCertificateSpec,
    OwnCertificateSpec,
)

PATH = "/cloud/tenants/{id}/certificates"
OWN_PATH = "/cloud/self/certificates"
ROUTES = Routes(PROVIDERS)
OWN_ROUTES = Routes(EVERYBODY)
SELF_ROUTES = Routes(TENANTS)


def _href(root: str, found: tables.TenantCertificate) -> str:
    return f"{tenants.tenant_place(root, found.tenant).href}/certificates/{found.id}"


def entity(
    work: UnitOfWork, href: str, found: tables.TenantCertificate, links: tuple[Link, ...] = ()
) -> CloudTenantCertificate:
    """A certificate, and whether it is good."""
    replaced = "Good" if certificates.is_good(work, found) else "Replaced"
    return CloudTenantCertificate(
        href=href,
        type=TYPE,
        links=links or None,
        id=str(found.id),
        login=own_password.login_of(found.subtenant or found.tenant),
        subtenant_id=str(found.subtenant_id) if found.subtenant_id else None,
        serial_number=f"{found.id.int:x}",
        thumbprint=found.fingerprint,
        issued_time=found.issued_at,
        expiration_time=found.ends_at,
        status="Revoked" if found.revoked_at else replaced,
        certificate=found.certificate_pem,
    )


def _shown(work: UnitOfWork, root: str, found: tables.TenantCertificate) -> CloudTenantCertificate:
    """As the provider sees it."""
    place = tenants.tenant_place(root, found.tenant)
    links = (
        Link(rel="Delete", href=_href(root, found)),
        Link(rel="Up", href=place.entity_href, name=place.name, type=place.type),
    )
    return entity(work, _href(root, found), found, links)


@ROUTES.add(Route(verb="GET", path=PATH, answers=shows(CloudTenantCertificates)))
def get_tenant_certificates(call: Call) -> Answer:
    """The certificates of a tenant and its users that have not ended."""
    with call.reading() as work:
        tenant = get_tenant(work, call.identifier(tenants.TYPE), alone=True)
        found = certificates.list_certificates(work, tenant)
        listed = tuple(_shown(work, call.root, each) for each in found)
    return Answer(resource=CloudTenantCertificates(cloud_tenant_certificates=listed))


@ROUTES.add(
    Route(verb="GET", path=f"{PATH}/{{certificate}}", answers=shows(CloudTenantCertificate))
)
def get_tenant_certificate(call: Call) -> Answer:
    """One certificate of a tenant or its user."""
    with call.reading() as work:
        return Answer(resource=_shown(work, call.root, _named(call, work)))


@ROUTES.add(
    Route(
        verb="POST",
        path=PATH,
        answers=adds(CloudTenantCertificate),
        bodies=(CreateCloudTenantCertificateSpec,),
    )
)
def post_tenant_certificate(call: Call, spec: CreateCloudTenantCertificateSpec) -> Answer:
    """Issue a certificate for a tenant or its user, by a request that its key has signed."""
    with call.changing() as work:
        who: tables.CloudTenant | tables.Subtenant
        who = tenant = get_tenant(work, call.identifier(tenants.TYPE))
        if spec.subtenant_id:
            who = get_subtenant(work, tenant, parse(spec.subtenant_id, SUBTENANT))
        made = certificates.issue(work, who, _spec(spec))
        shown = _shown(work, call.root, made)
    return Answer(status=201, resource=shown, headers={"Location": shown.href or ""})


@ROUTES.add(Route(verb="DELETE", path=f"{PATH}/{{certificate}}", answers=TASK))
def delete_tenant_certificate(call: Call) -> Answer:
    """Revoke a certificate: nobody comes in by it any more, and tunnels that did end."""
    with call.changing() as work:
        task = certificates.revoke(work, _named(call, work))
    return accepted(call, task)


@OWN_ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/certificate",
        proof=own_proof(OWN_CERTIFICATE),
        answers=shows(CloudTenantCertificate),
        bodies=(OwnCertificateSpec,),
        needs_session=False,
    )
)
def post_own_tenant_certificate(call: Call, spec: OwnCertificateSpec) -> Answer:
    """Get a certificate, as a tenant or its user; it is good as long as the password is.

    Name and current password come as ``Authorization: Basic``, as at a gateway: no session does it.
    """
    author = own_password.login_of(call.proven)
    with call.manager.changing(author, call.address, administers=False) as work:
        who = own_password.as_it_is(work, call.proven)
        made = certificates.issue_own(work, who, _spec(spec))
        return Answer(resource=entity(work, f"{call.root}{OWN_PATH}/{made.id}", made))


def _spec(spec: CreateCloudTenantCertificateSpec | OwnCertificateSpec) -> CertificateSpec:
    return CertificateSpec(request_pem=spec.certificate_request or "", seconds=spec.valid_seconds)


def _named(call: Call, work: UnitOfWork) -> tables.TenantCertificate:
    tenant = get_tenant(work, call.identifier(tenants.TYPE))
    return certificates.get_certificate(work, tenant, call.identifier(TYPE, "certificate"))


@SELF_ROUTES.add(Route(verb="GET", path=OWN_PATH, answers=shows(CloudTenantCertificates)))
def get_own_certificates(call: Call) -> Answer:
    """The certificates by which one may come in: a tenant's also those of its users."""
    with call.reading() as work:
        found = certificates.certificates_of(work, sessions.owner_of(work, call.visitor))
        listed = tuple(entity(work, f"{call.root}{OWN_PATH}/{each.id}", each) for each in found)
    return Answer(resource=CloudTenantCertificates(cloud_tenant_certificates=listed))


@SELF_ROUTES.add(
    Route(verb="GET", path=f"{OWN_PATH}/{{certificate}}", answers=shows(CloudTenantCertificate))
)
def get_own_certificate(call: Call) -> Answer:
    """One of them."""
    with call.reading() as work:
        found = _own(call, work)
        return Answer(resource=entity(work, f"{call.root}{OWN_PATH}/{found.id}", found))


@SELF_ROUTES.add(Route(verb="DELETE", path=f"{OWN_PATH}/{{certificate}}", answers=DONE))
def delete_own_certificate(call: Call) -> Answer:
    """Revoke one of them, as of a machine that was lost; tunnels that came in by it end."""
    with call.changing() as work:
        certificates.revoke(work, _own(call, work))
    return Answer(status=204)


def _own(call: Call, work: UnitOfWork) -> tables.TenantCertificate:
    """One by which one may come in; that of somebody else is not there."""
    identifier = call.identifier(TYPE, "certificate")
    own = certificates.certificates_of(work, sessions.owner_of(work, call.visitor))
    for each in own:
        if each.id == identifier:
            return each
    raise NotFoundError(f"{call.visitor.login} has no certificate with the id {identifier}.")
