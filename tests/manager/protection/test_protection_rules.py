"""How may a repository keep what is deleted, and when is it believed? Rules alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.protection import rules
from cloudgate.manager.protection.rules import (
    Protection,
    ProtectionFinding,
    ProtectionMethod,
    ProtectionRecord,
)

NOW = datetime(2026, 11, 29, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SERVICES = ("vault.example:8443", "10.0.0.5:443")
REST = Protection(method=ProtectionMethod.REST_SERVER, url="https://VAULT.example:8443/cloudgate/")
S3 = Protection(method=ProtectionMethod.S3, url="https://10.0.0.5", bucket="vault", username="key")
SNAPSHOTS = Protection(method=ProtectionMethod.SNAPSHOTS)


def refusal(protection: Protection, password: str = "") -> str:
    with pytest.raises(InvalidRequestError) as caught:
        rules.check(protection, password, SERVICES)
    return caught.value.message


@pytest.mark.parametrize("protection", [REST, S3, SNAPSHOTS], ids=lambda each: each.method)
def test_a_protection_of_what_tenants_reach_may_be_used(protection: Protection) -> None:
    password = "secret" if protection.username else ""
    assert rules.check(protection, password, SERVICES) == protection
    assert rules.from_document(protection.as_document()) == protection


@pytest.mark.parametrize(
    ("protection", "words"),
    [
        (replace(REST, url="https://elsewhere.example:8443/x"), "what tenants reach"),
        (replace(REST, url="https://vault.example/x"), "found vault.example:443"),
        (replace(REST, url="https://vault.example:8443"), "with a path"),
        (replace(REST, url="ftp://vault.example:8443/x"), "expected one such as https"),
        (replace(REST, url=""), "needs Url"),
        (replace(REST, bucket="b"), "Bucket: a BackupProtection with the method RestServer"),
        (replace(REST, username="u"), "belong together"),
        (replace(REST, authority_pem="x"), "CaFile"),
        (replace(S3, username=""), "needs Username and Password"),
        (replace(SNAPSHOTS, url="https://vault.example:8443/x"), "Url: a BackupProtection"),
    ],
)
def test_what_could_not_be_looked_at_is_refused(protection: Protection, words: str) -> None:
    assert words in refusal(protection)


@pytest.mark.parametrize(
    ("protection", "words"),
    [
        (replace(S3, bucket="{tenant}"), "one bucket that all tenants"),
        (replace(S3, url="https://10.0.0.5/vault"), "expected no path"),
        (replace(REST, url="http://vault.example:8443/x", username="u"), "could be read"),
    ],
)
def test_a_password_goes_nowhere_else(protection: Protection, words: str) -> None:
    assert words in refusal(protection, "secret")


def test_what_was_seen_to_be_so_is_believed_for_a_day_while_nobody_can_say() -> None:
    known = rules.record_after(None, ProtectionFinding(holds=True, days=14), NOW)
    assert (known.held, known.warning, known.due_at) == (True, "", NOW + rules.CHECKED_EVERY)
    unsure = rules.record_after(
        known, ProtectionFinding(holds=None, problem="It is away."), NOW + 2 * HOUR
    )
    assert (unsure.held, unsure.days, unsure.held_at) == (True, 14, NOW)
    assert unsure.due_at == NOW + 2 * HOUR + rules.CHECKED_AGAIN_AFTER
    said = rules.warning(unsure, NOW + 3 * HOUR)
    assert said.startswith("It could not be looked whether deleted backups are kept, which was so")
    late = rules.record_after(
        unsure, ProtectionFinding(holds=None, problem="It is away."), NOW + 24 * HOUR
    )
    assert not late.held
    assert rules.warning(late, NOW + 24 * HOUR) == "Deleted backups may not be kept: It is away."


def test_what_is_seen_not_to_be_so_is_believed_at_once() -> None:
    known = rules.record_after(None, ProtectionFinding(holds=True), NOW)
    gone = rules.record_after(
        known, ProtectionFinding(holds=False, problem="It deletes."), NOW + HOUR
    )
    assert (gone.held, gone.held_at) == (False, None)
    unsure = rules.record_after(
        gone, ProtectionFinding(holds=None, problem="It is away."), NOW + 2 * HOUR
    )
    assert not unsure.is_held(NOW + 2 * HOUR)


def test_nothing_seen_for_more_than_a_day_is_said_even_where_nobody_has_looked_since() -> None:
    known = rules.record_after(None, ProtectionFinding(holds=True), NOW)
    assert rules.warning(known, NOW + 23 * HOUR) == ""
    assert "Nobody has looked" in rules.warning(known, NOW + 25 * HOUR)


def test_a_tenant_is_protected_for_as_long_as_the_repository_keeps_things() -> None:
    known = rules.record_after(None, ProtectionFinding(holds=True, days=14), NOW)
    assert rules.why_not("vault", S3, known, 14, NOW) == ""
    assert "for 14 days" in rules.why_not("vault", S3, known, 15, NOW)
    for_ever = rules.record_after(None, ProtectionFinding(holds=True), NOW)
    assert rules.why_not("vault", REST, for_ever, 99, NOW) == ""
    assert "nothing says how" in rules.why_not("vault", None, None, 1, NOW)
    assert "nobody has looked yet" in rules.why_not("vault", REST, None, 1, NOW)
    gone = rules.record_after(None, ProtectionFinding(holds=False, problem="It deletes."), NOW)
    assert "It deletes" in rules.why_not("vault", REST, gone, 1, NOW)


def test_snapshots_are_of_today_or_do_not_count() -> None:
    assert rules.snapshots_of("2026-11-29T03:00:00Z 14\n", NOW) == ProtectionFinding(
        holds=True, days=14
    )
    assert rules.snapshots_of("2026-11-29T05:00:00+02:00 14", NOW).holds
    old = rules.snapshots_of("2026-11-28T03:00:00Z 14", NOW)
    assert old.holds is False
    assert "The newest snapshot is of 2026-11-28 03:00 UTC" in old.problem


def test_a_snapshot_of_a_time_that_is_yet_to_come_does_not_count() -> None:
    assert rules.snapshots_of("2026-11-29T06:05:00Z 14", NOW).holds, "clocks differ a little"
    ahead = rules.snapshots_of("2030-01-01T00:00:00Z 14", NOW)
    assert ahead.holds is False
    assert "is of 2030-01-01 00:00 UTC, which is yet to come" in ahead.problem


def test_what_was_seen_by_a_clock_that_was_ahead_is_not_believed_once_it_is_put_back() -> None:
    ahead = rules.record_after(None, ProtectionFinding(holds=True, days=14), NOW + 48 * HOUR)
    assert not ahead.is_held(NOW)
    assert "at 2026-12-01 06:00 UTC, which is yet to come" in rules.warning(ahead, NOW)
    unsure = ProtectionFinding(holds=None, problem="It is away.")
    assert not rules.record_after(ahead, unsure, NOW).held
    a_little = rules.record_after(None, ProtectionFinding(holds=True), NOW + HOUR / 12)
    assert a_little.is_held(NOW)
    assert rules.warning(a_little, NOW) == ""


@given(st.text(max_size=40))
def test_whatever_a_program_says_is_snapshots_or_is_none(text: str) -> None:
    try:
        found = rules.snapshots_of(text, NOW)
    except ValueError:
        return
    assert found.holds is not None


@given(
    st.builds(
        ProtectionRecord,
        checked_at=st.just(NOW),
        due_at=st.just(NOW + HOUR),
        held_at=st.none() | st.just(NOW - HOUR),
        days=st.none() | st.integers(1, 9999),
        warning=st.text(max_size=20),
        held=st.booleans(),
    )
)
def test_what_is_known_comes_back_from_the_database_as_it_was(known: ProtectionRecord) -> None:
    assert rules.known_from_document(known.as_document()) == known
