"""What must a gateway know of the tenants of its site?"""

from collections.abc import Iterable

from sqlalchemy import select

from cloudgate import assignment
from cloudgate.manager.repositories.rules import join_service
from cloudgate.manager.storage.tables import BackupServer, CloudTenant, RemovedTenant
from cloudgate.manager.work import Work


def changes_since(
    work: Work, site: BackupServer, known_revision: int
) -> assignment.DirectoryChange | None:
    """What a host that knows `known_revision` has to be told; None when nothing.

    A host that knows a revision from the future (an older database was put back) or none at all
    is told everything.
    """
    current = work.directory_revision()
    whole = known_revision == 0 or known_revision > current
    since = 0 if whole else known_revision
    tenants = work.session.scalars(
        select(CloudTenant).where(
            CloudTenant.backup_server_id == site.id, CloudTenant.directory_revision > since
        )
    ).all()
    removed = work.session.scalars(
        select(RemovedTenant.tenant_id).where(
            RemovedTenant.backup_server_id == site.id, RemovedTenant.directory_revision > since
        )
    ).all()
    if not whole and not tenants and not removed:
        return None
    if whole and known_revision == current == 0:
        return None
    return assignment.DirectoryChange(
        from_revision=since,
        revision=current,
        tenants=tuple(entry(tenant) for tenant in tenants),
        removed=() if whole else tuple(removed),
    )


def entry(tenant: CloudTenant) -> assignment.Tenant:
    """A tenant as gateways know it."""
    return assignment.Tenant(
        tenant_id=tenant.id,
        name=tenant.name,
        password_hash=tenant.password_hash,
        enabled=tenant.enabled,
        expires_at=tenant.expires_at,
        targets=tuple(_targets(tenant)),
        pool_ids=tuple(pool.id for pool in tenant.pools),
        failover_to_others=tenant.failover_to_others,
    )


def _targets(tenant: CloudTenant) -> Iterable[assignment.Target]:
    """Its repositories, and its backup server's own port."""
    site = tenant.backup_server
    own = join_service(site.name, site.port)
    yield assignment.Target(endpoint=own, address=own)
    for resource in tenant.resources:
        repository = resource.repository
        if repository.endpoint != own:
            yield assignment.Target(endpoint=repository.endpoint, address=repository.address)
