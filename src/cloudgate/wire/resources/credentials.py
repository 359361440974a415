"""Credential resources: what is said of names and passwords? Never the passwords."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, attribute, element, repeated
from cloudgate.wire.resources.base import Resource


@dataclass(frozen=True, kw_only=True)
class CredentialsInfoSpec(ResourceType):
    """Body of POST /backupServers/{id}/credentials?action=create."""

    href: str | None = attribute()
    type: str | None = attribute()
    username: str | None = element()
    description: str | None = element()
    password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CredentialsInfo(Resource):
    """A user name; also the body of PUT, where what is left out stays as it is."""

    id: str | None = element()
    username: str | None = element()
    description: str | None = element()
    password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CredentialsInfoList(ResourceType):
    """All user names of a backup server."""

    credentials: tuple[CredentialsInfo, ...] = repeated("CredentialsInfo")


@dataclass(frozen=True, kw_only=True)
class PasswordKeyInfoSpec(ResourceType):
    """Body of POST /backupServers/{id}/passwords?action=create, and with a Hint only, of PUT."""

    href: str | None = attribute()
    type: str | None = attribute()
    hint: str | None = element()
    password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class PasswordKeyInfo(Resource):
    """A password that backups are encrypted with: what reminds of it."""

    id: str | None = element()
    hint: str | None = element()
    last_modification_date: datetime | None = element()


@dataclass(frozen=True, kw_only=True)
class PasswordKeyInfoList(ResourceType):
    """All passwords of a backup server."""

    passwords: tuple[PasswordKeyInfo, ...] = repeated("PasswordKeyInfo")
