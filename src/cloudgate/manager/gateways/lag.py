"""Lag of a gateway: which changes of tenants has it not taken in, and since when?"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, object_session

from cloudgate.manager.servers.facts import report_of
from cloudgate.manager.storage.tables import (
    CloudGateway,
    CloudTenant,
    Counter,
    ManagedServer,
    RemovedTenant,
)

LATE = timedelta(seconds=10)
"""A gateway that is there has a change within a second; so much later something is wrong."""
DIRECTORY = "directory"
_NAMED = 3


def lag_of(gateway: CloudGateway) -> str:
    """What an operator should know of changes that are not in force; empty when all are.

    Of a gateway that is away nothing is said here: its state says so.
    """
    server, session = gateway.managed_server, object_session(gateway)
    if session is None or server.online_since is None or gateway.confirmed is None:
        return ""
    newest = session.get(Counter, DIRECTORY)
    if newest is None or newest.value <= report_of(server).directory_revision:
        return ""
    since = _since(session, server)
    if since is None or datetime.now(UTC) - since < LATE:
        return ""
    changed = session.scalars(_missed(server).limit(_NAMED + 1)).all()
    names = ", ".join(changed[:_NAMED]) + (" and others" if len(changed) > _NAMED else "")
    whose = f"changes of {names}" if names else "that tenants were removed"
    return f"It has not taken in {whose} since {since:%Y-%m-%d %H:%M:%S} UTC."


def _missed(server: ManagedServer) -> Select[str]:
    return (
        select(CloudTenant.name)
        .where(
            CloudTenant.backup_server_id == server.backup_server_id,
            CloudTenant.directory_revision > report_of(server).directory_revision,
        )
        .order_by(CloudTenant.directory_revision)
    )


def _since(session: Session, server: ManagedServer) -> datetime | None:
    """When the first change was made that it has not; a revision is a time in milliseconds."""
    found = [
        session.scalar(
            select(func.min(kind.directory_revision)).where(
                kind.backup_server_id == server.backup_server_id,
                kind.directory_revision > report_of(server).directory_revision,
            )
        )
        for kind in (CloudTenant, RemovedTenant)
    ]
    first = min((each for each in found if each is not None), default=None)
    return None if first is None else datetime.fromtimestamp(first / 1000, UTC)
