"""Certificates: which has the provider brought, ordered, or signed for tenants?"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloudgate.manager.storage.tables.base import Base
from cloudgate.manager.storage.tables.cloud import CloudTenant, Subtenant

__all__ = ("CertificateOrder", "CloudCertificate", "TenantAuthority", "TenantCertificate")


class CloudCertificate(Base):
    """A certificate that an operator brought, with its key sealed."""

    __tablename__ = "cloud_certificates"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    gateway_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_gateways.id", ondelete="CASCADE"), unique=True
    )
    """The gateway that shows it; None for all that have none of their own."""
    name: Mapped[str] = mapped_column(default="")
    chain_pem: Mapped[str]
    sealed_key: Mapped[str]


class CertificateOrder(Base):
    """What an ACME server is asked for, again whenever what it gave is soon to end."""

    __tablename__ = "certificate_orders"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    gateway_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_gateways.id", ondelete="CASCADE")
    )
    certificate_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_certificates.id", ondelete="CASCADE"), unique=True
    )
    """What it gave; None until it has given something."""
    request: Mapped[dict[str, Any]] = mapped_column("wish")
    sealed_account_key: Mapped[str]
    next_attempt_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    """In a row."""
    problem: Mapped[str] = mapped_column(default="")
    """Why the last attempt failed; empty when it did not."""


class TenantAuthority(Base):
    """Who signs tenants' certificates; `cloudgate.manager.security.tenant_authority`."""

    __tablename__ = "tenant_authorities"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    certificate_pem: Mapped[str]
    sealed_key: Mapped[str]


class TenantCertificate(Base):
    """A certificate by which a tenant or its user comes in, kept until it ends."""

    __tablename__ = "tenant_certificates"
    __table_args__ = (
        Index("ix_tenant_certificates_tenant", "tenant_id", "ends_at"),
        Index("ix_tenant_certificates_end", "ends_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    """Also its serial number."""
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("cloud_tenants.id", ondelete="CASCADE"))
    subtenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subtenants.id", ondelete="CASCADE")
    )
    """Of the user whose it is; None where it is the tenant's own."""
    certificate_pem: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256, in hexadecimal digits."""
    issued_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    password_mark: Mapped[str] = mapped_column(String(64), default="")
    """Of the hash of the password by which somebody got it, or the first of those that it renews:
    it is good as long as that is. Empty where the provider has issued that."""
    revoked_at: Mapped[datetime | None]

    tenant: Mapped[CloudTenant] = relationship(lazy="joined")
    subtenant: Mapped[Subtenant | None] = relationship(lazy="joined")
