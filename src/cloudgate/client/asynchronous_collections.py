"""Asynchronous collections: what can be done with the things of a kind, by code that awaits?"""

from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from cloudgate.client.asynchronous import AsyncTransport
from cloudgate.client.core import kinds, resources
from cloudgate.client.core.conversation import Conversation
from cloudgate.client.core.kinds import DRAIN, END, Kind
from cloudgate.client.core.resources import Collection, Entity, Selection, TaskFollowing
from cloudgate.client.core.tasks import NOBODY, Watcher
from cloudgate.wire.description import ResourceType
from cloudgate.wire.resources.cloud.gateways import CloudGateway, CreateCloudGatewaySpec
from cloudgate.wire.resources.cloud.live import (
    CloudGatewayTunnel,
    CloudGatewayTunnels,
    CloudTenantGateways,
    CloudTenantTunnels,
)
from cloudgate.wire.resources.cloud.pools import CloudGatewayPool, CreateCloudGatewayPoolSpec
from cloudgate.wire.resources.cloud.subtenants import CloudSubtenant, CloudSubtenantCreateSpec
from cloudgate.wire.resources.cloud.tenants import (
    CloudTenant,
    CloudTenantResource,
    CreateCloudTenantResourceSpec,
    CreateCloudTenantSpec,
    RotatePasswordSpec,
)
from cloudgate.wire.resources.cloud.usage import (
    CloudHeldBackTime,
    CloudHeldBackTimes,
    CloudTenantUsage,
    CloudTenantUsages,
)
from cloudgate.wire.resources.infrastructure import CreateManagedServerSpec, ManagedServer
from cloudgate.wire.resources.sessions import Task, TaskTimeline

Spec = TypeVar("Spec", bound=ResourceType)
"""What a new one is made of; `ResourceType` where none can be made."""
Change = TypeVar("Change", bound=ResourceType)
"""What an edit is told: what is None in it stays as it is. `ResourceType` where nothing can."""


class AsyncReadableCollection(Generic[Entity, Spec, Change]):
    """Things that can be looked at. A word is a name, in any case, or an id."""

    def __init__(
        self,
        talk: Conversation,
        driver: AsyncTransport,
        kind: Kind,
        entity: type[Entity],
        of: str = "",
    ) -> None:
        """`of`: the tenant whose things they are."""
        self._talk = talk
        self._driver = driver
        self._these = Collection(kind, entity, of)

    async def list(
        self,
        filter: str = "",  # noqa: A002  as the API calls it
        *,
        sort_by: str = "",
        descending: bool = False,
    ) -> list[Entity]:
        """All, or those that a filter of the query service finds, such as ``Enabled==true``."""
        if not filter and not sort_by:
            return await self._driver.run(resources.whole_list(self._talk, self._these))
        wanted = self.each(filter, sort_by=sort_by, descending=descending)
        return [each async for each in wanted]

    async def each(
        self,
        filter: str = "",  # noqa: A002  as the API calls it
        *,
        sort_by: str = "",
        descending: bool = False,
    ) -> AsyncIterator[Entity]:
        """One after the other, as pages of the query service come."""
        path = resources.query_path(self._these, Selection(filter, sort_by, descending))
        while path:
            steps = resources.page(self._talk, self._these, path)
            found, path = await self._driver.run(steps)
            for each in found:
                yield each

    async def get(self, word: str) -> Entity:
        """The one of that name or id.

        Raises:
            NotFoundError: there is none.
        """
        return await self._driver.run(resources.get(self._talk, self._these, word))

    async def uid(self, word: str) -> str:
        """The UID of the one of that name, as other bodies name it."""
        found = await self._driver.run(resources.found_of(self._talk, self._these, word))
        return found.uid

    async def _path(self, word: str) -> str:
        found = await self._driver.run(resources.found_of(self._talk, self._these, word))
        return found.path


class AsyncRemovableCollection(AsyncReadableCollection[Entity, Spec, Change]):
    """Things that can be removed, at once."""

    async def delete(self, word: str) -> None:
        """Remove one."""
        await self._driver.run(resources.delete(self._talk, self._these, word, {}, TaskFollowing()))


class AsyncCreatableCollection(AsyncRemovableCollection[Entity, Spec, Change]):
    """Things that can be made, too."""

    async def create(self, spec: Spec) -> Entity:
        """Make one."""
        return await self._driver.run(
            resources.create(self._talk, self._these, spec, {}, TaskFollowing())
        )


class AsyncEditableCollection(AsyncCreatableCollection[Entity, Spec, Change]):
    """Things that can be changed, too."""

    async def edit(self, word: str, change: Change, *, tag: str | None = None) -> Entity:
        """Change one: what is None in `change` stays as it is.

        `tag`: of `tag`, where the change is good only for what was seen.

        Raises:
            ChangedMeanwhileError: somebody else has changed it since.
        """
        return await self._driver.run(
            resources.edit(self._talk, self._these, word, change, {}, TaskFollowing(), tag)
        )

    async def tag(self, word: str) -> str:
        """What stands for the state in which one is now (its ETag)."""
        return await self._driver.run(resources.tag_of(self._talk, await self._path(word)))


class AsyncByTask(AsyncReadableCollection[Entity, Spec, Change]):
    """Things of which a change takes time: a task, whose end is waited for.

    `begin_create`, `begin_edit` and `begin_delete` answer the task instead; `tasks.wait` waits.
    """

    async def create(
        self,
        spec: Spec,
        *,
        drain_seconds: int | None = None,
        patience_seconds: float | None = None,
        watcher: Watcher = NOBODY,
    ) -> Entity:
        """Make one, and wait until it is there.

        Args:
            spec: what it is made of.
            drain_seconds: how long tunnels that lose their place may go on (pools).
            patience_seconds: how long to wait; None for as long as it takes.
            watcher: who hears of it meanwhile.

        Raises:
            TaskFailedError: it did not come to be; the text is why.
            TaskLeftError: it took longer; its task goes on.
        """
        following = TaskFollowing(patience_seconds, watcher)
        said = _drain_query(drain_seconds)
        return await self._driver.run(
            resources.create(self._talk, self._these, spec, said, following)
        )

    async def edit(
        self,
        word: str,
        change: Change,
        *,
        tag: str | None = None,
        drain_seconds: int | None = None,
        end_tunnels: bool = False,
        patience_seconds: float | None = None,
        watcher: Watcher = NOBODY,
    ) -> Entity:
        """Change one, and wait until it is so: what is None in `change` stays as it is.

        Args:
            word: its name or id.
            change: what is to be otherwise.
            tag: of `tag`, where the change is good only for what was seen.
            drain_seconds: how long tunnels that lose their place may go on (gateways, pools).
            end_tunnels: whether its tunnels end (tenants, subtenants).
            patience_seconds: how long to wait; None for as long as it takes.
            watcher: who hears of it meanwhile.

        Raises:
            TaskFailedError: it was not changed; the text is why.
            TaskLeftError: it took longer; its task goes on.
            ChangedMeanwhileError: somebody else has changed it since.
        """
        following = TaskFollowing(patience_seconds, watcher)
        said = _drain_query(drain_seconds, end_tunnels=end_tunnels)
        return await self._driver.run(
            resources.edit(self._talk, self._these, word, change, said, following, tag)
        )

    async def delete(
        self,
        word: str,
        *,
        drain_seconds: int | None = None,
        end_tunnels: bool = False,
        patience_seconds: float | None = None,
        watcher: Watcher = NOBODY,
    ) -> None:
        """Remove one, and wait until it is gone: the tunnels of a gateway may go on for hours."""
        following = TaskFollowing(patience_seconds, watcher)
        said = _drain_query(drain_seconds, end_tunnels=end_tunnels)
        await self._driver.run(resources.delete(self._talk, self._these, word, said, following))

    async def begin_create(self, spec: Spec, *, drain_seconds: int | None = None) -> Task:
        """Ask for one, and do not wait."""
        said = _drain_query(drain_seconds)
        steps = resources.begin_create(self._talk, self._these, spec, said)
        return await self._driver.run(resources.task_of(self._talk, steps))

    async def begin_edit(
        self,
        word: str,
        change: Change,
        *,
        tag: str | None = None,
        drain_seconds: int | None = None,
        end_tunnels: bool = False,
    ) -> Task:
        """Ask for a change, and do not wait."""
        said = _drain_query(drain_seconds, end_tunnels=end_tunnels)
        steps = resources.begin_edit(self._talk, self._these, word, change, said, tag)
        return await self._driver.run(resources.task_of(self._talk, steps))

    async def begin_delete(
        self, word: str, *, drain_seconds: int | None = None, end_tunnels: bool = False
    ) -> Task:
        """Ask for one to go, and do not wait."""
        said = _drain_query(drain_seconds, end_tunnels=end_tunnels)
        steps = resources.begin_delete(self._talk, self._these, word, said)
        return await self._driver.run(resources.task_of(self._talk, steps))

    async def tag(self, word: str) -> str:
        """What stands for the state in which one is now (its ETag)."""
        return await self._driver.run(resources.tag_of(self._talk, await self._path(word)))


class AsyncGateways(AsyncByTask[CloudGateway, CreateCloudGatewaySpec, CloudGateway]):
    """Cloud gateways."""

    async def tunnels(self, word: str) -> tuple[CloudGatewayTunnel, ...]:
        """The tunnels that go through one right now."""
        path = f"{await self._path(word)}/tunnels"
        found = await self._driver.run(resources.read(self._talk, path, CloudGatewayTunnels))
        return found.cloud_gateway_tunnels

    async def close_tunnel(self, word: str, tunnel_id: str) -> None:
        """Close one tunnel at once; its tenant may open another."""
        path = f"{await self._path(word)}/tunnels/{resources.segment(tunnel_id)}"
        await self._driver.run(resources.call(self._talk, "DELETE", path))


AsyncPools = AsyncByTask[CloudGatewayPool, CreateCloudGatewayPoolSpec, CloudGatewayPool]
AsyncQuotas = AsyncByTask[CloudTenantResource, CreateCloudTenantResourceSpec, ResourceType]


class _AsyncWithPasswords(AsyncByTask[Entity, Spec, Change]):
    """Things that log in at gateways."""

    async def rotate_password(
        self,
        word: str,
        spec: RotatePasswordSpec = RotatePasswordSpec(),  # noqa: B008  it is frozen
        *,
        end_tunnels: bool = False,
    ) -> Task:
        """Give one a new password; the task has it (`new_password`) where the manager made it."""
        said = _drain_query(None, end_tunnels=end_tunnels)
        path = resources.with_action(await self._path(word), "rotatePassword", said)
        steps = resources.call(self._talk, "POST", path, spec)
        return await self._driver.run(resources.task_of(self._talk, steps))

    async def end_old_password(self, word: str) -> Task:
        """Let the password before the last rotation be good no more."""
        path = resources.with_action(await self._path(word), "endOldPassword", {})
        steps = resources.call(self._talk, "POST", path)
        return await self._driver.run(resources.task_of(self._talk, steps))


AsyncSubtenants = _AsyncWithPasswords[CloudSubtenant, CloudSubtenantCreateSpec, CloudSubtenant]


class AsyncTenants(_AsyncWithPasswords[CloudTenant, CreateCloudTenantSpec, CloudTenant]):
    """Tenants."""

    def quotas(self, tenant: str) -> AsyncQuotas:
        """What a tenant may use of repositories."""
        return AsyncQuotas(self._talk, self._driver, kinds.QUOTA, CloudTenantResource, tenant)

    def subtenants(self, tenant: str) -> AsyncSubtenants:
        """The users of a tenant."""
        return AsyncSubtenants(self._talk, self._driver, kinds.SUBTENANT, CloudSubtenant, tenant)

    async def usage(self, word: str, days: int = 31) -> tuple[CloudTenantUsage, ...]:
        """What one used of the gateways: by minutes, then hours, then days."""
        path = f"{await self._path(word)}/usage?days={days}"
        found = await self._driver.run(resources.read(self._talk, path, CloudTenantUsages))
        return found.cloud_tenant_usages

    async def gateways(self, word: str) -> tuple[str, ...]:
        """Host and port of each gateway that one may use."""
        path = f"{await self._path(word)}/gateways"
        found = await self._driver.run(resources.read(self._talk, path, CloudTenantGateways))
        return tuple(each.address or "" for each in found.cloud_tenant_gateways)

    async def tunnels(self, word: str) -> CloudTenantTunnels:
        """The live tunnels of one, at all gateways."""
        path = f"{await self._path(word)}/tunnels"
        return await self._driver.run(resources.read(self._talk, path, CloudTenantTunnels))

    async def held_back(self, word: str, days: int = 31) -> tuple[CloudHeldBackTime, ...]:
        """When one got less speed than it would have taken: by hours, then days."""
        path = f"{await self._path(word)}/heldBack?days={days}"
        found = await self._driver.run(resources.read(self._talk, path, CloudHeldBackTimes))
        return found.cloud_held_back_times


class AsyncServers(AsyncCreatableCollection[ManagedServer, CreateManagedServerSpec, ResourceType]):
    """Managed servers. A new one has the token, this once, with which its machine joins."""

    async def renew_join_token(self, word: str) -> ManagedServer:
        """The server with another token, this once."""
        path = resources.with_action(await self._path(word), "renewJoinToken", {})
        answer = await self._driver.run(resources.call(self._talk, "POST", path))
        return resources.typed(self._talk, answer.body, ManagedServer)

    async def revoke(self, word: str) -> None:
        """Listen to a server's machine no more; its gateway lets nobody new in."""
        path = resources.with_action(await self._path(word), "revoke", {})
        await self._driver.run(resources.call(self._talk, "POST", path))


class AsyncTasks(AsyncRemovableCollection[Task, ResourceType, ResourceType]):
    """Tasks: the records of changes that take time."""

    async def wait(
        self, task: Task, *, patience_seconds: float | None = None, watcher: Watcher = NOBODY
    ) -> Task:
        """A task once it is Finished, with success.

        Raises:
            TaskFailedError: it ended without; the text is why.
            TaskLeftError: it took longer, or the manager has been away for ten minutes.
        """
        following = TaskFollowing(patience_seconds, watcher)
        return await self._driver.run(resources.ended(self._talk, task, following))

    async def timeline(self, task_id: str) -> TaskTimeline:
        """What happened of a task, when, and where."""
        path = f"{await self._path(task_id)}/timeline"
        return await self._driver.run(resources.read(self._talk, path, TaskTimeline))


def _drain_query(drain_seconds: int | None, *, end_tunnels: bool = False) -> dict[str, str]:
    said = {} if drain_seconds is None else {DRAIN: str(drain_seconds)}
    return said | ({END: "true"} if end_tunnels else {})
