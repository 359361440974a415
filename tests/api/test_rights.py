"""Is what somebody hears of a call before he makes it what he is told when he makes it?"""

import pytest

from cloudgate.api.access import may_call
from cloudgate.api.rights import DENIED, refusals_of
from cloudgate.api.table import ROUTES
from cloudgate.manager.sessions.roles import OF_ACCOUNTS, Role
from cloudgate.manager.storage.tables import Account, AccountRole, LogonSession

ROLES = sorted(OF_ACCOUNTS, key=lambda each: each.name)


def session(role: Role) -> LogonSession:
    return LogonSession(account=Account(name="somebody", roles=[AccountRole(role_id=role.id)]))


@pytest.mark.parametrize("role", ROLES, ids=lambda each: each.name)
def test_each_call_is_refused_to_whom_its_route_is_not_for(role: Role) -> None:
    refusal = refusals_of(session(role))
    for route in ROUTES:
        if not route.needs_session or route.path.lower() == "/query":
            continue
        said = refusal(route.verb, route.path + (f"?v=1&action={route.action or ''}"))
        is_for = may_call(route, {role}, for_tenant=False)
        assert said == ("" if is_for else DENIED), (route.verb, route.path)


def test_a_type_that_restorers_may_not_ask_for_is_refused_to_them_and_no_other_role() -> None:
    for role, kind, refused in (
        (Role.VM_RESTORE_OPERATOR, "Task", ""),
        (Role.VM_RESTORE_OPERATOR, "CloudGateway", DENIED),
        (Role.EXCHANGE_RESTORE_OPERATOR, "Task", DENIED),
        (Role.PORTAL_USER, "CloudGateway", ""),
    ):
        said = refusals_of(session(role))("GET", f"/query?type={kind}&format=Entities")
        assert said == refused, (role, kind)


def test_what_is_no_call_or_asks_for_no_session_is_refused_to_nobody() -> None:
    refusal = refusals_of(session(Role.EXCHANGE_RESTORE_OPERATOR))
    assert refusal("GET", "/nothing/there") == ""
    assert refusal("PATCH", "/cloud/tenants") == ""
    assert refusal("POST", "/sessionMngr") == ""
