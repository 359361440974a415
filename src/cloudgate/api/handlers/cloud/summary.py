"""Summary: how many of everything are there, and how are the gateways together? An extension."""

from cloudgate.api.access import PROVIDERS
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Route, Routes, shows
from cloudgate.manager.gateways.fleet import fleet
from cloudgate.manager.repositories.operations import count_repositories
from cloudgate.manager.tenants.operations import count_tenants
from cloudgate.wire.resources.cloud.live import CloudGatewayState, CloudSummary

ROUTES = Routes(PROVIDERS)


@ROUTES.add(Route(verb="GET", path="/cloud/summary", cached=True, answers=shows(CloudSummary)))
def get_summary(call: Call) -> Answer:
    """How many there are, however many these are, in one short answer."""
    with call.reading() as work:
        known = fleet(work)
        return Answer(
            resource=CloudSummary(
                tenants=count_tenants(work),
                repositories=count_repositories(work),
                gateways=sum(known.states.values()),
                live_tunnels=known.live_tunnels,
                states=tuple(
                    CloudGatewayState(state=state, count=count)
                    for state, count in sorted(known.states.items())
                ),
            )
        )
