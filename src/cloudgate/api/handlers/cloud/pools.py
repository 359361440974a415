"""Gateway pools: what does the API say of them, and what may be done to them?"""

from collections.abc import Sequence
from uuid import UUID

from cloudgate.api.access import PROVIDERS
from cloudgate.api.handlers.cloud import gateways, tenants
from cloudgate.api.handlers.cloud.gateways import DRAINED, drain_seconds
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation, down_link, up_to_backup_server
from cloudgate.api.http.router import Route, Routes, shows, shows_either
from cloudgate.manager.pools import operations
from cloudgate.manager.pools.operations import PoolChange
from cloudgate.manager.storage import tables
from cloudgate.manager.tenants.operations import get_tenant
from cloudgate.values.identifiers import parse, uid
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Link
from cloudgate.wire.resources.cloud.gateways import CloudGateways
from cloudgate.wire.resources.cloud.pools import (
    CloudGatewayPool,
    CloudGatewayPools,
    CreateCloudGatewayPoolSpec,
)
from cloudgate.wire.resources.cloud.tenants import CloudTenants

TYPE = operations.TYPE


ROUTES = Routes(PROVIDERS)
ROUTES_OF_TENANT = Routes(PROVIDERS)


def pool_place(root: str, pool: tables.GatewayPool) -> ResourceLocation:
    """Where a pool stands."""
    return ResourceLocation(root, "/cloud/gatewayPools", TYPE, pool.id, pool.name)


def pool_reference(root: str, pool: tables.GatewayPool) -> EntityRef:
    """The short form of a pool."""
    place = pool_place(root, pool)
    return place.reference(up_to_backup_server(root, pool.backup_server), place.to_entity())


def pool_entity(root: str, pool: tables.GatewayPool) -> CloudGatewayPool:
    """A pool with its gateways and tenants."""
    place = pool_place(root, pool)
    return CloudGatewayPool(
        href=place.entity_href,
        type=place.type,
        links=_links(root, pool, place),
        name=place.name,
        uid=place.uid,
        description=pool.description,
        cloud_gateways=tuple(uid(gateways.TYPE, each.id) for each in pool.gateways),
        cloud_tenants=tuple(uid(tenants.TYPE, each.id) for each in pool.tenants),
    )


FORMS = Forms(
    pool_reference, pool_entity, lambda found: CloudGatewayPools(cloud_gateway_pools=found)
)


def _links(root: str, pool: tables.GatewayPool, place: ResourceLocation) -> tuple[Link, ...]:
    found = [
        up_to_backup_server(root, pool.backup_server),
        place.to_reference(),
        place.edit(),
        place.delete(),
        down_link(f"{place.href}/gateways", "CloudGatewayReferenceList"),
    ]
    if pool.tenants:
        href = f"{place.href}/tenants"
        found.append(Link(rel="Related", href=href, type="CloudTenantReferenceList"))
    return tuple(found)


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/gatewayPools",
        cached=True,
        answers=shows_either(EntityReferences, CloudGatewayPools),
    )
)
def get_pools(call: Call) -> Answer:
    """All gateway pools."""
    with call.reading() as work:
        return FORMS.all(call, operations.list_pools(work, with_members=call.wants_entity))


@ROUTES_OF_TENANT.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/gatewayPools",
        cached=True,
        answers=shows(EntityReferences),
    )
)
def get_pools_of_tenant(call: Call) -> Answer:
    """The gateway pools that a tenant may use."""
    with call.reading() as work:
        tenant = get_tenant(work, call.identifier(tenants.TYPE))
        refs = tuple(pool_reference(call.root, pool) for pool in tenant.pools)
    return Answer(resource=EntityReferences(refs=refs))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}",
        cached=True,
        answers=shows_either(EntityRef, CloudGatewayPool),
    )
)
def get_pool(call: Call) -> Answer:
    """One gateway pool."""
    with call.reading() as work:
        identifier, is_whole = call.identifier(TYPE), call.wants_entity
        return FORMS.one(call, operations.get_pool(work, identifier, with_members=is_whole))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}/gateways",
        cached=True,
        answers=shows_either(EntityReferences, CloudGateways),
    )
)
def get_gateways_of_pool(call: Call) -> Answer:
    """The gateways of a pool."""
    with call.reading() as work:
        pool = operations.get_pool(work, call.identifier(TYPE))
        return gateways.forms(work).all(call, pool.gateways)


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}/tenants",
        cached=True,
        answers=shows_either(EntityReferences, CloudTenants),
    )
)
def get_tenants_of_pool(call: Call) -> Answer:
    """The tenants of a pool."""
    with call.reading() as work:
        pool = operations.get_pool(work, call.identifier(TYPE))
        return tenants.forms(work).all(call, pool.tenants)


@ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/gatewayPools",
        answers=TASK,
        query=(DRAINED,),
        bodies=(CreateCloudGatewayPoolSpec,),
    )
)
def post_pool(call: Call, spec: CreateCloudGatewayPoolSpec) -> Answer:
    """Set gateways apart."""
    wanted = PoolChange(
        name=spec.name,
        description=spec.description,
        gateways=_ids(spec.cloud_gateways, gateways.TYPE),
        tenants=_ids(spec.cloud_tenants, tenants.TYPE),
    )
    with call.changing() as work:
        task = operations.create_pool(work, wanted, spec.backup_server_uid, drain_seconds(call))
    return accepted(call, task)


@ROUTES.add(
    Route(
        verb="PUT",
        path="/cloud/gatewayPools/{id}",
        answers=TASK,
        query=(DRAINED,),
        bodies=(CloudGatewayPool,),
    )
)
def put_pool(call: Call, entity: CloudGatewayPool) -> Answer:
    """Change a gateway pool: its new name is the attribute."""
    change = PoolChange(
        name=entity.name,
        description=entity.description,
        gateways=_ids(entity.cloud_gateways, gateways.TYPE),
        tenants=_ids(entity.cloud_tenants, tenants.TYPE),
    )
    with call.changing() as work:
        pool = operations.get_pool(work, call.identifier(TYPE))
        task = operations.edit_pool(work, pool, change, drain_seconds(call))
    return accepted(call, task)


@ROUTES.add(Route(verb="DELETE", path="/cloud/gatewayPools/{id}", answers=TASK, query=(DRAINED,)))
def delete_pool(call: Call) -> Answer:
    """Dissolve a gateway pool."""
    with call.changing() as work:
        pool = operations.get_pool(work, call.identifier(TYPE))
        task = operations.delete_pool(work, pool, drain_seconds(call))
    return accepted(call, task)


def _ids(uids: Sequence[str] | None, kind: str) -> tuple[UUID, ...] | None:
    return None if uids is None else tuple(parse(each, kind) for each in uids)
