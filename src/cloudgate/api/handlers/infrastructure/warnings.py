"""Warnings: what needs a look, at the manager and all that it looks after? An extension."""

from cloudgate.api.access import PROVIDERS, RESTORERS
from cloudgate.api.handlers.cloud.gateways import gateway_place
from cloudgate.api.handlers.infrastructure.managed_servers import server_place
from cloudgate.api.handlers.infrastructure.repositories import repository_place
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation, backup_server_place
from cloudgate.api.http.router import Route, Routes, shows
from cloudgate.manager.monitoring.operator_warnings import (
    MANAGER,
    Subject,
    SubjectWarning,
    operator_warnings,
)
from cloudgate.manager.storage.tables import BackupServer, CloudGateway, ManagedServer
from cloudgate.wire.resources.cloud.live import OperatorWarning, OperatorWarnings

ROUTES = Routes(PROVIDERS | RESTORERS)


@ROUTES.add(Route(verb="GET", path="/warnings", answers=shows(OperatorWarnings)))
def get_warnings(call: Call) -> Answer:
    """All that needs a look: first the manager itself, then what it looks after."""
    with call.reading() as work:
        found = tuple(_shown(call.root, each) for each in operator_warnings(call.manager, work))
    return Answer(resource=OperatorWarnings(operator_warnings=found))


def _shown(root: str, needed: SubjectWarning) -> OperatorWarning:
    if needed.subject is None:
        return OperatorWarning(
            name=needed.name, object_type=MANAGER, message=needed.text, since=needed.since
        )
    place = _place(root, needed.subject)
    return OperatorWarning(
        name=place.name, object_type=place.type, object_href=place.entity_href, message=needed.text
    )


def _place(root: str, subject: Subject) -> ResourceLocation:
    if isinstance(subject, BackupServer):
        return backup_server_place(root, subject)
    if isinstance(subject, ManagedServer):
        return server_place(root, subject)
    if isinstance(subject, CloudGateway):
        return gateway_place(root, subject)
    return repository_place(root, subject)
