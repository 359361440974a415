"""Access: who may call what? Groups of roles, and the rules. Pure.

Each route says which of the groups may call it, where it is made.
"""

from collections.abc import Collection

from cloudgate.api.http.router import Route
from cloudgate.errors import AccessDeniedError
from cloudgate.manager.portal.sessions import Visitor
from cloudgate.manager.sessions.administration import roles_of
from cloudgate.manager.sessions.roles import OF_ACCOUNTS, Role
from cloudgate.manager.sessions.second_factor import owes_one
from cloudgate.manager.storage.tables import LogonSession

ADMINISTRATORS = frozenset({Role.PORTAL_ADMINISTRATOR})
PROVIDERS = ADMINISTRATORS | {Role.PORTAL_USER}
RESTORERS = frozenset({Role.VM_RESTORE_OPERATOR, Role.FILE_RESTORE_OPERATOR})
EVERYBODY = OF_ACCOUNTS
"""Whoever has an account. A tenant has none."""
TENANTS = frozenset({Role.TENANT})
"""Sessions of a tenant, or of its user. What they may call is for nobody else."""
RESTORERS_MAY_ASK_FOR = frozenset(
    {
        "task",
        "backup",
        "replica",
        "restorepoint",
        "vmrestorepoint",
        "vapprestorepoint",
        "vmreplicapoint",
        "restoresession",
        "backupfile",
    }
)
"""Types that the query service shows to restore operators; in lower case."""


def roles_for(route: Route) -> frozenset[Role]:
    """The roles that may call a route; one that says nothing is for administrators only."""
    return ADMINISTRATORS if route.roles is None else route.roles


def may_call(route: Route, roles: Collection[Role], *, for_tenant: bool) -> bool:
    """Whether somebody with these roles may call a route; roles add up."""
    if for_tenant and not route.for_tenants:
        return False
    return not roles_for(route).isdisjoint(roles)


def roles_of_who(who: LogonSession | Visitor) -> frozenset[Role]:
    """The roles of who is asking."""
    return frozenset({Role.TENANT}) if isinstance(who, Visitor) else roles_of(who.account)


def is_open_to(route: Route, who: LogonSession | Visitor) -> bool:
    """Whether a route is for who is asking."""
    for_tenant = isinstance(who, LogonSession) and who.tenant_id is not None
    return may_call(route, roles_of_who(who), for_tenant=for_tenant)


def check(route: Route, who: LogonSession | Visitor, *, by_token: bool) -> None:
    """See whether who is asking may call a route, by a session or by an API token.

    Raises:
        AccessDeniedError: they may not.
    """
    if not is_open_to(route, who):
        raise AccessDeniedError("Access denied")
    if isinstance(who, LogonSession) and not route.without_factor and owes_one(who):
        raise AccessDeniedError(
            "Access denied: your role asks for a second factor, and you have none yet. Set it up in"
            " the console, at My second factor, or by POST /api/security/factor."
        )
    if by_token and not route.by_token:
        raise AccessDeniedError(
            "Access denied: this call wants somebody who has logged on, not an API token."
        )


def may_ask_for(type_: str, roles: Collection[Role]) -> bool:
    """Whether somebody with these roles is shown a type by the query service, which he may ask."""
    return not PROVIDERS.isdisjoint(roles) or type_.lower() in RESTORERS_MAY_ASK_FOR
