"""Single sign-on resources: what is said of a provider that people sign in by? Extensions."""

from dataclasses import dataclass
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element


@dataclass(frozen=True, kw_only=True)
class SingleSignOn(ResourceType):
    """The provider, and the way to it."""

    name: str | None = element(omit_absent=True)
    """Left out where there is none."""
    url: str | None = element(omit_absent=True)
    """Where a browser is sent to sign in: the console's page that begins it, or, once it has begun,
    the provider's."""
    kept: str | None = element(omit_absent=True)
    """What it has to bring along when it comes back; for ten minutes, and once."""
    sign_out_url: str | None = element(omit_absent=True)
    """Where one signs out at the provider, too; where that is known."""


@dataclass(frozen=True, kw_only=True)
class SingleSignOnSpec(ResourceType):
    """Body of what completes it: what the provider has led a browser back with."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    kept: str | None = element()
    state: str | None = element()
    code: str | None = element()
    error: str | None = element()
    issuer: str | None = element()


@dataclass(frozen=True, kw_only=True)
class AccountIdentity(ResourceType):
    """Whom the provider knows an account as; also the body of PUT."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    issuer: str | None = element()
    """Read only: the provider that is set."""
    subject: str | None = element()
