"""Tenant resources: what does the API say of a tenant's quotas, and what may be done to them?"""

from dataclasses import replace
from datetime import datetime

from cloudgate.api.access import PROVIDERS
from cloudgate.api.handlers.cloud import tenant_bodies
from cloudgate.api.handlers.cloud.tenants import (
    ENDING_TUNNELS,
    RESOURCE,
    TYPE,
    resource_entity,
    tenant_place,
    tunnels_end,
)
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import up_to_backup_server_entity
from cloudgate.api.http.router import Route, Routes, shows
from cloudgate.manager.storage import tables
from cloudgate.manager.tasks.operations import remark
from cloudgate.manager.tenants import resources
from cloudgate.manager.tenants.operations import get_tenant
from cloudgate.manager.tenants.resources import Quota
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.cloud.tenants import (
    CloudTenantResource,
    CloudTenantResources,
    CreateCloudTenantResourceSpec,
)

ROUTES = Routes(PROVIDERS)
ENDING_TUNNELS_THERE = replace(
    ENDING_TUNNELS, description="Extension: true to end the tunnels that the tenant has there."
)


def _linked_resource(
    now: datetime, root: str, tenant: tables.CloudTenant, resource: tables.TenantResource
) -> CloudTenantResource:
    """A quota by itself, with its links."""
    place = tenant_place(root, tenant)
    href = f"{place.href}/resources/{resource.id}"
    found = (
        Link(rel="Delete", href=href, name=resource.name, type=RESOURCE),
        Link(rel="Up", href=place.entity_href, name=place.name, type=place.type),
        up_to_backup_server_entity(root, tenant.backup_server),
    )
    return resource_entity(now, root, tenant, resource, found)


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources",
        cached=True,
        answers=shows(CloudTenantResources),
    )
)
def get_resources(call: Call) -> Answer:
    """All quotas of a tenant."""
    with call.reading() as work:
        tenant, now = get_tenant(work, call.identifier(TYPE)), work.now
    found = tuple(_linked_resource(now, call.root, tenant, each) for each in tenant.resources)
    return Answer(resource=CloudTenantResources(cloud_tenant_resources=found))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources/{resource}",
        cached=True,
        answers=shows(CloudTenantResource),
    )
)
def get_resource(call: Call) -> Answer:
    """One quota of a tenant."""
    with call.reading() as work:
        tenant, now = get_tenant(work, call.identifier(TYPE)), work.now
    resource = resources.get_resource(tenant, call.identifier(RESOURCE, "resource"))
    return Answer(resource=_linked_resource(now, call.root, tenant, resource))


@ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/resources",
        answers=TASK,
        bodies=(CreateCloudTenantResourceSpec,),
    )
)
def post_resource(call: Call, spec: CreateCloudTenantResourceSpec) -> Answer:
    """Give a tenant one more quota."""
    tenant_bodies.check_no_accelerator(spec.wan_accelerator_uid)
    quota = Quota(
        name=spec.name or "",
        repository_uid=spec.repository_uid or "",
        quota_mb=spec.quota_mb or 0,
    )
    with call.changing() as work:
        tenant = get_tenant(work, call.identifier(TYPE))
        task = resources.add_resource(work, tenant, quota)
        remark(task, [tenant_bodies.FOLDER_IS_IDLE] if spec.folder else ())
    return accepted(call, task)


@ROUTES.add(
    Route(
        verb="DELETE",
        path="/cloud/tenants/{id}/resources/{resource}",
        answers=TASK,
        query=(ENDING_TUNNELS_THERE,),
    )
)
def delete_resource(call: Call) -> Answer:
    """Take a quota away."""
    with call.changing() as work:
        tenant = get_tenant(work, call.identifier(TYPE))
        resource = resources.get_resource(tenant, call.identifier(RESOURCE, "resource"))
        task = resources.remove_resource(work, tenant, resource, tunnels_end=tunnels_end(call))
    return accepted(call, task)
