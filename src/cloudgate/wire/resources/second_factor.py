"""Second factor resources: what is said of codes besides passwords? Extensions."""

from dataclasses import dataclass
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated


@dataclass(frozen=True, kw_only=True)
class SecondFactorCodeSpec(ResourceType):
    """Body of what wants a code of the own second factor."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    code: str | None = element()


@dataclass(frozen=True, kw_only=True)
class SecondFactor(ResourceType):
    """Whether an account shows a code besides its password."""

    account: str | None = element()
    enabled: bool | None = element()
    required: bool | None = element()
    """Whether a role of the account asks for one."""
    recovery_codes_left: int | None = element(omit_absent=True)
    secret: str | None = element(omit_absent=True)
    """In base 32, once: in the answer to the call that makes it."""
    uri: str | None = element(omit_absent=True)
    """The same, as a QR code has it."""
    recovery_codes: tuple[str, ...] | None = listed("RecoveryCode", omit_absent=True)
    """Each good once; shown once, in the answer to the call that confirms the first code."""


@dataclass(frozen=True, kw_only=True)
class SecondFactorRule(ResourceType):
    """Whether accounts of a role need a second factor; also the body of PUT."""

    EXTENSION: ClassVar[bool] = True

    href: str | None = attribute()
    type: str | None = attribute()
    enterprise_role_uid: str | None = element()
    role_name: str | None = element()
    """Read only."""
    required: bool | None = element()


@dataclass(frozen=True, kw_only=True)
class SecondFactorRules(ResourceType):
    """Which roles ask for a second factor."""

    second_factor_rules: tuple[SecondFactorRule, ...] = repeated("SecondFactorRule")
