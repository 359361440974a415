"""Warnings: what needs a look, at the manager and all that it looks after? An extension."""

from collections.abc import Iterator

from cloudgate.api.access import PROVIDERS, RESTORERS
from cloudgate.api.handlers.cloud.gateways import gateway_place
from cloudgate.api.handlers.infrastructure.managed_servers import server_place
from cloudgate.api.handlers.infrastructure.repositories import repository_place, unnamed
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation, backup_server_place
from cloudgate.api.http.router import Route, Routes, shows
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways import operations as gateways
from cloudgate.manager.probes.operations import warning_of
from cloudgate.manager.repositories.operations import list_repositories
from cloudgate.manager.servers import managed_servers
from cloudgate.manager.servers.backup_servers import list_backup_servers
from cloudgate.network import hostport
from cloudgate.wire.resources.cloud.live import OperatorWarning, OperatorWarnings

ROUTES = Routes(PROVIDERS | RESTORERS)


@ROUTES.add(Route(verb="GET", path="/warnings", answers=shows(OperatorWarnings)))
def get_warnings(call: Call) -> Answer:
    """All that needs a look: first the manager itself, then what it looks after."""
    own = (
        OperatorWarning(name="manager", object_type="Manager", message=each.text, since=each.since)
        for each in call.manager.warnings.all()
    )
    with call.reading() as work:
        found = tuple(
            OperatorWarning(
                name=place.name,
                object_type=place.type,
                object_href=place.entity_href,
                message=text,
            )
            for place, text in _of_others(work, call.root)
            if text
        )
    return Answer(resource=OperatorWarnings(operator_warnings=(*own, *found)))


def _of_others(work: UnitOfWork, root: str) -> Iterator[tuple[ResourceLocation, str]]:
    for site in list_backup_servers(work):
        yield backup_server_place(root, site), hostport.unnamed_in_http1(site.name)
    for server in managed_servers.list_managed_servers(work):
        yield server_place(root, server), managed_servers.warnings_of(server)
    for gateway in gateways.list_gateways(work):
        yield gateway_place(root, gateway), gateways.warnings_of(gateway)
    for repository in list_repositories(work):
        place = repository_place(root, repository)
        yield place, unnamed(repository)
        yield place, warning_of(work, repository)
