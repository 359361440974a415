"""Passkey resources: what is said of passkeys, and of signing in by one? Extensions."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element, repeated
from cloudgate.wire.resources.base import Entity


@dataclass(frozen=True, kw_only=True)
class CurrentPasswordSpec(ResourceType):
    """Body of what wants the own password once more."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    current_password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class PasskeyChallenge(ResourceType):
    """What a browser hands to an authenticator; empty where there is no passkey to show."""

    options: str | None = element(omit_absent=True)
    """In JSON, as browsers read it (Web Authentication, level 3, 5.1.8 and 5.1.9)."""
    kept: str | None = element(omit_absent=True)
    """What has to come back with its answer; for ten minutes, and once."""


@dataclass(frozen=True, kw_only=True)
class PasskeySpec(ResourceType):
    """Body of what an authenticator has answered."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    kept: str | None = element()
    credential: str | None = element()
    """In JSON, as browsers write it (the same, 5.1)."""
    name: str | None = element()
    """Of a passkey that was made."""


@dataclass(frozen=True, kw_only=True)
class Passkey(Entity):
    """What somebody signs in with in place of a password, or beside one."""

    creation_time: datetime | None = element()
    last_use_time: datetime | None = element()
    """Left out until it is used."""


@dataclass(frozen=True, kw_only=True)
class Passkeys(ResourceType):
    """The own passkeys."""

    passkeys: tuple[Passkey, ...] = repeated("Passkey")
