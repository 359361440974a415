"""What follows from how much of a quota is used, and when that was measured?"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.quotas.rules import (
    TRUSTED_FOR,
    QuotaRules,
    QuotaUse,
    from_document,
    full_text,
    is_full,
    level_of,
    levels,
    warning,
)
from cloudgate.values.units import MB

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
USUAL = QuotaRules()


def use(used_mb: float, quota_mb: int = 1000, at: datetime = NOW) -> QuotaUse:
    return QuotaUse(quota_mb, round(used_mb * MB), at)


@pytest.mark.parametrize(
    ("used_mb", "level", "full"),
    [
        (0, 0, False),
        (799.9, 0, False),
        (800, 80, False),
        (949.9, 80, False),
        (950, 95, False),
        (1000, 95, False),
        (1000.1, 100, False),
        (1100, 100, False),
        (1100.1, 100, True),
    ],
)
def test_levels_and_grace_are_of_the_quota(used_mb: float, level: int, full: bool) -> None:
    assert level_of(use(used_mb), USUAL) == level
    assert is_full(use(used_mb), USUAL) is full


@given(st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 1000))
def test_who_uses_more_is_never_at_a_lower_level(one: int, more: int, grace: int) -> None:
    wanted = QuotaRules(grace_percent=grace)
    less, both = QuotaUse(10**6, one, NOW), QuotaUse(10**6, one + more, NOW)
    assert level_of(less, wanted) <= level_of(both, wanted)
    assert is_full(less, wanted) <= is_full(both, wanted)
    assert not is_full(less, wanted) or level_of(less, wanted) == 100


def test_a_provider_may_bar_nobody_or_without_grace() -> None:
    assert not is_full(use(5000), QuotaRules(enforced=False))
    assert is_full(use(1000.1), QuotaRules(grace_percent=0))
    assert level_of(use(990), QuotaRules(warning_percents=())) == 0


def test_warnings_say_how_much_is_used_of_what_and_what_follows() -> None:
    assert warning(use(10), USUAL, NOW) == ""
    assert warning(use(811), USUAL, NOW) == (
        "80 % of the storage quota are used: 811 MB are used of 1000 MB."
    )
    exceeded = "Storage quota of the cloud repository is exceeded. 1050 MB are used of 1000 MB."
    assert warning(use(1050), USUAL, NOW) == exceeded
    assert warning(use(1200), USUAL, NOW).endswith("New tunnels may only bring data back.")


def test_a_measurement_of_more_than_a_day_ago_says_that_it_bars_nobody() -> None:
    said = warning(use(1200, at=NOW - TRUSTED_FOR), USUAL, NOW)
    assert "measured more than a day ago, at 2025-12-31 12:00 UTC, and so bars nobody" in said
    almost = NOW - TRUSTED_FOR + timedelta(seconds=1)
    assert "bars nobody" not in warning(use(1200, at=almost), USUAL, NOW)


def test_a_tenant_is_told_how_much_is_used_of_what_and_what_to_do() -> None:
    assert full_text("v.example:1", use(1200), USUAL) == (
        "The tenant's quota at v.example:1 is exceeded: 1200 MB are used of 1000 MB, with 10 % on"
        " top. Data may only be brought back; remove backups, or ask the provider for more."
    )


def test_rules_are_the_same_after_they_were_kept() -> None:
    wanted = QuotaRules(warning_percents=(50,), grace_percent=0, enforced=False)
    assert from_document(wanted.as_document()) == wanted
    assert from_document(None) == USUAL
    assert levels((95, 80, 95)) == (80, 95)


@pytest.mark.parametrize("percents", [(0,), (100,), tuple(range(1, 10))])
def test_levels_that_cannot_be_are_refused(percents: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequestError, match="QuotaWarningPercents: found"):
        levels(percents)
