"""Tunnel hosts: which hosts may have live tunnels of a tenant?"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.servers.managed_servers import online_servers
from cloudgate.manager.storage.tables import CloudGateway, CloudTenant

ASKED_ANYWAY = 10
"""So many hosts are asked whatever they said: what begins at one of a few gateways is seen at once,
and nobody asks a thousand hosts each second."""


@dataclass(frozen=True)
class TunnelHosts:
    """The hosts of a site, as to the tunnels of one tenant."""

    asked: tuple[UUID, ...]
    """Servers that are to be asked. Others have no tunnels, but for those that began lately."""
    unknown: int
    """How many are not heard of, or did not say."""


def tunnel_hosts_of(
    work: UnitOfWork, tenant: CloudTenant, said: Mapping[UUID, bool]
) -> TunnelHosts:
    """The servers that may carry tunnels of a tenant.

    Also those that it may use no more: tunnels go on there until their time is over.

    Args:
        work: what it is read in.
        tenant: whose tunnels.
        said: whether servers had some, of those that said so lately.
    """
    servers = work.session.scalars(
        select(CloudGateway.managed_server_id)
        .where(*is_of_site(tenant))
        .order_by(CloudGateway.name)
    ).all()
    online = online_servers(work)
    there = [each for each in servers if each in online]
    asked = there
    if len(there) > ASKED_ANYWAY:
        silent = [each for each in there if each not in said][:ASKED_ANYWAY]
        asked = [each for each in there if said.get(each)] + silent
    known = {*asked, *said}
    return TunnelHosts(tuple(asked), len(servers) - sum(each in known for each in there))


def is_of_site(tenant: CloudTenant) -> tuple[ColumnElement[bool], ...]:
    """What gateways are that a tenant of their site may have tunnels at."""
    return (
        CloudGateway.confirmed.is_not(None),
        CloudGateway.backup_server_id == tenant.backup_server_id,
    )
