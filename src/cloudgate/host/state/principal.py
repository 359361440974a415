"""Principal: who can log on at this gateway? A tenant, or one of its users. Pure."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.protocol import Target, Tenant, User
from cloudgate.values import precis


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whom the directory knows: a tenant, or one of its users."""

    tenant: Tenant
    user: User | None = None

    @property
    def name(self) -> str:
        """As the logs show it."""
        return f"{self.tenant.name}\\{self.user.name}" if self.user else self.tenant.name

    def is_same(self, other: "Principal | None") -> bool:
        """Whether another one is the same tenant, or the same user of it."""
        if other is None or other.tenant.tenant_id != self.tenant.tenant_id:
            return False
        return (self.user and self.user.user_id) == (other.user and other.user.user_id)

    @property
    def password_hash(self) -> str:
        """Of the password that belongs to it; empty when it cannot log in."""
        return self.user.password_hash if self.user else self.tenant.password_hash

    def hashes(self, now: datetime) -> tuple[str, ...]:
        """Of the passwords that are good: the one that belongs to it, then the one of before."""
        who = self.user or self.tenant
        until = who.old_password_until
        if not who.password_hash or not who.old_password_hash or until is None or until <= now:
            return (who.password_hash,)
        return (who.password_hash, who.old_password_hash)

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it may reach."""
        return self.user.targets if self.user else self.tenant.targets

    @property
    def tunnels_ended_at(self) -> datetime | None:
        """When an operator last ended tunnels of it, be it some; None when that never was."""
        ends = [self.tenant.tunnels_end_before, self.tenant.outside_end_before]
        if self.user:
            ends += [self.user.tunnels_end_before, self.user.outside_end_before]
        return max(filter(None, ends), default=None)


def tenant_key(name: str) -> str:
    """What is equal for all spellings of a tenant's name."""
    return precis.key(name)
