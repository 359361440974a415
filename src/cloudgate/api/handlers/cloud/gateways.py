"""Cloud gateways: what does the API say of them, and what may be done to them?"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cloudgate.api.access import PROVIDERS
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation, up_to_backup_server
from cloudgate.api.http.router import Parameter, Route, Routes, shows_either
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways import operations
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.storage import tables
from cloudgate.manager.tasks.operations import remark
from cloudgate.values import precis
from cloudgate.values.fields import stated_fields
from cloudgate.values.numbers import whole
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Link
from cloudgate.wire.resources.cloud.gateways import (
    CloudGateway,
    CloudGateways,
    CreateCloudGatewaySpec,
)

TYPE = operations.TYPE
DRAIN_SECONDS = "drainSeconds"
"""Extension: how long live tunnels may go on after a change that leaves them no place."""
LONGEST_DRAIN_SECONDS = 30 * 24 * 3600
LISTENED_TO_INCOMING_PORT = ("v1", "v1_1", "v1_2", "v1_3")
"""The versions of the API in which the port to listen on is called IncomingPort."""


ROUTES = Routes(PROVIDERS)


def gateway_place(root: str, gateway: tables.CloudGateway) -> ResourceLocation:
    """Where a gateway stands."""
    return ResourceLocation(root, "/cloud/gateways", TYPE, gateway.id, gateway.name)


def gateway_reference(root: str, gateway: tables.CloudGateway) -> EntityRef:
    """The short form of a gateway."""
    place = gateway_place(root, gateway)
    return place.reference(up_to_backup_server(root, gateway.backup_server), place.to_entity())


def gateway_entities(
    work: UnitOfWork, root: str, found: Sequence[tables.CloudGateway]
) -> tuple[CloudGateway, ...]:
    """Gateways with the settings in force."""
    return tuple(_entity(work, root, each) for each in found)


def _entity(work: UnitOfWork, root: str, gateway: tables.CloudGateway) -> CloudGateway:
    place = gateway_place(root, gateway)
    settings = operations.settings_in_force(gateway)
    return CloudGateway(
        href=place.entity_href,
        type=place.type,
        links=(
            up_to_backup_server(root, gateway.backup_server),
            place.to_reference(),
            place.edit(),
            place.delete(),
            *_pool(root, gateway),
        ),
        name=place.name,
        uid=place.uid,
        state=operations.condition_of(gateway),
        live_tunnels=gateway.managed_server.live_tunnels,
        warning=operations.warnings_of(work, gateway) or None,
        **{**settings.resource_fields, "external_ip": operations.external_ip_of(gateway)},
    )


def _pool(root: str, gateway: tables.CloudGateway) -> tuple[Link, ...]:
    """The way to the pool of a gateway; nothing for one that is in none."""
    pool = gateway.pool
    if pool is None:
        return ()
    place = ResourceLocation(root, "/cloud/gatewayPools", "CloudGatewayPool", pool.id, pool.name)
    return (Link(rel="Related", href=place.href, name=place.name, type=place.reference_type),)


def forms(work: UnitOfWork) -> Forms[tables.CloudGateway]:
    """Those of a gateway as it is at the time of a transaction."""
    entity = partial(_entity, work)
    return Forms(gateway_reference, entity, lambda found: CloudGateways(cloud_gateways=found))


def drain_seconds(call: Call) -> int | None:
    """How long tunnels may go on by ``?drainSeconds=``; None when it does not say.

    Raises:
        InvalidRequestError: it is no number of seconds.
    """
    text = call.query.get(DRAIN_SECONDS.lower())
    if text is None:
        return None
    seconds = whole(text, 0, LONGEST_DRAIN_SECONDS)
    if seconds is None:
        raise InvalidRequestError(
            f"{DRAIN_SECONDS}: found {text[:50]!r}, expected a number of seconds from 0 to"
            f" {LONGEST_DRAIN_SECONDS}."
        )
    return seconds


DRAINED = Parameter(
    name=DRAIN_SECONDS,
    description=(
        "Extension: how many seconds live tunnels may go on that have no place after the change;"
        " 28800 when left out."
    ),
    pattern="^[0-9]{1,6}$",
)


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/gateways",
        cached=True,
        answers=shows_either(EntityReferences, CloudGateways),
    )
)
def get_gateways(call: Call) -> Answer:
    """All gateways."""
    with call.reading() as work:
        return forms(work).all(call, operations.list_gateways(work))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/gateways/{id}",
        cached=True,
        answers=shows_either(EntityRef, CloudGateway),
    )
)
def get_gateway(call: Call) -> Answer:
    """One gateway."""
    with call.reading() as work:
        gateway = operations.get_gateway(work, call.identifier(TYPE))
        # The entity shows what is in force: what is wanted may be on its way to the host.
        wanted = json.dumps(gateway.wanted, sort_keys=True)
        return replace(forms(work).one(call, gateway), version=wanted)


@ROUTES.add(
    Route(verb="POST", path="/cloud/gateways", answers=TASK, bodies=(CreateCloudGatewaySpec,))
)
def post_gateway(call: Call, spec: CreateCloudGatewaySpec) -> Answer:
    """Give a managed server the gateway role."""
    if spec.incoming_port is not None and call.session.version not in LISTENED_TO_INCOMING_PORT:
        raise InvalidRequestError(
            "IncomingPort is of the API's versions up to v1_3, and this session is of"
            f" {call.session.version}; give ExternalPort, and InternalPort behind NAT."
        )
    with call.changing() as work:
        task = operations.create_gateway(
            work,
            GatewaySettings(**_settings(spec)),
            server_host_name=spec.server_host_name or "",
            backup_server_id_or_name=spec.backup_server_id_or_name,
            backup_server_uid=spec.backup_server_uid,
        )
    return accepted(call, task)


def _settings(spec: CreateCloudGatewaySpec) -> dict[str, Any]:
    """What is asked for, where something is: an empty text or a port of 0 is the default."""
    found = {
        **stated_fields(spec, GatewaySettings),
        "network_mode": spec.network_type,
        "external_port": spec.external_port or _if_direct(spec),
        "internal_port": spec.internal_port or spec.incoming_port,
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _if_direct(spec: CreateCloudGatewaySpec) -> int | None:
    """The older versions' port to listen on, where that is the one that tenants connect to."""
    return spec.incoming_port if spec.network_type == "Direct" else None


@ROUTES.add(
    Route(
        verb="PUT",
        path="/cloud/gateways/{id}",
        answers=TASK,
        query=(DRAINED,),
        bodies=(CloudGateway,),
    )
)
def put_gateway(call: Call, entity: CloudGateway) -> Answer:
    """Change a gateway."""
    change = stated_fields(entity, GatewaySettings)
    with call.changing() as work:
        gateway = operations.get_gateway(work, call.identifier(TYPE))
        task = operations.edit_gateway(work, gateway, change, drain_seconds(call))
        remark(task, _ignored(gateway, entity))
    return accepted(call, task)


def _ignored(gateway: tables.CloudGateway, entity: CloudGateway) -> Iterator[str]:
    """What was asked for and means nothing here."""
    named = entity.dns_name_or_ip_address
    server = gateway.managed_server
    own = {gateway.name, server.name, operations.external_ip_of(gateway)}
    if named and precis.key(named) not in {precis.key(each) for each in own if each}:
        yield (
            f"DnsNameOrIpAddress was left alone: a gateway stays on its server, {server.name}. Make"
            " a new one on the other server, and delete this one."
        )


@ROUTES.add(Route(verb="DELETE", path="/cloud/gateways/{id}", answers=TASK, query=(DRAINED,)))
def delete_gateway(call: Call) -> Answer:
    """Take the gateway role away."""
    with call.changing() as work:
        gateway = operations.get_gateway(work, call.identifier(TYPE))
        task = operations.delete_gateway(work, gateway, drain_seconds(call))
    return accepted(call, task)
