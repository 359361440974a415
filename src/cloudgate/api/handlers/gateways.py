"""What does the API say of cloud gateways, and what may be done to them?"""

from cloudgate.api.call import Answer, Call
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.links import Place, up_to_backup_server
from cloudgate.manager.gateways import operations
from cloudgate.manager.gateways.operations import GatewayChange, NewGateway
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.base import EntityRef, EntityReferences
from cloudgate.wire.resources.gateways import CloudGateway, CloudGateways, CreateCloudGatewaySpec

TYPE = operations.TYPE


def _place(root: str, gateway: tables.CloudGateway) -> Place:
    return Place(root, "/cloud/gateways", TYPE, gateway.id, gateway.name)


def _reference(root: str, gateway: tables.CloudGateway) -> EntityRef:
    place = _place(root, gateway)
    return place.reference(up_to_backup_server(root, gateway.backup_server), place.to_entity())


def _entity(root: str, gateway: tables.CloudGateway) -> CloudGateway:
    place = _place(root, gateway)
    settings = operations.settings_in_force(gateway)
    return CloudGateway(
        href=place.entity_href,
        type=place.type,
        links=(
            up_to_backup_server(root, gateway.backup_server),
            place.to_reference(),
            place.edit(),
            place.delete(),
        ),
        name=place.name,
        uid=place.uid,
        enabled=settings.enabled,
        network_mode=settings.network_mode,
        external_ip=operations.external_ip_of(gateway),
        external_port=settings.external_port,
        internal_port=settings.internal_port,
        description=settings.description,
    )


def get_gateways(call: Call) -> Answer:
    """All gateways."""
    with call.reading() as work:
        found = operations.list_gateways(work)
        if call.wants_entity:
            entities = tuple(_entity(call.root, gateway) for gateway in found)
            return Answer(resource=CloudGateways(cloud_gateways=entities))
        references = tuple(_reference(call.root, gateway) for gateway in found)
        return Answer(resource=EntityReferences(refs=references))


def get_gateway(call: Call) -> Answer:
    """One gateway."""
    with call.reading() as work:
        gateway = operations.get_gateway(work, call.identifier(TYPE))
        form = _entity if call.wants_entity else _reference
        return Answer(resource=form(call.root, gateway))


def post_gateway(call: Call, spec: CreateCloudGatewaySpec) -> Answer:
    """Give a managed server the gateway role."""
    new = NewGateway(
        server_host_name=spec.server_host_name or "",
        network_mode=spec.network_type or "",
        backup_server_id_or_name=spec.backup_server_id_or_name,
        backup_server_uid=spec.backup_server_uid,
        description=spec.description,
        external_ip=spec.external_ip,
        external_port=spec.external_port,
        internal_port=spec.internal_port,
    )
    with call.changing() as work:
        task = operations.create_gateway(work, new)
    return accepted(call, task)


def put_gateway(call: Call, entity: CloudGateway) -> Answer:
    """Change a gateway."""
    change = GatewayChange(
        enabled=entity.enabled,
        network_mode=entity.network_mode,
        external_ip=entity.external_ip,
        external_port=entity.external_port,
        internal_port=entity.internal_port,
        description=entity.description,
    )
    with call.changing() as work:
        gateway = operations.get_gateway(work, call.identifier(TYPE))
        task = operations.edit_gateway(work, gateway, change)
    return accepted(call, task)


def delete_gateway(call: Call) -> Answer:
    """Take the gateway role away."""
    with call.changing() as work:
        gateway = operations.get_gateway(work, call.identifier(TYPE))
        task = operations.delete_gateway(work, gateway)
    return accepted(call, task)
