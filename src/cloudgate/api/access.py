"""Access: who may call what? Groups of roles, and the rule. Pure.

Each route says which of the groups may call it, where it is made.
"""

from collections.abc import Collection

from cloudgate.api.http.router import Route
from cloudgate.manager.sessions.roles import OF_ACCOUNTS, Role

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
