"""Usage: what did tenants use?"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from cloudgate.manager.storage.tables.base import Base

__all__ = ("CountedBatch", "HeldBackTime", "Usage", "UsageTotal")


class Usage(Base):
    """What somebody used of a gateway in a stretch of time, by one target."""

    __tablename__ = "usage"
    __table_args__ = (
        Index("ix_usage_tenant", "tenant_id", "at"),
        Index("ix_usage_stretch", "minutes", "at"),
        Index("ix_usage_at", "at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    """The beginning of the stretch."""
    minutes: Mapped[int]
    """Its length: a minute, an hour or a day."""
    tenant_id: Mapped[UUID]
    """Also of a tenant that is not there any more: it may still have to be billed."""
    subtenant_id: Mapped[UUID | None]
    managed_server_id: Mapped[UUID]
    gateway_name: Mapped[str] = mapped_column(String(255))
    target: Mapped[str] = mapped_column(String(261))
    tunnels: Mapped[int] = mapped_column(BigInteger)
    bytes_up: Mapped[int] = mapped_column(BigInteger)
    bytes_down: Mapped[int] = mapped_column(BigInteger)


class UsageTotal(Base):
    """What a tenant used in all, also of one that is not there any more: the sum of its `Usage`."""

    __tablename__ = "usage_totals"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    tunnels: Mapped[int] = mapped_column(BigInteger)
    bytes_up: Mapped[int] = mapped_column(BigInteger)
    bytes_down: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]
    """The minute in which it last used something."""


class CountedBatch(Base):
    """A batch of usage that was counted lately."""

    __tablename__ = "counted_batches"

    managed_server_id: Mapped[UUID] = mapped_column(
        ForeignKey("managed_servers.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    heard_at: Mapped[datetime] = mapped_column(index=True)
    """When a copy of it last came."""


class HeldBackTime(Base):
    """For how long a tenant got less speed than it would have taken, in a stretch of time.

    Gateways add up. A stretch has several rows where it was written down in parts.
    """

    __tablename__ = "held_back_times"
    __table_args__ = (
        Index("ix_held_back_times_tenant", "tenant_id", "at"),
        Index("ix_held_back_times_stretch", "minutes", "at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    """The beginning of the stretch."""
    minutes: Mapped[int]
    """Its length: an hour or a day."""
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("cloud_tenants.id", ondelete="CASCADE"))
    limit_seconds: Mapped[int] = mapped_column(BigInteger)
    """By the speed that it was sold."""
    share_seconds: Mapped[int] = mapped_column(BigInteger)
    """By its part of a gateway that is full."""
