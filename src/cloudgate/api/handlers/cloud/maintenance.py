"""Maintenance: what does the API say of it? An extension."""

from cloudgate.api.access import ADMINISTRATORS, PROVIDERS
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Route, Routes, shows
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.servers import maintenance
from cloudgate.wire.resources.cloud.live import CloudMaintenance

PATH = "/cloud/maintenance"


ROUTES = Routes(PROVIDERS)


def _entity(work: UnitOfWork, root: str) -> CloudMaintenance:
    found = maintenance.current_maintenance(work)
    return CloudMaintenance(
        href=f"{root}{PATH}",
        type="CloudMaintenance",
        enabled=found is not None,
        message=found.message if found else None,
        restores_allowed=found.restores_allowed if found else None,
        since=found.since if found else None,
    )


@ROUTES.add(Route(verb="GET", path="/cloud/maintenance", answers=shows(CloudMaintenance)))
def get_maintenance(call: Call) -> Answer:
    """Whether the provider is at work."""
    with call.reading() as work:
        return Answer(resource=_entity(work, call.root))


@ROUTES.add(
    Route(
        verb="PUT",
        path="/cloud/maintenance",
        answers=shows(CloudMaintenance),
        bodies=(CloudMaintenance,),
        roles=ADMINISTRATORS,
    )
)
def put_maintenance(call: Call, wanted: CloudMaintenance) -> Answer:
    """Begin or end maintenance. Live tunnels go on; gateways keep to it within a second."""
    with call.changing() as work:
        if wanted.enabled:
            maintenance.begin_maintenance(
                work, wanted.message, restores_allowed=wanted.restores_allowed is not False
            )
        else:
            maintenance.end_maintenance(work)
        return Answer(resource=_entity(work, call.root))
