"""Gateways that are in the manager's database alone, as many as a test wants."""

from typing import Any
from uuid import UUID, uuid4

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer


def add_gateway(
    work: UnitOfWork, site_id: UUID, name: str, server_name: str = "", **of_server: Any
) -> None:
    """A gateway whose server is away, unless its columns say otherwise; both of one name."""
    settings = GatewaySettings().as_document()
    server = ManagedServer(
        id=uuid4(), backup_server_id=site_id, name=server_name or name, kind="Linux", **of_server
    )
    work.session.add(server)
    work.session.flush()
    work.session.add(
        CloudGateway(
            backup_server_id=site_id,
            managed_server_id=server.id,
            name=name,
            wanted=settings,
            confirmed=settings,
        )
    )
