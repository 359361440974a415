"""Accounts: who may use the API, by what do they prove it, and which sessions have they?"""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloudgate.manager.storage.tables.base import LIST, Base

__all__ = (
    "Account",
    "AccountIdentity",
    "AccountRole",
    "ApiToken",
    "LogonSession",
    "Passkey",
    "RequiredFactor",
    "SecondFactor",
    "SpentChallenge",
    "TenantSession",
)


class Account(Base):
    """Somebody who may use the API."""

    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[str] = mapped_column(default="")
    """Empty until a password is set: nobody logs on with none."""
    kind: Mapped[str] = mapped_column(String(16), default="User")
    restores_all_vms: Mapped[bool] = mapped_column(default=False)

    roles: Mapped[list["AccountRole"]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by="AccountRole.role_id"
    )
    factor: Mapped["SecondFactor | None"] = relationship(
        lazy="joined", cascade="all, delete-orphan"
    )
    passkeys: Mapped[list["Passkey"]] = relationship(
        lazy="selectin",
        cascade="all, delete-orphan",
        order_by="Passkey.created_at",
        back_populates="account",
    )


class AccountRole(Base):
    """A role that an account has. Roles themselves are fixed, and known by published GUIDs."""

    __tablename__ = "account_roles"

    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    role_id: Mapped[UUID] = mapped_column(primary_key=True)

    factor_required: Mapped["RequiredFactor | None"] = relationship(
        lazy="joined",
        viewonly=True,
        primaryjoin="foreign(AccountRole.role_id) == RequiredFactor.role_id",
    )


class SecondFactor(Base):
    """What an account shows besides its password."""

    __tablename__ = "second_factors"

    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    sealed_secret: Mapped[str]
    confirmed: Mapped[bool]
    """Whether a code of it was shown: before, nothing asks for it."""
    last_step: Mapped[int] = mapped_column(BigInteger)
    """Of the newest code that was used: `cloudgate.manager.sessions.totp`."""
    recovery_marks: Mapped[list[str]] = mapped_column(LIST)
    """Of the recovery codes that are left."""


class Passkey(Base):
    """What an account signs in with in place of a password, or beside one."""

    __tablename__ = "passkeys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(100))
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    """In base64url: the authenticator's name for it."""
    public_key: Mapped[str]
    """Attested credential data (Web Authentication, 6.5.2), in base64url."""
    origin: Mapped[str] = mapped_column(String(300))
    """Of the page that it was made on."""
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """The largest that it has shown; 0 of one that does not count."""
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship(lazy="joined", back_populates="passkeys")


class RequiredFactor(Base):
    """A role whose accounts have to have a second factor."""

    __tablename__ = "required_factors"

    role_id: Mapped[UUID] = mapped_column(primary_key=True)


class AccountIdentity(Base):
    """Whom a provider of single sign-on knows an account as."""

    __tablename__ = "account_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    """Its name for the person, which it never gives to another (OpenID Connect Core, 2)."""

    account: Mapped[Account] = relationship(lazy="joined")


class SpentChallenge(Base):
    """Something to sign in with that is good once, and was used; kept until it has ended."""

    __tablename__ = "spent_challenges"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime] = mapped_column(index=True)


class LogonSession(Base):
    """A logon session; gone when it was idle for too long."""

    __tablename__ = "logon_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    version: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime] = mapped_column(index=True)
    tenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_tenants.id", ondelete="CASCADE"), index=True
    )
    """Of the tenant that the account has logged on for; it sees less."""
    came_by: Mapped[str | None] = mapped_column(String(32))
    """What was shown in place of a password; None for a password."""

    account: Mapped[Account] = relationship(lazy="joined")


class TenantSession(Base):
    """A session of a tenant, or its user, for itself alone; gone when it was idle for too long."""

    __tablename__ = "tenant_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("cloud_tenants.id", ondelete="CASCADE"), index=True
    )
    subtenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subtenants.id", ondelete="CASCADE"), index=True
    )
    """Of the user; None for the tenant itself."""
    password_mark: Mapped[str] = mapped_column(String(64))
    """Of the password that it was begun by: with another one it is over."""
    version: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime] = mapped_column(index=True)


class ApiToken(Base):
    """What a program shows in place of a logon; `cloudgate.manager.sessions.tokens`."""

    __tablename__ = "api_tokens"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    role_id: Mapped[UUID]
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship(lazy="joined")
