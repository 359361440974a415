"""How do gateways know a tenant? By what the manager's directory would tell of it."""

from uuid import UUID

import argon2

from cloudgate.protocol import Target, Tenant
from tests.support.ports import free_port

PASSWORD = "Grünes-Boot-7:x"
HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PASSWORD_HASH = HASHER.hash(PASSWORD)


def tenant(repository_port: int, **changes: object) -> Tenant:
    """The tenant `Acme`, who may reach the repository at `repo.example:443`, and a dead one."""
    usual = {
        "tenant_id": UUID(int=1),
        "name": "Acme",
        "password_hash": PASSWORD_HASH,
        "targets": (
            Target(endpoint="repo.example:443", address=f"127.0.0.1:{repository_port}"),
            Target(endpoint="dead.example:443", address=f"127.0.0.1:{free_port()}"),
            Target(endpoint="nowhere.example:443", address="nowhere.invalid:443"),
        ),
    }
    return Tenant.model_validate({**usual, **changes})
