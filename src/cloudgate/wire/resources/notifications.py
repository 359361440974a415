"""Notification resources: what is said of those who are told of what happens? Extensions."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import Entity


@dataclass(frozen=True, kw_only=True)
class CreateNotificationReceiverSpec(ResourceType):
    """Body of POST /notifications/receivers."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    name: str | None = element()
    kind: str | None = element()
    """Email, or Webhook."""
    address: str | None = element()
    """A mail address, or the HTTPS address of a program."""
    role: str | None = element()
    """Whose accounts see what it is told; the administrators' when left out."""
    backup_server_uid: str | None = element()
    """The one site that it is told of."""
    cloud_tenant_uid: str | None = element()
    """The tenant that it is told about itself, in place of a role."""
    events: tuple[str, ...] | None = listed("Event")
    """All when left out."""
    quiet_from: str | None = element()
    quiet_until: str | None = element()
    """Times of the day in UTC, between which it is told only of what is critical."""
    digest_minutes: int | None = element()
    """How long what happens is collected; 0 for not at all."""
    ca_file: str | None = element()
    """Whom to trust that it is the program, as PEM; the public authorities when left out."""


@dataclass(frozen=True, kw_only=True)
class NotificationReceiver(Entity):
    """Who is told of what happens; also the body of PUT, where what is left out stays."""

    EXTENSION: ClassVar[bool] = True

    kind: str | None = element()
    """Read only."""
    address: str | None = element()
    role: str | None = element()
    backup_server: str | None = element()
    """Read only, as what follows: the names of the site and the tenant that it is told of."""
    cloud_tenant: str | None = element()
    events: tuple[str, ...] | None = listed("Event")
    quiet_from: str | None = element()
    quiet_until: str | None = element()
    digest_minutes: int | None = element()
    enabled: bool | None = element()
    secret: str | None = element(omit_absent=True)
    """What calls are signed with; once, in the answer to the call that adds it."""


@dataclass(frozen=True, kw_only=True)
class NotificationReceivers(ResourceType):
    """All who are told of what happens."""

    notification_receivers: tuple[NotificationReceiver, ...] = repeated("NotificationReceiver")


@dataclass(frozen=True, kw_only=True)
class NotificationDelivery(ResourceType):
    """An event that a receiver was told of, or is to be."""

    receiver: str | None = element()
    state: str | None = element()
    """Waiting, Delivered or GivenUp."""
    event: str | None = element()
    cleared: bool | None = element()
    """Whether it is that something is over."""
    message: str | None = element()
    time: datetime | None = element()
    """When it happened."""
    attempts: int | None = element()
    next_time: datetime | None = element()
    """When it is told, or tried again; while it waits."""
    end_time: datetime | None = element()
    problem: str | None = element()
    """Why the last attempt failed."""


@dataclass(frozen=True, kw_only=True)
class NotificationDeliveries(ResourceType):
    """What was told, or is to be, the newest first."""

    notification_deliveries: tuple[NotificationDelivery, ...] = repeated(
        "NotificationDelivery", array="NotificationDeliveries"
    )
