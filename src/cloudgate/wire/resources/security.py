"""Security resources: what is said of accounts and roles?"""

from dataclasses import dataclass

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import Entity, Resource


@dataclass(frozen=True, kw_only=True)
class EnterpriseSecuritySettings(Resource):
    """The start of the part about accounts and roles."""


@dataclass(frozen=True, kw_only=True)
class FlrSettings(ResourceType):
    """What of files an account may restore; the first element is misspelt as published."""

    flr_inlace_only: bool | None = element()
    flr_inplace_only: bool | None = element(omit_absent=True)
    flr_extention_restrictions: str | None = element()


@dataclass(frozen=True, kw_only=True)
class SqlSettings(ResourceType):
    """What of databases an account may restore."""

    deny_in_place_restore: bool | None = element()


@dataclass(frozen=True, kw_only=True)
class EnterpriseRoleRef(ResourceType):
    """A role, by its UID."""

    enterprise_role_uid: str | None = element()


@dataclass(frozen=True, kw_only=True)
class HierarchyScopeItem(ResourceType):
    """What of the virtual infrastructure an account may restore."""

    hierarchy_obj_ref: str | None = element()
    object_name: str | None = element()


@dataclass(frozen=True, kw_only=True)
class EnterpriseAccountCreateSpec(ResourceType):
    """Body of POST /security/accounts. Extension: Password, after the published elements."""

    href: str | None = attribute()
    type: str | None = attribute()
    account_type: str | None = element()
    account_name: str | None = element()
    roles: tuple[EnterpriseRoleRef, ...] | None = listed("EnterpriseRole")
    allow_restore_all_vms: bool | None = element()
    hierarchy_scope_objects: tuple[HierarchyScopeItem, ...] | None = listed("HierarchyScopeItem")
    flr_settings: FlrSettings | None = element()
    sql_settings: SqlSettings | None = element()
    password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class EnterpriseAccountPasswordSpec(ResourceType):
    """Body of PUT /security/accounts/{id} and of PUT /security/password. Extension."""

    href: str | None = attribute()
    type: str | None = attribute()
    current_password: str | None = element()
    password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class EnterpriseAccount(Entity):
    """Somebody who may use the API."""

    account_type: str | None = element()
    allow_restore_all_vms: bool | None = element()
    flr_settings: FlrSettings | None = element()
    sql_settings: SqlSettings | None = element()


@dataclass(frozen=True, kw_only=True)
class EnterpriseAccounts(ResourceType):
    """All accounts."""

    enterprise_accounts: tuple[EnterpriseAccount, ...] = repeated("EnterpriseAccount")


@dataclass(frozen=True, kw_only=True)
class EnterpriseRole(Entity):
    """A role."""


@dataclass(frozen=True, kw_only=True)
class EnterpriseRoles(ResourceType):
    """All roles; the item is named so in the schema."""

    enterprise_roles: tuple[EnterpriseRole, ...] = repeated("EnterpriseRoleEntity")


@dataclass(frozen=True, kw_only=True)
class EnterpriseAccountInRoleCreateSpec(ResourceType):
    """Body of POST /security/accounts/{id}/roles."""

    href: str | None = attribute()
    type: str | None = attribute()
    enterprise_role_uid: str | None = element()


@dataclass(frozen=True, kw_only=True)
class EnterpriseAccountInRole(Resource):
    """A role that an account has."""

    role_name: str | None = element()
    enterprise_role_uid: str | None = element()
    """Extension."""


@dataclass(frozen=True, kw_only=True)
class EnterpriseAccountInRoleList(ResourceType):
    """The roles that an account has."""

    enterprise_account_in_roles: tuple[EnterpriseAccountInRole, ...] = repeated(
        "EnterpriseAccountInRole"
    )


@dataclass(frozen=True, kw_only=True)
class EnterpriseAccountHierarchyScopes(ResourceType):
    """What of the virtual infrastructure an account may restore: there is none here."""

    items: tuple[Resource, ...] = repeated(
        "EnterpriseAccountHierarchyScope", array="EnterpriseAccountHierarchyScopes"
    )
