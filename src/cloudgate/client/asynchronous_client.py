"""Asynchronous clients: how does code that awaits reach an installation, or what a tenant has?"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from cloudgate.client import opening
from cloudgate.client.asynchronous import AsyncTransport
from cloudgate.client.asynchronous_collections import (
    AsyncCreatableCollection,
    AsyncEditableCollection,
    AsyncGateways,
    AsyncPools,
    AsyncReadableCollection,
    AsyncServers,
    AsyncTasks,
    AsyncTenants,
)
from cloudgate.client.core import kinds, resources
from cloudgate.client.core.addresses import DEFAULT_USER
from cloudgate.client.core.conversation import Conversation
from cloudgate.client.core.resources import Selection
from cloudgate.client.core.retries import Retries
from cloudgate.client.opening import Secret
from cloudgate.client.verification import TIMEOUT_SECONDS, Trust
from cloudgate.errors import UnavailableError
from cloudgate.wire.description import ResourceType
from cloudgate.wire.resources.audit import AuditEvent, AuditEvents
from cloudgate.wire.resources.cloud.certificates import CloudCertificate, CreateCloudCertificateSpec
from cloudgate.wire.resources.cloud.gateways import CloudGateway
from cloudgate.wire.resources.cloud.live import (
    CloudMaintenance,
    OperatorWarning,
    OperatorWarnings,
)
from cloudgate.wire.resources.cloud.own import (
    CloudSelf,
    CloudSelfLogin,
    CloudSelfLogins,
    CloudSelfTunnels,
)
from cloudgate.wire.resources.cloud.pools import CloudGatewayPool
from cloudgate.wire.resources.cloud.subtenants import CloudSubtenant, CloudSubtenants
from cloudgate.wire.resources.cloud.tenants import CloudTenant
from cloudgate.wire.resources.cloud.usage import (
    CloudHeldBackTime,
    CloudHeldBackTimes,
    CloudTenantUsage,
    CloudTenantUsages,
    CloudUsage,
    CloudUsages,
)
from cloudgate.wire.resources.infrastructure import (
    BackupServer,
    BackupServerSpec,
    CreateRepositorySpec,
    ManagedServer,
    Repository,
)
from cloudgate.wire.resources.notifications import (
    CreateNotificationReceiverSpec,
    NotificationReceiver,
)
from cloudgate.wire.resources.security import (
    EnterpriseAccount,
    EnterpriseAccountCreateSpec,
    EnterpriseAccountPasswordSpec,
    EnterpriseRole,
)
from cloudgate.wire.resources.sessions import Task
from cloudgate.wire.resources.tokens import ApiToken, CreateApiTokenSpec

Type = TypeVar("Type", bound=ResourceType)


class _AsyncBaseClient:
    def __init__(self, talk: Conversation, trust: Trust, timeout_seconds: float) -> None:
        self._talk = talk
        self._driver = AsyncTransport(trust, timeout_seconds=timeout_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if problem is None or isinstance(problem, Exception):
                with suppress(UnavailableError):  # a session that nobody ends, ends by itself
                    await self.log_off()
        finally:
            await self._driver.close()

    @property
    def url(self) -> str:
        """The address of the manager that answered last, or is asked first."""
        return self._talk.url

    async def log_off(self) -> None:
        """End the logon session, if one was begun; the next call begins another."""
        await self._driver.run(self._talk.log_off())

    async def close(self) -> None:
        """Close the connections; the end of a ``with`` does so, and logs off before."""
        await self._driver.close()

    async def _read(self, path: str, kind: type[Type]) -> Type:
        return await self._driver.run(resources.read(self._talk, path, kind))


class AsyncClient(_AsyncBaseClient):
    """An installation, as one of the provider's accounts sees it. Connects with the first call.

    Several may use it at once. All that goes wrong is a `CloudgateError`.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        user: str = DEFAULT_USER,
        password: Secret | None = None,
        token: Secret | None = None,
        code: Secret | None = None,
        ca: str | Path | None = None,
        fingerprint: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: Retries | None = None,
    ) -> None:
        """How to reach it.

        Args:
            url: the manager's address, or those of all managers of the installation: another one
                is asked where one is not reached.
            user: who logs on.
            password: of the account, or what is called for it.
            token: an API token in place of user and password.
            code: of the account's second factor, or what is called for it.
            ca: file with the manager's certificate authority in PEM (its ``tls/ca.pem``); without
                it and `fingerprint` the authorities that the system trusts.
            fingerprint: SHA-256 of that authority, which is asked for and compared then.
            timeout_seconds: how long an answer may take.
            retries: how much is done for an answer; what might be carried out twice is sent once.

        Raises:
            InvalidRequestError: it cannot be used so.
        """
        who = opening.operator(user, password, token, code)
        talk = opening.conversation(url, who, retries)
        super().__init__(talk, opening.trust(ca, fingerprint), timeout_seconds)
        known = (talk, self._driver)
        self.backup_servers = AsyncEditableCollection[
            BackupServer, BackupServerSpec, BackupServerSpec
        ](*known, kinds.BACKUP_SERVER, BackupServer)
        self.servers = AsyncServers(*known, kinds.SERVER, ManagedServer)
        self.repositories = AsyncEditableCollection[Repository, CreateRepositorySpec, Repository](
            *known, kinds.REPOSITORY, Repository
        )
        self.gateways = AsyncGateways(*known, kinds.GATEWAY, CloudGateway)
        self.pools = AsyncPools(*known, kinds.POOL, CloudGatewayPool)
        self.tenants = AsyncTenants(*known, kinds.TENANT, CloudTenant)
        self.certificates = AsyncCreatableCollection[
            CloudCertificate, CreateCloudCertificateSpec, ResourceType
        ](*known, kinds.CERTIFICATE, CloudCertificate)
        self.tasks = AsyncTasks(*known, kinds.TASK, Task)
        self.receivers = AsyncEditableCollection[
            NotificationReceiver, CreateNotificationReceiverSpec, NotificationReceiver
        ](*known, kinds.RECEIVER, NotificationReceiver)
        self.accounts = AsyncEditableCollection[
            EnterpriseAccount, EnterpriseAccountCreateSpec, EnterpriseAccountPasswordSpec
        ](*known, kinds.ACCOUNT, EnterpriseAccount)
        self.roles = AsyncReadableCollection[EnterpriseRole, ResourceType, ResourceType](
            *known, kinds.ROLE, EnterpriseRole
        )
        self.tokens = AsyncCreatableCollection[ApiToken, CreateApiTokenSpec, ResourceType](
            *known, kinds.TOKEN, ApiToken
        )

    async def warnings(self) -> tuple[OperatorWarning, ...]:
        """All that needs a look."""
        return (await self._read("/warnings", OperatorWarnings)).operator_warnings

    async def usage(
        self,
        days: int = 31,
        filter: str = "",  # noqa: A002  as the API calls it
        *,
        total: bool = False,
    ) -> AsyncIterator[CloudUsage]:
        """What all tenants used, also those that were removed; the oldest first.

        `total`: added up, one for each tenant, subtenant, gateway and target.
        """
        path = resources.usage_path(days, filter, total=total)
        while path:
            found, path = await self._driver.run(resources.part(self._talk, path, CloudUsages))
            for each in found.cloud_usages or ():
                yield each

    async def audit(
        self,
        filter: str = "",  # noqa: A002  as the API calls it
        *,
        sort_by: str = "",
        descending: bool = False,
    ) -> AsyncIterator[AuditEvent]:
        """What is in the audit log, page by page."""
        path = resources.audit_path(Selection(filter, sort_by, descending))
        while path:
            found, path = await self._driver.run(resources.part(self._talk, path, AuditEvents))
            for each in found.audit_events or ():
                yield each

    async def maintenance(self) -> CloudMaintenance:
        """Whether the provider is at work."""
        return await self._read("/cloud/maintenance", CloudMaintenance)

    async def set_maintenance(self, wanted: CloudMaintenance) -> CloudMaintenance:
        """Begin or end maintenance of the whole provider."""
        return await self.call("PUT", "/cloud/maintenance", CloudMaintenance, wanted)

    async def call(
        self, verb: str, path: str, answer: type[Type], body: ResourceType | None = None
    ) -> Type:
        """Any other call of the API: a path below ``/api``, and the type of its answer."""
        came = await self._driver.run(resources.call(self._talk, verb, path, body))
        return resources.typed(self._talk, came.body, answer)


class AsyncTenantClient(_AsyncBaseClient):
    """What a tenant, or one of its users, sees of its own. Connects with the first call."""

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        tenant: str,
        password: Secret,
        ca: str | Path | None = None,
        fingerprint: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: Retries | None = None,
    ) -> None:
        """As `AsyncClient`; `tenant` and `password` are what it logs in with at gateways."""
        talk = opening.conversation(url, opening.tenant(tenant, password), retries)
        super().__init__(talk, opening.trust(ca, fingerprint), timeout_seconds)

    async def overview(self) -> CloudSelf:
        """Quotas and what is used of them, limits, gateways."""
        return await self._read("/cloud/self", CloudSelf)

    async def tunnels(self) -> CloudSelfTunnels:
        """The own live tunnels."""
        return await self._read("/cloud/self/tunnels", CloudSelfTunnels)

    async def logins(self) -> tuple[CloudSelfLogin, ...]:
        """Who came lately with the own name, the latest first."""
        return (await self._read("/cloud/self/logins", CloudSelfLogins)).cloud_self_logins

    async def usage(
        self,
        days: int = 31,
        filter: str = "",  # noqa: A002  as the API calls it
        *,
        total: bool = False,
    ) -> tuple[CloudTenantUsage, ...]:
        """What was used of the gateways; the oldest first.

        `total`: added up, one for each user, gateway and target.
        """
        path = resources.own_usage_path(days, filter, total=total)
        found = await self._read(path, CloudTenantUsages)
        return found.cloud_tenant_usages

    async def subtenants(self) -> tuple[CloudSubtenant, ...]:
        """The own users."""
        return (await self._read("/cloud/self/subtenants", CloudSubtenants)).cloud_subtenants

    async def held_back(self, days: int = 31) -> tuple[CloudHeldBackTime, ...]:
        """When the tenant got less speed than it would have taken; not of one user."""
        found = await self._read(f"/cloud/self/heldBack?days={days}", CloudHeldBackTimes)
        return found.cloud_held_back_times
