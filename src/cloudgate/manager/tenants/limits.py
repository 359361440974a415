"""Limits of a tenant: what are they, what do they mean to a gateway, and how are they audited?

The one statement of them. A new one is a field of `Limits`, and what `Limits.to_message`,
`Limits.documented` and `Limits.resource_fields` make of it; the API's bodies have a field of the
same name.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cloudgate import protocol
from cloudgate.values import fields
from cloudgate.values.units import BYTES_PER_SECOND

SHOWN_CONCURRENT_TASKS = 1
"""What the API shows as MaxConcurrentTasks where nobody has set it, as published."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a tenant may use at a time, in the API's words."""

    throttling_enabled: bool = False
    throttling_speed_limit: int = 1
    throttling_speed_unit: str = "MBps"
    max_concurrent_tasks: int | None = None
    """None until somebody sets it; nothing is limited then, nor by 0."""
    egress_quota_mb: int | None = None
    """How much it may bring back in a month; None and 0 for no limit."""
    egress_quota_hard: bool = False
    """Whether new tunnels only send data once that is used up; else it is a warning."""

    @property
    def speed_limit_bytes(self) -> int | None:
        """Each second; None for no limit, which is what one of 0 says, too."""
        if not self.throttling_enabled or not self.throttling_speed_limit:
            return None
        return self.throttling_speed_limit * BYTES_PER_SECOND[self.throttling_speed_unit]

    @property
    def concurrent_tunnels(self) -> int | None:
        """Tunnels at a time; None for no limit."""
        return self.max_concurrent_tasks or None

    @property
    def resource_fields(self) -> dict[str, Any]:
        """As the API shows them, by the names of the fields."""
        known = self.max_concurrent_tasks
        tasks = SHOWN_CONCURRENT_TASKS if known is None else known
        has_egress = bool(self.egress_quota_mb)
        return {
            **vars(self),
            "max_concurrent_tasks": tasks,
            "egress_quota_mb": self.egress_quota_mb or None,
            "egress_quota_hard": self.egress_quota_hard if has_egress else None,
        }

    @property
    def to_message(self) -> protocol.Limits:
        """As gateways are told them."""
        return protocol.Limits(
            speed_limit_bytes=self.speed_limit_bytes, concurrent_tunnels=self.concurrent_tunnels
        )

    @property
    def documented(self) -> dict[str, Any]:
        """As the audit log shows them, by the API's names."""
        speed = f"{self.throttling_speed_limit} {self.throttling_speed_unit}"
        return {
            "Throttling": speed if self.speed_limit_bytes else None,
            "MaxConcurrentTasks": self.concurrent_tunnels,
            "EgressQuotaMb": self.egress_quota_mb or None,
            "EgressQuotaHard": self.egress_quota_hard,
        }

    def as_document(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self)

    def changed(self, wanted: Mapping[str, Any], *, as_shown: bool = False) -> "Limits":
        """With what is wanted, by the names of the fields.

        With `as_shown` it is what was shown, sent back: what was filled in there, nobody chose.
        """
        chosen = {
            name: value
            for name, value in wanted.items()
            if not (as_shown and value == self.resource_fields[name])
        }
        return replace(self, **chosen)


def from_document(document: Mapping[str, Any] | None) -> Limits:
    """From the database, where there may be none yet."""
    return fields.from_document(Limits, document) if document else NONE


NONE = Limits()
"""Of most tenants."""
