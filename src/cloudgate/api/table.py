"""Table of routes: which calls does the API have? The whole list, in the order of its description.

Each is said above its handler. Modules that are not named here come behind those that are.
"""

from collections.abc import Iterator
from functools import cache
from itertools import chain

from cloudgate import modules
from cloudgate.api import handlers
from cloudgate.api.handlers import (
    absent,
    entry_points,
    notifications,
    queries,
    reports,
    security,
    sessions,
    tasks,
    tokens,
)
from cloudgate.api.handlers.cloud import (
    certificates,
    gateways,
    maintenance,
    own,
    own_password,
    pools,
    subtenants,
    summary,
    tenant_certificates,
    tenant_resources,
    tenants,
    tunnels,
    usage,
)
from cloudgate.api.handlers.description import Description
from cloudgate.api.handlers.infrastructure import (
    backup_servers,
    credentials,
    managed_servers,
    repositories,
    settings,
    warnings,
)
from cloudgate.api.handlers.signing_in import passkeys, second_factor, single_sign_on
from cloudgate.api.http.router import Outcome, Parameter, Route, Router, Routes

_PLACED = (
    entry_points.ROUTES,
    sessions.ROUTES,
    tasks.ROUTES,
    entry_points.ROUTES_OF_CLOUD,
    summary.ROUTES,
    warnings.ROUTES,
    settings.ROUTES,
    backup_servers.ROUTES,
    managed_servers.LISTS,
    repositories.ROUTES_OF_SITE,
    managed_servers.ROUTES,
    repositories.ROUTES,
    credentials.ROUTES,
    certificates.ROUTES,
    gateways.ROUTES,
    tunnels.ROUTES,
    maintenance.ROUTES,
    pools.ROUTES,
    tenants.ROUTES,
    usage.ROUTES,
    tenant_resources.ROUTES,
    pools.ROUTES_OF_TENANT,
    subtenants.ROUTES,
    tenant_certificates.ROUTES,
    own_password.ROUTES,
    tenant_certificates.OWN_ROUTES,
    own.ROUTES,
    tenant_certificates.SELF_ROUTES,
    security.ROUTES,
    tokens.ROUTES,
    second_factor.OWN,
    second_factor.ADMINISTERED,
    passkeys.ROUTES,
    single_sign_on.OPEN,
    single_sign_on.ADMINISTERED,
    notifications.ROUTES,
    queries.ROUTES_OF_AUDIT,
    reports.ROUTES,
    queries.ROUTES,
)


def _others() -> Iterator[Routes]:
    """Those of modules that have no place in the description, by the modules' names."""
    for module in modules.below(handlers):
        for named in vars(module).values():
            if isinstance(named, Routes) and named not in (*_PLACED, absent.ROUTES):
                yield named


ROUTES: list[Route] = [*chain(*_PLACED, *_others(), absent.ROUTES)]

_DESCRIPTION = Description(ROUTES)
ROUTES += [
    Route(
        verb="GET",
        path="/openapi.json",
        handler=_DESCRIPTION.get_openapi,
        needs_session=False,
        answers=Outcome(document="application/json"),
    ),
    Route(
        verb="GET",
        path="/docs",
        handler=_DESCRIPTION.get_docs,
        needs_session=False,
        query=(
            Parameter(name="search", description="Shows the calls that have all of these words."),
        ),
        answers=Outcome(document="text/html"),
    ),
]


@cache
def router() -> Router:
    """Finds the call of a request among all."""
    return Router(ROUTES)
