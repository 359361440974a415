"""Security: what does the API say of accounts and roles, and what may be done to them?"""

from cloudgate.api.access import ADMINISTRATORS, EVERYBODY
from cloudgate.api.handlers.common import check_own_password
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.handlers.sessions import note_denied
from cloudgate.api.handlers.tasks import task_resource
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation, create_link, down_link
from cloudgate.api.http.router import DONE, Proof, Route, Routes, adds, fails, shows, shows_either
from cloudgate.errors import NotFoundError, NotOfferedError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.sessions import administration
from cloudgate.manager.sessions.administration import ROLE, TYPE, NewAccount
from cloudgate.manager.sessions.roles import BY_ID, Role
from cloudgate.manager.storage import tables
from cloudgate.manager.tasks.operations import finished_task
from cloudgate.trust.password_hashes import hash_if_any, hash_password
from cloudgate.values.identifiers import parse, uid
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Error, Link
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
    FlrSettings,
    SqlSettings,
)
from cloudgate.wire.resources.sessions import Task

_NO_RESTRICTIONS = (
    "FlrSettings and SqlSettings: Cloudgate does not offer restores, so it cannot restrict them;"
    " leave them out."
)
_NO_SCOPES = (
    "Cloudgate does not offer scopes: it knows no virtual infrastructure to choose machines from."
)


ROUTES = Routes(ADMINISTRATORS)


@ROUTES.add(Route(verb="GET", path="/security", answers=shows(EnterpriseSecuritySettings)))
def get_settings(call: Call) -> Answer:
    """The start of the part about accounts and roles."""
    href = f"{call.root}/security"
    found = (
        down_link(f"{href}/accounts", "EnterpriseAccountReferenceList"),
        down_link(f"{href}/roles", "EnterpriseRoleReferenceList"),
        create_link(f"{href}/accounts"),
        Link(rel="Start", href=f"{href}/accounts?action=rebuildScope"),
    )
    return Answer(resource=EnterpriseSecuritySettings(href=href, links=found))


def _place(root: str, account: tables.Account) -> ResourceLocation:
    return ResourceLocation(root, "/security/accounts", TYPE, account.id, account.name)


def _reference(root: str, account: tables.Account) -> EntityRef:
    place = _place(root, account)
    alternate = Link(rel="Alternate", href=place.entity_href, type=place.type)
    return place.reference(alternate)


def _entity(root: str, account: tables.Account) -> EnterpriseAccount:
    place = _place(root, account)
    return EnterpriseAccount(
        href=place.entity_href,
        type=place.type,
        links=(
            Link(rel="Alternate", href=place.href, type=place.reference_type),
            down_link(f"{place.href}/roles", "EnterpriseAccountInRoleList"),
            create_link(f"{place.href}/roles", "EnterpriseAccountInRole"),
            down_link(f"{place.href}/scopes", "EnterpriseAccountHierarchyScopeList"),
            create_link(f"{place.href}/scopes"),
            place.delete(),
            Link(rel="ToggleRestoreScopesEnabled", href=place.href),
        ),
        name=place.name,
        uid=place.uid,
        account_type=account.kind,
        allow_restore_all_vms=account.restores_all_vms,
        flr_settings=FlrSettings(flr_inlace_only=False, flr_extention_restrictions=""),
        sql_settings=SqlSettings(deny_in_place_restore=False),
    )


def note_wrong_own_password(call: Call) -> None:
    """Have it on record that somebody with a session did not know the password."""
    note_denied(call.manager, call, "PUT", "/security/password", "CurrentPassword is wrong.")


@ROUTES.add(
    Route(
        verb="PUT",
        path="/security/password",
        proof=Proof(
            check=check_own_password,
            account=lambda call: call.session.account.name,
            note=note_wrong_own_password,
        ),
        answers=DONE,
        bodies=(EnterpriseAccountPasswordSpec,),
        roles=EVERYBODY,
        by_token=False,
    )
)
def put_own_password(call: Call, spec: EnterpriseAccountPasswordSpec) -> Answer:
    """Change the own password; all other sessions of the account end."""
    password_hash = hash_password(spec.password or "")
    with call.changing() as work:
        account = administration.get_account(work, call.session.account_id)
        administration.check_has_password(account, call.proven)
        administration.set_password(work, account, password_hash, keep=call.session.id)
    return Answer(status=204)


ACCOUNTS = Forms(_reference, _entity, lambda found: EnterpriseAccounts(enterprise_accounts=found))


@ROUTES.add(
    Route(
        verb="GET",
        path="/security/accounts",
        answers=shows_either(EntityReferences, EnterpriseAccounts),
    )
)
def get_accounts(call: Call) -> Answer:
    """All accounts."""
    with call.reading() as work:
        return ACCOUNTS.all(call, administration.list_accounts(work))


@ROUTES.add(
    Route(
        verb="GET",
        path="/security/accounts/{id}",
        answers=shows_either(EntityRef, EnterpriseAccount),
    )
)
def get_account(call: Call) -> Answer:
    """One account."""
    with call.reading() as work:
        return ACCOUNTS.one(call, _named(call, work))


def _named(call: Call, work: UnitOfWork) -> tables.Account:
    return administration.get_account(work, call.identifier(TYPE))


@ROUTES.add(
    Route(
        verb="POST",
        path="/security/accounts",
        answers=adds(),
        bodies=(EnterpriseAccountCreateSpec,),
        by_token=False,
    )
)
def post_account(call: Call, spec: EnterpriseAccountCreateSpec) -> Answer:
    """Add an account."""
    if any(item.hierarchy_obj_ref for item in spec.hierarchy_scope_objects or ()):
        raise NotOfferedError(_NO_SCOPES)
    if _restricts_restores(spec):
        raise NotOfferedError(_NO_RESTRICTIONS)
    new = NewAccount(
        name=spec.account_name or "",
        kind=spec.account_type or "User",
        role_ids=[parse(each.enterprise_role_uid or "", ROLE) for each in spec.roles or ()],
        restores_all_vms=bool(spec.allow_restore_all_vms),
        password_hash=hash_if_any(spec.password) or "",
    )
    with call.changing() as work:
        account = administration.create_account(work, new)
    return Answer(status=201, headers={"Location": _place(call.root, account).href})


def _restricts_restores(spec: EnterpriseAccountCreateSpec) -> bool:
    files, databases = spec.flr_settings, spec.sql_settings
    return bool(
        files
        and (files.flr_inlace_only or files.flr_inplace_only or files.flr_extention_restrictions)
    ) or bool(databases and databases.deny_in_place_restore)


@ROUTES.add(
    Route(
        verb="PUT",
        path="/security/accounts/{id}",
        answers=DONE,
        bodies=(EnterpriseAccountPasswordSpec,),
        by_token=False,
    )
)
def put_account_password(call: Call, spec: EnterpriseAccountPasswordSpec) -> Answer:
    """Give an account a new password; its logon sessions end."""
    password_hash = hash_password(spec.password or "")
    with call.changing() as work:
        account = _named(call, work)
        own = call.session.id if account.id == call.session.account_id else None
        administration.set_password(work, account, password_hash, keep=own)
    return Answer(status=204)


@ROUTES.add(Route(verb="POST", path="/security/accounts/{id}", answers=DONE))
def post_toggle(call: Call) -> Answer:
    """Turn an account's right to restore all machines on or off."""
    with call.changing() as work:
        administration.toggle_restore_scope(work, _named(call, work))
    return Answer(status=204)


@ROUTES.add(Route(verb="DELETE", path="/security/accounts/{id}", answers=DONE))
def delete_account(call: Call) -> Answer:
    """Remove an account."""
    with call.changing() as work:
        administration.delete_account(work, _named(call, work))
    return Answer(status=204)


@ROUTES.add(
    Route(verb="POST", path="/security/accounts", answers=adds(Task), action="rebuildscope")
)
def post_rebuild_scope(call: Call) -> Answer:
    """Rebuild the scopes of restore: done at once, there is nothing to rebuild."""
    with call.changing() as work:
        task = finished_task(work, "StartRebuildScope", "")
        location = f"{call.root}/tasks/task-{task.number}"
        return Answer(
            status=201, resource=task_resource(call.root, task), headers={"Location": location}
        )


@ROUTES.add(
    Route(
        verb="GET", path="/security/accounts/{id}/roles", answers=shows(EnterpriseAccountInRoleList)
    )
)
def get_roles_of_account(call: Call) -> Answer:
    """The roles of an account."""
    with call.reading() as work:
        account = _named(call, work)
    found = sorted(administration.roles_of(account), key=lambda role: role.value)
    listed = tuple(_held_role(call.root, account, role) for role in found)
    return Answer(resource=EnterpriseAccountInRoleList(enterprise_account_in_roles=listed))


@ROUTES.add(
    Route(
        verb="GET",
        path="/security/accounts/{id}/roles/{role}",
        answers=shows(EnterpriseAccountInRole),
    )
)
def get_role_of_account(call: Call) -> Answer:
    """One role of an account."""
    role = _role(call, "role")
    with call.reading() as work:
        account = _named(call, work)
    if role not in administration.roles_of(account):
        raise NotFoundError(f"{account.name} does not have the role {role.value}.")
    return Answer(resource=_held_role(call.root, account, role))


def _held_role(root: str, account: tables.Account, role: Role) -> EnterpriseAccountInRole:
    href = f"{_place(root, account).href}/roles/{role.id}"
    return EnterpriseAccountInRole(
        href=href,
        type="EnterpriseAccountInRole",
        links=(Link(rel="Delete", href=href),),
        role_name=role.value,
        enterprise_role_uid=uid(ROLE, role.id),
    )


@ROUTES.add(
    Route(
        verb="POST",
        path="/security/accounts/{id}/roles",
        answers=adds(),
        bodies=(EnterpriseAccountInRoleCreateSpec,),
        by_token=False,
    )
)
def post_role_of_account(call: Call, spec: EnterpriseAccountInRoleCreateSpec) -> Answer:
    """Give an account one more role."""
    role = administration.get_role(parse(spec.enterprise_role_uid or "", ROLE))
    with call.changing() as work:
        account = _named(call, work)
        administration.add_role(work, account, role)
    href = f"{_place(call.root, account).href}/roles/{role.id}"
    return Answer(status=201, headers={"Location": href})


@ROUTES.add(Route(verb="DELETE", path="/security/accounts/{id}/roles/{role}", answers=DONE))
def delete_role_of_account(call: Call) -> Answer:
    """Take a role from an account."""
    with call.changing() as work:
        administration.remove_role(work, _named(call, work), _role(call, "role"))
    return Answer(status=204)


def _role(call: Call, variable: str) -> Role:
    return administration.get_role(call.identifier(ROLE, variable))


@ROUTES.add(
    Route(
        verb="GET",
        path="/security/accounts/{id}/scopes",
        answers=shows(EnterpriseAccountHierarchyScopes),
    )
)
def get_scopes_of_account(call: Call) -> Answer:
    """The scopes of an account: there are none here."""
    with call.reading() as work:
        _named(call, work)
    return Answer(resource=EnterpriseAccountHierarchyScopes())


@ROUTES.add(
    Route(verb="DELETE", path="/security/accounts/{id}/scopes/{scope}", answers=fails(404, Error))
)
@ROUTES.add(
    Route(verb="GET", path="/security/accounts/{id}/scopes/{scope}", answers=fails(404, Error))
)
def get_unknown_scope(call: Call) -> Answer:
    """One scope of an account: there is none here."""
    with call.reading() as work:
        account = _named(call, work)
    scope = call.identifier("EnterpriseAccountHierarchyScope", "scope")
    raise NotFoundError(f"{account.name} has no scope with the id {scope}.")


@ROUTES.add(Route(verb="POST", path="/security/accounts/{id}/scopes", answers=fails(501, Error)))
def refuse_scope(_call: Call) -> Answer:
    """Not offered: scopes."""
    raise NotOfferedError(_NO_SCOPES)


def _role_place(root: str, role: Role) -> ResourceLocation:
    return ResourceLocation(root, "/security/roles", ROLE, role.id, role.value)


def _role_reference(root: str, role: Role) -> EntityRef:
    place = _role_place(root, role)
    return place.reference(Link(rel="Alternate", href=place.entity_href, type=place.type))


def _role_entity(root: str, role: Role) -> EnterpriseRole:
    place = _role_place(root, role)
    return EnterpriseRole(
        href=place.entity_href,
        type=place.type,
        links=(Link(rel="Alternate", href=place.href, type=place.reference_type),),
        name=place.name,
        uid=place.uid,
    )


ROLES = Forms(_role_reference, _role_entity, lambda found: EnterpriseRoles(enterprise_roles=found))


@ROUTES.add(
    Route(
        verb="GET", path="/security/roles", answers=shows_either(EntityReferences, EnterpriseRoles)
    )
)
def get_roles(call: Call) -> Answer:
    """All roles: the same everywhere."""
    return ROLES.all(call, BY_ID.values())


@ROUTES.add(
    Route(verb="GET", path="/security/roles/{id}", answers=shows_either(EntityRef, EnterpriseRole))
)
def get_role(call: Call) -> Answer:
    """One role."""
    return ROLES.one(call, _role(call, "id"))
