"""Notifications: who is told of what, and what was sent?"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloudgate.manager.storage.tables.base import LIST, Base
from cloudgate.manager.storage.tables.cloud import CloudTenant
from cloudgate.manager.storage.tables.infrastructure import BackupServer

__all__ = ("NotificationCondition", "NotificationDelivery", "NotificationReceiver")


class NotificationReceiver(Base):
    """Somebody who is told of what has happened: by mail, or a program by HTTPS."""

    __tablename__ = "notification_receivers"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    address: Mapped[str]
    """A mail address, or a URL."""
    role: Mapped[str] = mapped_column(String(64), default="")
    """What an account of that role may see is what it is told; empty for a tenant's."""
    backup_server_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("backup_servers.id", ondelete="CASCADE")
    )
    """Of the one site that it is told of; None for all."""
    tenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_tenants.id", ondelete="CASCADE")
    )
    """Of the tenant that it is told about itself; None for an operator's."""
    events: Mapped[list[str] | None] = mapped_column(LIST)
    """Kinds of events; None for all."""
    quiet_from: Mapped[str] = mapped_column(String(5), default="")
    quiet_until: Mapped[str] = mapped_column(String(5), default="")
    """As HH:MM in UTC; both empty without quiet hours."""
    digest_minutes: Mapped[int] = mapped_column(default=0)
    """How long what happens is collected; 0 for not at all."""
    enabled: Mapped[bool] = mapped_column(default=True)
    secret: Mapped[str] = mapped_column(default="")
    """Sealed; what calls are signed with."""
    authority_pem: Mapped[str] = mapped_column(default="")
    """Whom to trust that it is the receiver; the public authorities when empty."""

    backup_server: Mapped[BackupServer | None] = relationship(lazy="joined")
    tenant: Mapped[CloudTenant | None] = relationship(lazy="joined")


class NotificationCondition(Base):
    """Something that is so, and that receivers were told of."""

    __tablename__ = "notification_conditions"

    key: Mapped[str] = mapped_column(String(512), primary_key=True)
    since: Mapped[datetime]
    level: Mapped[int]
    document: Mapped[dict[str, Any]]
    """As it was told last, for the all-clear."""


class NotificationDelivery(Base):
    """An event that one receiver is to be told of, or was."""

    __tablename__ = "notification_deliveries"
    __table_args__ = (
        Index("ix_notification_deliveries_due", "finished_at", "due_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    receiver_id: Mapped[UUID] = mapped_column(
        ForeignKey("notification_receivers.id", ondelete="CASCADE"), index=True
    )
    event: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None]
    """Since when it is tried: when it, or what was due before it, was first; None before."""
    finished_at: Mapped[datetime | None]
    success: Mapped[bool | None]
    problem: Mapped[str] = mapped_column(default="")
    """Why the last attempt failed; empty when none did."""
