"""Session resources: what does a client see before and after it logs on?"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import Link, Resource


@dataclass(frozen=True, kw_only=True)
class SupportedVersion(ResourceType):
    """A version of the API that a client may ask for at logon."""

    JSON_FIRST: ClassVar = ("Links", "Name")

    name: str | None = attribute()
    links: tuple[Link, ...] | None = listed("Link")


@dataclass(frozen=True, kw_only=True)
class EnterpriseManager(Resource):
    """The root of the API, the only resource besides logon that needs no session."""

    supported_versions: tuple[SupportedVersion, ...] | None = listed("SupportedVersion")


@dataclass(frozen=True, kw_only=True)
class LoginTenantCredentials(ResourceType):
    """Name and password of a tenant."""

    username: str | None = element()
    password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class VCloudOrganizationCredentials(ResourceType):
    """Name and password of a user of VMware Cloud Director."""

    organization_name: str | None = element()
    login: str | None = element()
    password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class LoginSpec(ResourceType):
    """Body of POST /sessionMngr for a session that sees what one tenant may see."""

    href: str | None = attribute()
    type: str | None = attribute()
    v_mware_sso_token: str | None = element("VMwareSSOToken", omit_absent=True)
    tenant_credentials: LoginTenantCredentials | None = element()
    v_cloud_organization_credentials: VCloudOrganizationCredentials | None = element(
        omit_absent=True
    )


@dataclass(frozen=True, kw_only=True)
class LogonSession(Resource):
    """A logon session. The token of a session is base64 of the text of `session_id`."""

    user_name: str | None = element()
    session_id: str | None = element()


@dataclass(frozen=True, kw_only=True)
class LogonSessions(ResourceType):
    """All logon sessions."""

    logon_sessions: tuple[LogonSession, ...] = repeated("LogonSession")


@dataclass(frozen=True, kw_only=True)
class TaskResult(ResourceType):
    """How a task ended."""

    success: bool | None = attribute()
    message: str | None = element()


@dataclass(frozen=True, kw_only=True)
class Task(Resource):
    """The record of a change that takes time."""

    task_id: str | None = element()
    state: str | None = element()
    operation: str | None = element()
    result: TaskResult | None = element(omit_absent=True)
    new_password: str | None = element(omit_absent=True)
    """Extension: the password that was made, in the answer to the call that had it made alone."""


@dataclass(frozen=True, kw_only=True)
class Tasks(ResourceType):
    """All tasks."""

    tasks: tuple[Task, ...] = repeated("Task")


@dataclass(frozen=True, kw_only=True)
class TaskStep(ResourceType):
    """One thing that happened of a change."""

    name: str | None = element()
    managed_server: str | None = element()
    """Where; None for the manager."""
    time: datetime | None = element()
    milliseconds: int | None = element()
    """Since the first step."""


@dataclass(frozen=True, kw_only=True)
class TaskTimeline(ResourceType):
    """What happened of a task, and when."""

    task_id: str | None = element()
    operation: str | None = element()
    trace_id: str | None = element()
    """Of the request that asked for it, as W3C Trace Context has it."""
    steps: tuple[TaskStep, ...] = repeated("Step")
    object_name: str | None = element()
    """Of the thing that it changes, as the audit log has it; what follows, too."""
    before: str | None = element()
    """What differed, as JSON."""
    after: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudConnectService(Resource):
    """Where the Cloud Connect part of the API starts: nothing but links."""
