"""Records: what was done, and what does the installation know of itself?"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from cloudgate.manager.storage.tables.base import REVISION, Base

__all__ = ("AuditChain", "AuditEvent", "Counter", "InstallationMark", "Maintenance", "Task")


class Task(Base):
    """The record of a change that takes time."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_open", "finished_at", "deadline_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    operation: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    deadline_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    success: Mapped[bool | None]
    message: Mapped[str] = mapped_column(default="")
    hidden: Mapped[bool] = mapped_column(default=False)
    """A client removed the record; the work goes on."""
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    """Who began it; nobody who logs on when None, or somebody of an earlier release."""
    backup_server_id: Mapped[UUID | None]
    gateway_id: Mapped[UUID | None] = mapped_column(index=True)
    """The gateway whose host has to report before the task is done."""
    directory_revision: Mapped[int | None] = mapped_column(REVISION)
    """The tenant directory that gateways have to report before the task is done."""
    drains: Mapped[bool] = mapped_column(default=False)
    """Tunnels that lost their place by it have to end before the task is done."""
    certificate_order_id: Mapped[UUID | None]
    """The order that has to succeed or fail before the task is done."""
    related_type: Mapped[str] = mapped_column(String(64), default="")
    related_path: Mapped[str] = mapped_column(default="")
    """Below the API's root; empty when there is nothing to link to."""
    related_name: Mapped[str] = mapped_column(default="")
    audit: Mapped[dict[str, Any] | None]
    """What goes into the audit log once the task has ended."""
    trace: Mapped[str] = mapped_column(String(55), default="")
    """Of the request that asked for it, as W3C Trace Context has it; empty of a task by itself."""
    received_at: Mapped[datetime | None]
    """When that request came."""
    steps: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    """What happened when, once the task has ended; see `registries.task_timelines`."""


class AuditEvent(Base):
    """A change that was made or refused. Rows are never changed: the database sees to that."""

    __tablename__ = "audit_events"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  as SQLAlchemy wants it

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    account: Mapped[str] = mapped_column(String(255), index=True)
    address: Mapped[str] = mapped_column(String(64))
    """The IP address that the request came from; empty for what the manager does by itself."""
    code: Mapped[int]
    """The number by which the original's events are known; 0 for those that it has none for."""
    severity: Mapped[str] = mapped_column(String(16))
    operation: Mapped[str] = mapped_column(String(64))
    text: Mapped[str]
    object_type: Mapped[str] = mapped_column(String(64))
    object_id: Mapped[UUID | None] = mapped_column(index=True)
    object_name: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    success: Mapped[bool]
    message: Mapped[str] = mapped_column(default="")
    """The reason, where it did not succeed."""
    hash: Mapped[str] = mapped_column(String(64), default="")
    """Of all this and of the entry before: `cloudgate.manager.audit.chain`."""


class AuditChain(Base):
    """Where the chain of the audit log begins and ends; one row."""

    __tablename__ = "audit_chain"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(REVISION)
    """Of the last entry."""
    hash: Mapped[str] = mapped_column(String(64))
    anchor_number: Mapped[int] = mapped_column(REVISION)
    """Of the last entry that was removed because of its age."""
    anchor_hash: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(64))
    """Of all this, by a key outside the database; empty right after an upgrade."""


class Counter(Base):
    """A number that only grows."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(REVISION)


class InstallationMark(Base):
    """Something that is to be known of the installation: `cloudgate.manager.storage.marks`."""

    __tablename__ = "installation_marks"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str]


class Maintenance(Base):
    """The provider is at work; there is one row while it is."""

    __tablename__ = "maintenance"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime]
    message: Mapped[str]
    restores_allowed: Mapped[bool]
