"""Access: who may call what? The published matrix of roles, in one place. Pure.

What is not listed is for portal administrators only, so a new call is closed until it is opened.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from cloudgate.api.http.router import segments
from cloudgate.manager.sessions.roles import Role

ADMINISTRATORS = frozenset({Role.PORTAL_ADMINISTRATOR})
PROVIDERS = ADMINISTRATORS | {Role.PORTAL_USER}
RESTORERS = frozenset({Role.VM_RESTORE_OPERATOR, Role.FILE_RESTORE_OPERATOR})
EVERYBODY = frozenset(Role)
_ALL = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True)
class _Rule:
    path: str
    """Applies to it and to what is below, unless a longer one does too."""
    verbs: tuple[str, ...]
    roles: frozenset[Role]


def _rule(path: str, roles: frozenset[Role], *verbs: str) -> _Rule:
    return _Rule(path, verbs or _ALL, roles)


_RULES = (
    _rule("/", PROVIDERS | RESTORERS, "GET"),
    _rule("/", PROVIDERS, "POST", "PUT", "DELETE"),
    _rule("/logonSessions", EVERYBODY),
    _rule("/tasks", EVERYBODY),
    _rule("/restoreSessions", EVERYBODY),
    _rule("/backupServers", PROVIDERS, "GET"),
    _rule("/backupServers", ADMINISTRATORS, "POST", "PUT", "DELETE"),
    _rule("/backupServers/{id}", PROVIDERS, "GET", "POST"),
    _rule("/backupServers/{id}", ADMINISTRATORS, "PUT", "DELETE"),
    _rule("/backupServers/{id}/credentials", PROVIDERS, "GET"),
    _rule("/backupServers/{id}/credentials", ADMINISTRATORS, "POST", "PUT", "DELETE"),
    _rule("/backupServers/{id}/passwords", PROVIDERS, "GET"),
    _rule("/backupServers/{id}/passwords", ADMINISTRATORS, "POST", "PUT", "DELETE"),
    _rule("/managedServers", PROVIDERS),
    _rule("/repositories", PROVIDERS),
    _rule("/lookupSvc", PROVIDERS),
    _rule("/lookup", PROVIDERS),
    _rule("/querySvc", PROVIDERS | RESTORERS),
    _rule("/query", PROVIDERS | RESTORERS),
    _rule("/cloud", PROVIDERS),
    _rule("/cloud/certificates", PROVIDERS, "GET"),
    _rule("/cloud/certificates", ADMINISTRATORS, "POST", "DELETE"),
    _rule("/cloud/maintenance", PROVIDERS, "GET"),
    _rule("/cloud/maintenance", ADMINISTRATORS, "PUT"),
    _rule("/cloud/failoverSessions", PROVIDERS | RESTORERS),
    _rule("/cloud/cloudFailoverPlans", ADMINISTRATORS | RESTORERS, "GET"),
    _rule("/cloud/cloudFailoverPlans", ADMINISTRATORS, "POST", "PUT", "DELETE"),
    _rule("/security", ADMINISTRATORS),
    _rule("/security/password", EVERYBODY),
    _rule("/audit", ADMINISTRATORS),
    _rule("/audit/verification", ADMINISTRATORS),
)
OPEN_TO_TENANTS = frozenset(
    {
        "/cloud",
        "/cloud/cloudFailoverPlans",
        "/cloud/cloudFailoverPlans/{item}",
        "/cloud/replicas",
        "/cloud/replicas/{item}",
        "/cloud/vmReplicaPoints",
        "/cloud/vmReplicaPoints/{item}",
        "/logonSessions",
        "/logonSessions/{id}",
        "/tasks",
        "/tasks/{id}",
    }
)
"""What a session that was opened for a tenant sees, and nothing else."""
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


@cache
def roles_for(verb: str, path: str) -> frozenset[Role]:
    """The roles that may call a route, given as the table of routes has it."""
    wanted = segments(path)
    best: _Rule | None = None
    for rule in _RULES:
        prefix = segments(rule.path)
        fits = verb in rule.verbs and wanted[: len(prefix)] == prefix
        if fits and (best is None or len(prefix) > len(segments(best.path))):
            best = rule
    return best.roles if best else ADMINISTRATORS


def may_call(verb: str, path: str, roles: Collection[Role], *, for_tenant: bool) -> bool:
    """Whether somebody with these roles may call a route; roles add up."""
    if for_tenant and path not in OPEN_TO_TENANTS:
        return False
    return not roles_for(verb, path).isdisjoint(roles)
