"""Gateway certificates: which one does a gateway show, and when does it get another?"""

from uuid import UUID

from sqlalchemy import select

from cloudgate.errors import NotFoundError
from cloudgate.manager.certificates.operations import BroughtCertificates
from cloudgate.manager.certificates.warnings import note_warning
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.fault_isolation import each_alone
from cloudgate.manager.gateways.operations import signed_names
from cloudgate.manager.security.authority import CertificateRequest
from cloudgate.manager.servers.facts import facts_of
from cloudgate.manager.servers.managed_servers import touch_assignment
from cloudgate.manager.storage.tables import CloudGateway
from cloudgate.manager.tenants import certificates as tenant_certificates
from cloudgate.trust.certificate_roles import Role

RENEWED_AT_ONCE = 20
"""Gateways whose certificates are looked after before others may change something."""


def certificate_of(work: UnitOfWork, gateway: CloudGateway) -> str:
    """The gateway's certificate chain; a new one when names, key or time ask for it."""
    facts = facts_of(gateway.managed_server)
    if facts is None:
        raise NotFoundError(f"{gateway.managed_server.name} has not joined yet.")
    names = signed_names(work, gateway)
    wanted = CertificateRequest(facts.public_key_pem, names, Role.GATEWAY, work.gateway_term)
    if not work.authority.is_current(gateway.certificate_pem, wanted, work.now):
        gateway.certificate_pem = work.authority.issue(wanted, work.now)
    return gateway.certificate_pem


def renew_certificates(
    work: UnitOfWork, after: UUID | None = None, most: int = RENEWED_AT_ONCE
) -> UUID | None:
    """Give gateways a new certificate in time, and note what there is to say of those they show.

    A thousand certificates take ten seconds, in which nobody else could change anything: some
    gateways are looked after at a time.

    Args:
        work: where it is written down.
        after: what was returned for the gateways before; None for the first.
        most: how many gateways are looked after.

    Returns:
        Where to go on; None when these were the last.
    """
    tenant_certificates.authority(work)  # a release before had none
    some = select(CloudGateway).where(CloudGateway.removing.is_(False))
    if after is not None:
        some = some.where(CloudGateway.id > after)
    gateways = work.session.scalars(some.order_by(CloudGateway.id).limit(most)).all()
    brought = BroughtCertificates(work)

    def renew(gateway: CloudGateway) -> None:
        before = gateway.certificate_pem
        if gateway.managed_server.facts and certificate_of(work, gateway) != before:
            touch_assignment(work, gateway.managed_server)
        note_warning(work, gateway, brought)

    def failed(gateway: CloudGateway, fault: str) -> None:
        server = gateway.managed_server
        work.faults.record(
            server.id,
            f"The certificate of {gateway.name} cannot be looked after: the manager's log says why"
            f" under {fault}.",
        )

    for _ in each_alone(gateways, renew, failed):
        pass
    return gateways[-1].id if len(gateways) == most else None
