"""Quota rules: what follows from how much of a quota is used, and when that was measured? Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudgate.errors import InvalidRequestError
from cloudgate.values import fields
from cloudgate.values.units import MB

TRUSTED_FOR = timedelta(days=1)
"""A measurement that is older bars nobody."""
EXCEEDED = "Storage quota of the cloud repository is exceeded."
"""In the words of the original."""
MOST_LEVELS = 8
_FULL = 100


@dataclass(frozen=True, kw_only=True)
class QuotaRules:
    """What a provider wants of the quotas on one repository."""

    warning_percents: tuple[int, ...] = (80, 95)
    """Levels of use that are a warning."""
    grace_percent: int = 10
    """So much more than the quota may be used before new tunnels may only bring data back."""
    enforced: bool = True
    """Whether they ever may only do that."""

    def as_document(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self)

    @property
    def documented(self) -> dict[str, Any]:
        """As the audit log shows them, by the API's names."""
        return {
            "QuotaWarningPercents": list(self.warning_percents),
            "QuotaGracePercent": self.grace_percent,
            "QuotaEnforced": self.enforced,
        }


@dataclass(frozen=True)
class QuotaUse:
    """How much is used of a quota."""

    quota_mb: int
    used_bytes: int
    measured_at: datetime

    @property
    def used_mb(self) -> int:
        """Rounded up."""
        return -(-self.used_bytes // MB)

    def is_trusted(self, now: datetime) -> bool:
        """Whether it is young enough to bar anybody."""
        return now < self.trusted_until

    @property
    def trusted_until(self) -> datetime:
        """Until when it is."""
        return self.measured_at + TRUSTED_FOR


def from_document(document: Mapping[str, Any] | None) -> QuotaRules:
    """From the database, where there may be none yet."""
    if not document:
        return QuotaRules()
    percents = tuple(document.get("warning_percents", QuotaRules.warning_percents))
    return fields.from_document(QuotaRules, document, warning_percents=percents)


def levels(percents: tuple[int, ...]) -> tuple[int, ...]:
    """Levels of use as they are kept: each once, the lowest first; none of them for no warnings.

    Raises:
        InvalidRequestError: one is not below the whole, or they are too many.
    """
    wrong = next((each for each in percents if not 0 < each < _FULL), None)
    if wrong is not None:
        raise InvalidRequestError(
            f"QuotaWarningPercents: found {wrong}, expected 1 to 99; 100 is always a warning."
        )
    found = tuple(sorted(set(percents)))
    if len(found) > MOST_LEVELS:
        raise InvalidRequestError(
            f"QuotaWarningPercents: found {len(found)} levels, expected at most {MOST_LEVELS}."
        )
    return found


def level_of(use: QuotaUse, rules: QuotaRules) -> int:
    """The highest level that the use has reached, in percent; 0 for none, 100 for exceeded."""
    if use.used_bytes > use.quota_mb * MB:
        return _FULL
    reached = [
        each
        for each in rules.warning_percents
        if use.used_bytes * _FULL >= use.quota_mb * MB * each
    ]
    return max(reached, default=0)


def is_full(use: QuotaUse, rules: QuotaRules) -> bool:
    """Whether so much is used that new tunnels may only bring data back, while it is trusted."""
    most = use.quota_mb * MB * (_FULL + rules.grace_percent)
    return rules.enforced and use.used_bytes * _FULL > most


def warning(use: QuotaUse, rules: QuotaRules, now: datetime) -> str:
    """What there is to say to whoever looks at a quota; empty for nothing."""
    level = level_of(use, rules)
    if not level:
        return ""
    used = f"{use.used_mb} MB are used of {use.quota_mb} MB."
    if level < _FULL:
        return f"{level} % of the storage quota are used: {used}"
    said = f"{EXCEEDED} {used}"
    if not is_full(use, rules):
        return said
    if use.is_trusted(now):
        return f"{said} New tunnels may only bring data back."
    return (
        f"{said} That was measured more than a day ago, at {use.measured_at:%Y-%m-%d %H:%M} UTC,"
        " and so bars nobody: see why it was not measured since."
    )


def full_text(endpoint: str, use: QuotaUse, rules: QuotaRules) -> str:
    """What a tenant is told who sends data though its quota is exceeded."""
    grace = f", with {rules.grace_percent} % on top" if rules.grace_percent else ""
    return (
        f"The tenant's quota at {endpoint} is exceeded: {use.used_mb} MB are used of {use.quota_mb}"
        f" MB{grace}. Data may only be brought back; remove backups, or ask the provider for more."
    )
