"""Roles: which are there? Those of accounts are the same on every installation, by their GUIDs."""

from enum import Enum
from uuid import UUID


class Role(Enum):
    """What somebody may do, by the name that the API shows."""

    PORTAL_ADMINISTRATOR = "Portal Administrator"
    PORTAL_USER = "Portal User"
    VM_RESTORE_OPERATOR = "VM Restore Operator"
    FILE_RESTORE_OPERATOR = "File Restore Operator"
    EXCHANGE_RESTORE_OPERATOR = "Exchange Restore Operator"
    ORACLE_RESTORE_OPERATOR = "Oracle Restore Operator"
    SQL_RESTORE_OPERATOR = "SQL Restore Operator"
    TENANT = "Cloud Tenant"
    """Of a tenant, or its user, in a session of its own. No account has it, nor can be given it."""

    @property
    def id(self) -> UUID:
        """Its published GUID; that of a tenant has none."""
        return _IDS[self]


_IDS = {
    Role.PORTAL_ADMINISTRATOR: UUID("5f37a46b-9ce2-40f4-8a62-b45b079257fc"),
    Role.PORTAL_USER: UUID("d19a3d33-cb77-4ffe-94e6-001432483a4e"),
    Role.VM_RESTORE_OPERATOR: UUID("c11c0c38-ba8b-49c7-bf70-fc2058fff1e2"),
    Role.FILE_RESTORE_OPERATOR: UUID("f84a8b62-49b8-4d0c-b25b-92321b52bab6"),
    Role.EXCHANGE_RESTORE_OPERATOR: UUID("f83e4c81-0815-452f-9377-9d573dd9d481"),
    Role.ORACLE_RESTORE_OPERATOR: UUID("e9d90e66-b6d4-49dc-8986-73cf33489623"),
    Role.SQL_RESTORE_OPERATOR: UUID("f78a92b8-9f06-4f1e-b522-4f0927cabd0f"),
}
BY_ID = {identifier: role for role, identifier in _IDS.items()}
OF_ACCOUNTS = frozenset(_IDS)
"""Those that accounts have."""
