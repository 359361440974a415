"""Accounts, as a call makes them, and a program that is logged on as one."""

from typing import Any

import httpx2

from cloudgate.manager.sessions.roles import Role
from tests.support.running.manager import RunningManager

PUBLISHED = {
    "AccountType": "User",
    "AccountName": "TECH\\william.fox",
    "Roles": {
        "EnterpriseRoles": [
            {"EnterpriseRoleUid": "urn:veeam:EnterpriseRole:f84a8b62-49b8-4d0c-b25b-92321b52bab6"}
        ]
    },
    "AllowRestoreAllVms": False,
    "HierarchyScopeObjects": {"HierarchyScopeItems": [{"HierarchyObjRef": "", "ObjectName": ""}]},
}


def account_spec(name: str, *roles: Role, password: str = "s3cret") -> dict[str, Any]:
    return {
        **PUBLISHED,
        "AccountName": name,
        "Password": password,
        "Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": str(role.id)} for role in roles]},
    }


def add_account(client: httpx2.Client, name: str, *roles: Role) -> str:
    """The address of a new account."""
    answer = client.post("/security/accounts", json=account_spec(name, *roles))
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def logged_on_as(running: RunningManager, name: str, password: str = "s3cret") -> httpx2.Client:
    client = running.client(Accept="application/json")
    client.post("/sessionMngr/", auth=(name, password)).raise_for_status()
    return client
