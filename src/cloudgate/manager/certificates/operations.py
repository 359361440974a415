"""Certificate operations: how is one brought, found for a gateway, and taken away?"""

from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import select

from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.certificates.rules import BroughtCertificate, check_time, leaf_of
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.servers.managed_servers import touch_assignment
from cloudgate.manager.storage.tables import CloudCertificate, CloudGateway
from cloudgate.trust.certificate_names import subject_alt_names

TYPE = "CloudCertificate"
UPDATING = "Cloud Connect certificate is being updated"
CREATED = Event("CreateCloudCertificate", UPDATING, code=24180)
DELETED = Event("DeleteCloudCertificate", UPDATING, WARNING, code=24180)


def list_certificates(work: UnitOfWork) -> Sequence[CloudCertificate]:
    """All that were brought; the one for all gateways first."""
    found = work.session.scalars(select(CloudCertificate)).all()
    return sorted(found, key=lambda each: (each.gateway_id is not None, each.name))


def get_certificate(work: UnitOfWork, identifier: UUID) -> CloudCertificate:
    """One by its id.

    Raises:
        NotFoundError: there is none.
    """
    return work.get(CloudCertificate, identifier, "certificate")


def bring_certificate(
    work: UnitOfWork, brought: BroughtCertificate, gateway: CloudGateway | None
) -> CloudCertificate:
    """Have a gateway, or all that have none of their own, show a certificate from now on.

    It takes the place of the one that was brought before for the same.

    Raises:
        InvalidRequestError: it is not in force.
    """
    check_time(brought, work.now)
    made = put_in_force(work, brought, gateway.id if gateway else None)
    names = list(subject_alt_names(leaf_of(made.chain_pem)))
    document = {"Names": names, "CloudGateway": gateway.name if gateway else None}
    record(work, change_to(made, TYPE, CREATED, after=document))
    return made


def put_in_force(
    work: UnitOfWork, brought: BroughtCertificate, gateway_id: UUID | None
) -> CloudCertificate:
    """Have a gateway, or all without one of their own, show it in place of the one before."""
    for before in list_certificates(work):
        if before.gateway_id == gateway_id:
            work.session.delete(before)
    work.session.flush()
    identifier = uuid4()
    made = CloudCertificate(
        id=identifier,
        gateway_id=gateway_id,
        name=_name(brought),
        chain_pem=brought.chain_pem,
        sealed_key=work.sealing.seal(brought.key_pem, _owner(identifier)),
    )
    work.session.add(made)
    work.session.flush()
    _touch_gateways(work, gateway_of(work, made))
    return made


def renew_certificate(
    work: UnitOfWork, found: CloudCertificate, brought: BroughtCertificate
) -> None:
    """Have the gateways that show one show its successor."""
    found.chain_pem = brought.chain_pem
    found.sealed_key = work.sealing.seal(brought.key_pem, _owner(found.id))
    work.session.flush()
    _touch_gateways(work, gateway_of(work, found))


def delete_certificate(work: UnitOfWork, found: CloudCertificate) -> None:
    """Have its gateways show a certificate of the product's own authority again."""
    gateway = gateway_of(work, found)
    record(work, change_to(found, TYPE, DELETED, before={"Name": found.name}))
    work.session.delete(found)
    work.session.flush()
    _touch_gateways(work, gateway)


class BroughtCertificates:
    """Those that were brought, for who asks of many gateways."""

    def __init__(self, work: UnitOfWork) -> None:
        self._found = {each.gateway_id: each for each in list_certificates(work)}

    def shown_by(self, gateway: CloudGateway) -> CloudCertificate | None:
        """The one for a gateway, or for all; None for none."""
        return self._found.get(gateway.id) or self._found.get(None)


def certificate_for(work: UnitOfWork, gateway: CloudGateway) -> CloudCertificate | None:
    """The certificate that was brought for a gateway, or for all; None for none."""
    return BroughtCertificates(work).shown_by(gateway)


def key_of(work: UnitOfWork, found: CloudCertificate) -> str:
    """The private key as PEM, for the host that has to show the certificate."""
    return work.sealing.open(found.sealed_key, _owner(found.id))


def gateway_of(work: UnitOfWork, found: CloudCertificate) -> CloudGateway | None:
    """The gateway that alone shows it; None where it is for all that have its names."""
    return work.session.get(CloudGateway, found.gateway_id) if found.gateway_id else None


def _touch_gateways(work: UnitOfWork, gateway: CloudGateway | None) -> None:
    gateways = [gateway] if gateway else work.session.scalars(select(CloudGateway)).all()
    for each in gateways:
        touch_assignment(work, each.managed_server)


def _name(brought: BroughtCertificate) -> str:
    leaf = leaf_of(brought.chain_pem)
    names = subject_alt_names(leaf)
    return names[0] if names else leaf.subject.rfc4514_string()


def _owner(identifier: UUID) -> str:
    return f"{TYPE} {identifier}"
