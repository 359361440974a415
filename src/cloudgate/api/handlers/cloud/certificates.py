"""Certificates: what may be done about those that operators bring? An extension."""

import base64
import binascii

from cloudgate.api.access import ADMINISTRATORS, PROVIDERS
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation
from cloudgate.api.http.router import DONE, Route, Routes, adds, shows
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.certificates import operations, orders, rules
from cloudgate.manager.certificates.orders import OrderRequest
from cloudgate.manager.certificates.warnings import note_warnings, warnings_of
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import TYPE as GATEWAY
from cloudgate.manager.gateways.operations import get_gateway, list_gateways
from cloudgate.manager.registries.acme_challenges import HTTP
from cloudgate.manager.security.authority import new_key_pem
from cloudgate.manager.storage import tables
from cloudgate.trust.certificate_names import subject_alt_names
from cloudgate.values.identifiers import parse
from cloudgate.wire.resources.cloud.certificates import (
    CloudCertificate,
    CloudCertificateOrderSpec,
    CloudCertificates,
    CreateCloudCertificateSpec,
)

TYPE = operations.TYPE


ROUTES = Routes(ADMINISTRATORS)


def certificate_entity(
    work: UnitOfWork, root: str, found: tables.CloudCertificate
) -> CloudCertificate:
    """A certificate, without its key."""
    place = ResourceLocation(root, "/cloud/certificates", TYPE, found.id, found.name)
    leaf = rules.leaf_of(found.chain_pem)
    gateway = operations.gateway_of(work, found)
    return CloudCertificate(
        href=place.href,
        type=place.type,
        links=(place.delete(),),
        name=place.name,
        uid=place.uid,
        subject=leaf.subject.rfc4514_string(),
        names=", ".join(subject_alt_names(leaf)),
        thumbprint=rules.thumbprint(found.chain_pem),
        valid_from=leaf.not_valid_before_utc,
        valid_to=leaf.not_valid_after_utc,
        cloud_gateway=gateway.name if gateway else None,
        warning=warnings_of(work, found) or None,
        source="Acme" if orders.order_of(work, found.id) else "Imported",
    )


@ROUTES.add(
    Route(verb="GET", path="/cloud/certificates", answers=shows(CloudCertificates), roles=PROVIDERS)
)
def get_certificates(call: Call) -> Answer:
    """All certificates that were brought."""
    with call.reading() as work:
        found = operations.list_certificates(work)
        listed = tuple(certificate_entity(work, call.root, each) for each in found)
    return Answer(resource=CloudCertificates(cloud_certificates=listed))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/certificates/{id}",
        answers=shows(CloudCertificate),
        roles=PROVIDERS,
    )
)
def get_certificate(call: Call) -> Answer:
    """One certificate."""
    with call.reading() as work:
        found = operations.get_certificate(work, call.identifier(TYPE))
        return Answer(resource=certificate_entity(work, call.root, found))


@ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/certificates",
        answers=adds(CloudCertificate),
        bodies=(CreateCloudCertificateSpec,),
    )
)
def post_certificate(call: Call, spec: CreateCloudCertificateSpec) -> Answer:
    """Have one gateway or all show a certificate; no live tunnel feels it."""
    brought = _brought(spec)
    with call.changing() as work:
        gateway = None
        if spec.cloud_gateway_uid:
            gateway = get_gateway(work, parse(spec.cloud_gateway_uid, GATEWAY))
        made = operations.bring_certificate(work, brought, gateway)
        note_warnings(work, list_gateways(work))
        entity = certificate_entity(work, call.root, made)
    return Answer(status=201, resource=entity, headers={"Location": str(entity.href)})


@ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/certificates",
        action="order",
        answers=TASK,
        bodies=(CloudCertificateOrderSpec,),
    )
)
def order_certificate(call: Call, spec: CloudCertificateOrderSpec) -> Answer:
    """Have an ACME server certify names, now and from then on."""
    request = orders.check_request(
        OrderRequest(
            directory_url=spec.directory_url or "",
            names=tuple(name for name in (spec.names or "").split(",") if name.strip()),
            challenge=spec.challenge or HTTP,
            email=(spec.email or "").strip(),
            authority_pem=spec.ca_file or "",
        )
    )
    call.manager.challenges.check(request.challenge)
    gateway = parse(spec.cloud_gateway_uid, GATEWAY) if spec.cloud_gateway_uid else None
    account_key = new_key_pem()
    with call.changing() as work:
        task = orders.order_certificate(work, request, account_key, gateway)
    return accepted(call, task)


@ROUTES.add(Route(verb="DELETE", path="/cloud/certificates/{id}", answers=DONE))
def delete_certificate(call: Call) -> Answer:
    """Have its gateways show a certificate of the manager's own authority again."""
    with call.changing() as work:
        found = operations.get_certificate(work, call.identifier(TYPE))
        operations.delete_certificate(work, found)
        note_warnings(work, list_gateways(work))
    return Answer(status=204)


def _brought(spec: CreateCloudCertificateSpec) -> rules.BroughtCertificate:
    if bool(spec.pem) == bool(spec.pfx):
        raise InvalidRequestError("Give the certificate as Pem or as Pfx, one of the two.")
    if spec.pem:
        return rules.from_pem(spec.pem)
    try:
        data = base64.b64decode("".join((spec.pfx or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError("Pfx: expected base64.") from None
    return rules.from_pfx(data, spec.password or "")
