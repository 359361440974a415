"""Site document: what must a gateway know of its site, besides the tenants?"""

from collections.abc import Callable, Iterable

from sqlalchemy import select

from cloudgate import protocol
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.fault_isolation import each_alone
from cloudgate.manager.gateways.operations import dialled_at, settings_in_force
from cloudgate.manager.gateways.rules import listening_addresses, listening_port
from cloudgate.manager.servers.facts import facts_of
from cloudgate.manager.servers.maintenance import current_maintenance
from cloudgate.manager.storage.tables import BackupServer, CloudGateway
from cloudgate.network.destinations import is_loopback, is_never

MOST_INSIDE = 16
"""Addresses of a gateway's machine that others are told of. They try all of them at once."""


def site_document(work: UnitOfWork, site: BackupServer) -> protocol.Site:
    """The site as its gateways are to know it."""
    gateways = work.session.scalars(
        select(CloudGateway)
        .where(
            CloudGateway.backup_server_id == site.id,
            CloudGateway.confirmed.is_not(None),
            CloudGateway.removing.is_(False),
        )
        .order_by(CloudGateway.name)
    )
    peers = _told_of(work, gateways)
    at_work = current_maintenance(work)
    found = protocol.Site(
        revision=site.site_revision,
        drain=site.pool_drain,
        gateways=tuple(peer for peer in peers if peer is not None),
        maintenance=protocol.Maintenance(message=at_work.message, restores=at_work.restores_allowed)
        if at_work
        else None,
    )
    if site.pool_drain_seconds is None:
        return found
    return found.model_copy(update={"drain_seconds": site.pool_drain_seconds})


def told_of(work: UnitOfWork, gateway: CloudGateway) -> protocol.Peer | None:
    """What the others know of a gateway; None when it accepts no tenants, or cannot be told of."""
    return next(iter(_told_of(work, [gateway])), None)


def _told_of(
    work: UnitOfWork, gateways: Iterable[CloudGateway]
) -> tuple[protocol.Peer | None, ...]:
    return tuple(each_alone(gateways, _peer, _noting(work), _forgetting(work)))


def _noting(work: UnitOfWork) -> Callable[[CloudGateway, str], None]:
    def failed(gateway: CloudGateway, fault: str) -> None:
        work.faults.record(
            gateway.managed_server_id,
            f"The other gateways are not told of {gateway.name}, as what is kept of it cannot be"
            f" used: the manager's log says why under {fault}.",
        )

    return failed


def _forgetting(work: UnitOfWork) -> Callable[[CloudGateway], None]:
    return lambda gateway: work.faults.clear(gateway.managed_server_id)


def _peer(gateway: CloudGateway) -> protocol.Peer | None:
    """As the others see it; None for one that accepts no tenants."""
    settings = settings_in_force(gateway)
    if not settings.enabled:
        return None
    return protocol.Peer(
        gateway_id=gateway.id,
        name=gateway.name,
        address=dialled_at(gateway),
        port=settings.external_port,
        pool_id=gateway.pool_id,
        inside_addresses=listening_addresses(settings) or _addresses_of(gateway),
        inside_port=listening_port(settings),
    )


def _addresses_of(gateway: CloudGateway) -> tuple[str, ...]:
    """Those of its machine that another machine may reach.

    The machine says so itself: nobody is sent to what is never a service, nor to very many.
    """
    facts = facts_of(gateway.managed_server)
    known = facts.addresses if facts else ()
    return tuple(each for each in known if not is_loopback(each) and not is_never(each))[
        :MOST_INSIDE
    ]
