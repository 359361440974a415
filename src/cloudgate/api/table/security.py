"""Security routes: which calls are about accounts, roles and the audit log?"""

from cloudgate.api.handlers import queries, security
from cloudgate.api.http.router import DONE, Proof, Route, adds, fails, shows, shows_either
from cloudgate.api.table.common import PAGED
from cloudgate.wire.resources.audit import AuditEvents, AuditVerification
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Error
from cloudgate.wire.resources.security import (
    EnterpriseAccount,
    EnterpriseAccountCreateSpec,
    EnterpriseAccountHierarchyScopes,
    EnterpriseAccountInRole,
    EnterpriseAccountInRoleCreateSpec,
    EnterpriseAccountInRoleList,
    EnterpriseAccountPasswordSpec,
    EnterpriseAccounts,
    EnterpriseRole,
    EnterpriseRoles,
    EnterpriseSecuritySettings,
)
from cloudgate.wire.resources.sessions import Task

ROUTES = [
    Route(
        verb="GET",
        path="/security",
        handler=security.get_settings,
        answers=shows(EnterpriseSecuritySettings),
    ),
    Route(
        verb="PUT",
        path="/security/password",
        handler=security.put_own_password,
        proof=Proof(
            check=security.check_own_password,
            account=lambda call: call.session.account.name,
            note=security.note_wrong_own_password,
        ),
        answers=DONE,
        bodies=(EnterpriseAccountPasswordSpec,),
    ),
    Route(
        verb="GET",
        path="/security/accounts",
        handler=security.get_accounts,
        answers=shows_either(EntityReferences, EnterpriseAccounts),
    ),
    Route(
        verb="POST",
        path="/security/accounts",
        handler=security.post_account,
        answers=adds(),
        bodies=(EnterpriseAccountCreateSpec,),
    ),
    Route(
        verb="POST",
        path="/security/accounts",
        handler=security.post_rebuild_scope,
        answers=adds(Task),
        action="rebuildscope",
    ),
    Route(
        verb="GET",
        path="/security/accounts/{id}",
        handler=security.get_account,
        answers=shows_either(EntityRef, EnterpriseAccount),
    ),
    Route(
        verb="PUT",
        path="/security/accounts/{id}",
        handler=security.put_account_password,
        answers=DONE,
        bodies=(EnterpriseAccountPasswordSpec,),
    ),
    Route(
        verb="POST",
        path="/security/accounts/{id}",
        handler=security.post_toggle,
        answers=DONE,
    ),
    Route(
        verb="DELETE",
        path="/security/accounts/{id}",
        handler=security.delete_account,
        answers=DONE,
    ),
    Route(
        verb="GET",
        path="/security/accounts/{id}/roles",
        handler=security.get_roles_of_account,
        answers=shows(EnterpriseAccountInRoleList),
    ),
    Route(
        verb="POST",
        path="/security/accounts/{id}/roles",
        handler=security.post_role_of_account,
        answers=adds(),
        bodies=(EnterpriseAccountInRoleCreateSpec,),
    ),
    Route(
        verb="GET",
        path="/security/accounts/{id}/roles/{role}",
        handler=security.get_role_of_account,
        answers=shows(EnterpriseAccountInRole),
    ),
    Route(
        verb="DELETE",
        path="/security/accounts/{id}/roles/{role}",
        handler=security.delete_role_of_account,
        answers=DONE,
    ),
    Route(
        verb="GET",
        path="/security/accounts/{id}/scopes",
        handler=security.get_scopes_of_account,
        answers=shows(EnterpriseAccountHierarchyScopes),
    ),
    Route(
        verb="POST",
        path="/security/accounts/{id}/scopes",
        handler=security.refuse_scope,
        answers=fails(501, Error),
    ),
    Route(
        verb="GET",
        path="/security/accounts/{id}/scopes/{scope}",
        handler=security.get_unknown_scope,
        answers=fails(404, Error),
    ),
    Route(
        verb="DELETE",
        path="/security/accounts/{id}/scopes/{scope}",
        handler=security.get_unknown_scope,
        answers=fails(404, Error),
    ),
    Route(
        verb="GET",
        path="/security/roles",
        handler=security.get_roles,
        answers=shows_either(EntityReferences, EnterpriseRoles),
    ),
    Route(
        verb="GET",
        path="/security/roles/{id}",
        handler=security.get_role,
        answers=shows_either(EntityRef, EnterpriseRole),
    ),
    Route(
        verb="GET",
        path="/audit",
        handler=queries.get_audit_events,
        answers=shows(AuditEvents),
        query=PAGED,
    ),
    Route(
        verb="GET",
        path="/audit/verification",
        handler=queries.get_audit_verification,
        answers=shows(AuditVerification),
    ),
]
