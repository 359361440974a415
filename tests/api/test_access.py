"""May each role call what is published for it, and nothing else?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.access import may_call, roles_for
from cloudgate.api.http.router import Route, segments
from cloudgate.api.table import ROUTES
from cloudgate.manager.sessions.roles import Role

ADMIN, USER = {Role.PORTAL_ADMINISTRATOR}, {Role.PORTAL_USER}


VM_FILE = {Role.VM_RESTORE_OPERATOR, Role.FILE_RESTORE_OPERATOR}


ITEMS = {
    Role.EXCHANGE_RESTORE_OPERATOR,
    Role.ORACLE_RESTORE_OPERATOR,
    Role.SQL_RESTORE_OPERATOR,
}


MATRIX: list[tuple[str, str, set[Role]]] = [
    *((verb, "/cloud/gateways", ADMIN | USER) for verb in ("GET", "POST")),
    *((verb, "/cloud/gateways/{id}", ADMIN | USER) for verb in ("GET", "PUT", "DELETE")),
    *((verb, "/cloud/gatewayPools/{id}", ADMIN | USER) for verb in ("GET", "PUT", "DELETE")),
    *((verb, "/cloud/tenants/{id}", ADMIN | USER) for verb in ("GET", "PUT", "DELETE")),
    ("POST", "/cloud/tenants/{id}/resources", ADMIN | USER),
    ("GET", "/cloud/hardwarePlans", ADMIN | USER),
    ("GET", "/cloud/failoverSessions", ADMIN | USER | VM_FILE),
    ("GET", "/cloud/cloudFailoverPlans", ADMIN | VM_FILE),
    ("POST", "/cloud/cloudFailoverPlans", ADMIN),
    ("GET", "/backupServers", ADMIN | USER),
    ("POST", "/backupServers", ADMIN),
    ("GET", "/backupServers/{id}", ADMIN | USER),
    ("POST", "/backupServers/{id}", ADMIN | USER),
    ("PUT", "/backupServers/{id}", ADMIN),
    ("DELETE", "/backupServers/{id}", ADMIN),
    ("GET", "/backupServers/{id}/credentials", ADMIN | USER),
    ("POST", "/backupServers/{id}/credentials", ADMIN),
    ("DELETE", "/backupServers/{id}/passwords/{item}", ADMIN),
    ("GET", "/managedServers", ADMIN | USER),
    ("GET", "/repositories", ADMIN | USER),
    ("GET", "/querySvc", ADMIN | USER | VM_FILE),
    ("GET", "/lookupSvc", ADMIN | USER),
    ("GET", "/tasks", ADMIN | USER | VM_FILE | ITEMS),
    ("DELETE", "/tasks/{id}", ADMIN | USER | VM_FILE | ITEMS),
    ("GET", "/restoreSessions", ADMIN | USER | VM_FILE | ITEMS),
    ("GET", "/security/accounts", ADMIN),
    ("PUT", "/security/password", ADMIN | USER | VM_FILE | ITEMS),
    ("GET", "/audit", ADMIN),
    ("GET", "/settings", ADMIN),
    ("GET", "/cloud/usage", ADMIN | USER),
]
"""By the published table of roles, and for what was added."""


@pytest.mark.parametrize(("verb", "path", "expected"), MATRIX)
def test_roles_may_do_what_is_published(verb: str, path: str, expected: set[Role]) -> None:
    routes = routes_of(verb, path)
    assert routes
    assert all(set(roles_for(route)) == expected for route in routes)


def routes_of(verb: str, path: str) -> list[Route]:
    """The calls of a path, whatever its variables are called."""

    def form(path: str) -> list[str]:
        return ["{}" if each.startswith("{") else each for each in segments(path)]

    return [each for each in ROUTES if each.verb == verb and form(each.path) == form(path)]


def test_each_call_says_who_may_make_it_and_one_that_does_not_is_for_administrators() -> None:
    assert all(route.roles for route in ROUTES if route.needs_session)
    assert set(roles_for(Route(verb="GET", path="/something/new"))) == ADMIN


def test_what_a_tenant_may_call_is_below_one_address_and_for_nobody_else() -> None:
    own = [each for each in ROUTES if each.needs_session and Role.TENANT in roles_for(each)]
    assert len(own) > 5
    assert all(each.path.startswith("/cloud/self") for each in own)
    assert all(set(roles_for(each)) == {Role.TENANT} and not each.cached for each in own)
    assert len(own) == sum(each.path.startswith("/cloud/self") for each in ROUTES)


def test_roles_add_up() -> None:
    (gateways,), (tasks,) = routes_of("GET", "/cloud/gateways"), routes_of("GET", "/tasks")
    assert not may_call(gateways, VM_FILE, for_tenant=False)
    assert may_call(gateways, VM_FILE | USER, for_tenant=False)
    assert not may_call(tasks, set(), for_tenant=False)


roles_of_somebody = st.sets(st.sampled_from(Role))
routes = st.sampled_from(sorted(ROUTES, key=lambda each: (each.path, each.verb, each.action or "")))


@given(routes, roles_of_somebody, roles_of_somebody)
def test_who_has_two_roles_may_do_what_either_may_and_no_more(
    route: Route, one: set[Role], other: set[Role]
) -> None:
    both = may_call(route, one | other, for_tenant=False)
    assert both == (
        may_call(route, one, for_tenant=False) or may_call(route, other, for_tenant=False)
    )


@given(routes, roles_of_somebody)
def test_a_session_for_one_tenant_may_do_less_and_never_more(route: Route, one: set[Role]) -> None:
    if may_call(route, one, for_tenant=True):
        assert route.for_tenants
        assert may_call(route, one, for_tenant=False)


@given(roles_of_somebody)
def test_what_nobody_has_thought_of_is_for_administrators(roles: set[Role]) -> None:
    new = Route(verb="GET", path="/something/new")
    assert may_call(new, roles, for_tenant=False) == (Role.PORTAL_ADMINISTRATOR in roles)
    closed = Route(verb="GET", path="/something/new", roles=frozenset())
    assert not may_call(closed, roles, for_tenant=False)
