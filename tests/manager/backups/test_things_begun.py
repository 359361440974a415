"""Is what an event is told of, by which the list of revocations takes it for new, what was made?"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from cloudgate.manager.audit.chain import PURPOSE
from cloudgate.manager.backups import change_kinds
from cloudgate.manager.certificates.operations import bring_certificate
from cloudgate.manager.certificates.rules import from_pem
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.credentials.operations import create_credentials, create_password
from cloudgate.manager.gateways.operations import create_gateway
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.host_protocol.enrolment import add_server
from cloudgate.manager.notifications.operations import ReceiverChange, create_receiver
from cloudgate.manager.pools.operations import PoolChange, create_pool
from cloudgate.manager.repositories.operations import RepositoryChange, create_repository
from cloudgate.manager.servers.backup_servers import BackupServerSettings, create_backup_server
from cloudgate.manager.sessions.administration import NewAccount, create_account
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.sessions.tokens import METRICS, NewToken, create_token
from cloudgate.manager.settings.outgoing import OutgoingSettings
from cloudgate.manager.storage import tables
from cloudgate.manager.subtenants.operations import SubtenantChange, create_subtenant
from cloudgate.manager.tenants.operations import TenantChange, create_tenant
from cloudgate.manager.tenants.resources import Quota, add_resource
from tests.manager.audit.events import EVENTS
from tests.manager.backups.support import opened
from tests.support.certificates import brought

PARTS = {"AddAccountRole", "AddPasskey"}
"""Events that say of a thing that it has got something."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = opened(tmp_path / "data", lambda: datetime.now(UTC))
    yield manager
    manager.database.close()


class Makings:
    """One of each thing, in an order in which they can be made."""

    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    def of(self, kind: Any) -> Any:
        return self.work.session.scalars(select(kind)).first()

    def each(self) -> dict[str, Callable[[], object]]:
        return {
            "CreateBackupServer": lambda: create_backup_server(
                self.work, BackupServerSettings(name="site.example")
            ),
            "CreateRepository": lambda: [self.repository("vault"), self.repository("attic")],
            "CreateCloudTenant": lambda: create_tenant(
                self.work,
                TenantChange(name="acme", password_hash="x", quotas=[self.quota("vault")]),
                backup_server_id_or_name=None,
                backup_server_uid=None,
            ),
            "CreateCloudTenantResource": lambda: add_resource(
                self.work, self.of(tables.CloudTenant), self.quota("attic")
            ),
            "AddCloudSubtenant": lambda: create_subtenant(
                self.work,
                self.of(tables.CloudTenant),
                SubtenantChange(
                    name="anna",
                    password_hash="x",
                    resource_id=self.of(tables.TenantResource).id,
                    unlimited=True,
                ),
            ),
            "CreateManagedServer": lambda: add_server(self.work, None, "gw.example", ""),
            "CreateCloudGateway": lambda: create_gateway(
                self.work, GatewaySettings(), server_host_name="gw.example"
            ),
            "CreateCloudGatewayPool": self.pool,
            "CreateCloudCertificate": lambda: bring_certificate(
                self.work, from_pem(brought.Made("gw.example").pem), None
            ),
            "CreateCredentials": lambda: create_credentials(
                self.work, self.of(tables.BackupServer), "user", "", "x"
            ),
            "CreatePassword": lambda: create_password(
                self.work, self.of(tables.BackupServer), "hint", "x"
            ),
            "CreateAccount": lambda: create_account(
                self.work,
                NewAccount(name="bob", kind="User", role_ids=[Role.PORTAL_ADMINISTRATOR.id]),
            ),
            "CreateApiToken": lambda: create_token(
                self.work, self.of(tables.Account).id, NewToken(name="robot", role=METRICS)
            ),
            "CreateNotificationReceiver": lambda: create_receiver(
                self.work,
                ReceiverChange(name="hook", kind="Webhook", address="https://hooks.example/"),
                OutgoingSettings(),
            ),
        }

    def repository(self, name: str) -> object:
        return create_repository(
            self.work, RepositoryChange(name=name, endpoint=f"{name}.example:443"), None
        )

    def quota(self, name: str) -> Quota:
        found = select(tables.Repository).where(tables.Repository.name == name)
        repository = self.work.session.scalars(found).one()
        return Quota(name=name, repository_uid=str(repository.id), quota_mb=1)

    def pool(self) -> object:
        gateway = self.of(tables.CloudGateway)
        gateway.confirmed = gateway.wanted
        return create_pool(self.work, PoolChange(name="pool", gateways=[gateway.id]), None)


def ids(work: UnitOfWork) -> set[UUID]:
    """Of all that there is."""
    work.session.flush()
    return {
        identifier
        for table in tables.Base.metadata.sorted_tables
        if "id" in table.columns
        for identifier in work.session.scalars(select(table.columns["id"]))
        if isinstance(identifier, UUID)
    }


def told(work: UnitOfWork, operation: str) -> list[UUID]:
    """Of what the log says so, or will once the task has ended."""
    chain = work.session.info.get(PURPOSE)
    entries = [*(chain.entries if chain else ())]
    entries += [each.audit for each in work.session.scalars(select(tables.Task)) if each.audit]
    return [UUID(str(each["object_id"])) for each in entries if each["operation"] == operation]


def test_what_a_begin_is_told_of_was_not_there_before_and_stays_where_the_log_says_so(
    manager: Manager,
) -> None:
    sound_so = {each.operation for each in EVENTS if each.operation.startswith(("Create", "Add"))}
    begin = {each for each in sound_so if change_kinds.begins(each)}
    assert begin == sound_so - PARTS
    with manager.changing("boss") as work:
        makings = Makings(work).each()
        assert makings.keys() == begin, "make one of the new resource"
        for operation, make in makings.items():
            before = ids(work)
            make()
            made = ids(work) - before
            assert told(work, operation), operation
            assert made.issuperset(told(work, operation)), operation
        tasks = work.session.scalars(select(tables.Task)).all()
        in_directory = {each.operation for each in tasks if each.directory_revision is not None}
        assert in_directory == change_kinds.KEPT_WHEN_FAILED & makings.keys()
