"""Tunnel metadata: what does the authorizer hand a tunnel, for each line about it? Pure.

Envoy keeps it for as long as the tunnel lives, so it is short.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Self
from uuid import UUID

_NOTHING = "-"
_RESTORING = "restoring"
_OVER_QUOTA = "over-quota"
_OVER_EGRESS = "over-egress"
_FROM = "from="
_CERTIFICATE = "certificate="
_uuid = lru_cache(4096)(UUID)
"""Each line names one of a few tenants, which thousands of tunnels share."""


@dataclass(frozen=True, slots=True)
class TunnelMetadata:
    """Whose tunnel it is, and what was known of them when it was let in."""

    slot_id: str
    """Of the slot that it takes among the tenant's."""
    tenant_id: UUID
    user_id: UUID | None = None
    revocation_epoch: str = ""
    """The last time that its tenant's tunnels were ended, see `revocation_epoch_of`."""
    restoring: bool = False
    """It began in maintenance, and may only bring data back."""
    over_quota: bool = False
    """It began while its tenant's quota was exceeded, and may only bring data back."""
    over_egress: bool = False
    """It began while what its tenant may bring back in a month was used up: it may only send."""
    came_from: str = ""
    """Address and port that it is for, where a load balancer has said so; else those of its
    connection are."""
    certificate_id: UUID | None = None
    """Of the certificate that it came in by; None where that was a password."""

    def __str__(self) -> str:
        user = str(self.user_id) if self.user_id else _NOTHING
        words = (
            self.slot_id or _NOTHING,
            str(self.tenant_id),
            user,
            self.revocation_epoch or _NOTHING,
        )
        more = []
        if self.restoring:
            more.append(_RESTORING)
        if self.over_quota:
            more.append(_OVER_QUOTA)
        if self.over_egress:
            more.append(_OVER_EGRESS)
        if self.came_from:
            more.append(f"{_FROM}{self.came_from}")
        if self.certificate_id:
            more.append(f"{_CERTIFICATE}{self.certificate_id.hex}")
        return " ".join((*words, *more))

    @classmethod
    def read(cls, text: str) -> Self:
        """The metadata that a text stands for.

        Raises:
            ValueError: it is none.
        """
        slot_id, tenant, user, revocation_epoch, *more = text.split(" ")
        whose = (
            _word(slot_id),
            _uuid(tenant),
            _uuid(user) if _word(user) else None,
            intern(_word(revocation_epoch)),
        )
        if not more:  # as of nearly all
            return cls(*whose)
        certificate = _value_of(more, _CERTIFICATE)
        return cls(
            *whose,
            restoring=_RESTORING in more,
            over_quota=_OVER_QUOTA in more,
            over_egress=_OVER_EGRESS in more,
            came_from=_value_of(more, _FROM),
            certificate_id=UUID(certificate) if certificate else None,
        )


def revocation_epoch_of(tunnels_end_before: datetime | None) -> str:
    """Names the time since an operator last ended a tenant's tunnels; empty when that never was."""
    return tunnels_end_before.isoformat() if tunnels_end_before else ""


def is_revoked(revocation_epoch: str, tunnels_end_before: datetime | None) -> bool:
    """Whether the tenant's tunnels were ended after that epoch had begun.

    Both moments are the manager's, so that the clock of the gateway does not matter.
    """
    if tunnels_end_before is None:
        return False
    return not revocation_epoch or datetime.fromisoformat(revocation_epoch) < tunnels_end_before


def _value_of(words: list[str], name: str) -> str:
    return next((each[len(name) :] for each in words if each.startswith(name)), "")


def _word(text: str) -> str:
    return "" if text == _NOTHING else text
