"""Token resources: what is said of API tokens? Extensions."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element, repeated
from cloudgate.wire.resources.base import Entity


@dataclass(frozen=True, kw_only=True)
class CreateApiTokenSpec(ResourceType):
    """Body of POST /security/tokens."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    name: str | None = element()
    role: str | None = element()
    """The name of a role, or Metrics."""
    valid_days: int | None = element()
    """90 when left out."""


@dataclass(frozen=True, kw_only=True)
class ApiToken(Entity):
    """What a program shows in place of a logon."""

    account: str | None = element()
    role: str | None = element()
    creation_time: datetime | None = element()
    expiration_time: datetime | None = element()
    last_use_time: datetime | None = element()
    """To a minute; left out until it is used."""
    secret: str | None = element(omit_absent=True)
    """What is shown as Authorization: Bearer; once, in the answer to the call that makes it."""


@dataclass(frozen=True, kw_only=True)
class ApiTokens(ResourceType):
    """API tokens."""

    api_tokens: tuple[ApiToken, ...] = repeated("ApiToken")
