"""Route table: which calls does the API have? The whole list, from this folder."""

from cloudgate.api.handlers import absent
from cloudgate.api.handlers.description import Description
from cloudgate.api.http.router import Outcome, Route
from cloudgate.api.table import cloud, infrastructure, queries, security, sessions

ROUTES = [
    *sessions.ROUTES,
    *infrastructure.ROUTES,
    *cloud.ROUTES,
    *security.ROUTES,
    *queries.ROUTES,
    *absent.ROUTES,
]

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
        answers=Outcome(document="text/html"),
    ),
]
