"""Usage: what did tenants use?"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from cloudgate.manager.storage.tables.base import Base


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
