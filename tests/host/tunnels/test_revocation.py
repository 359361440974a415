"""Which tunnels have to end, at once or with the drain, and which may go on?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.access_log.tunnel_metadata import (
    revocation_epoch_of,
)
from cloudgate.host.tunnels.accounting import Tunnel as Known
from cloudgate.host.tunnels.revocation import Revocation, revocation_of
from cloudgate.protocol import EndedCertificate, EndedTarget, Tenant, User

REPO = "repo.example:443"
GOLD = UUID(int=71)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


TUNNEL = Known(
    tunnel="t",
    slot_id="p",
    envoy="e",
    started_at=NOW,
    tenant_id=UUID(int=1),
    user_id=None,
    target=REPO,
    client="192.0.2.1:5",
    from_address="",
    revocation_epoch=revocation_epoch_of(NOW),
)


ACME = Tenant(tenant_id=UUID(int=1), name="Acme", password_hash="x")


@pytest.mark.parametrize(
    ("change", "pool_id", "expected"),
    [
        ({}, None, None),
        ({"targets": ()}, None, None),
        ({"expires_at": NOW + timedelta(seconds=1)}, None, None),
        ({"tunnels_end_before": NOW}, None, None),
        ({"tunnels_end_before": NOW - timedelta(seconds=1)}, None, None),
        (
            {"tunnels_end_before": NOW + timedelta(microseconds=1)},
            None,
            Revocation("the tenant's tunnels were ended"),
        ),
        ({"pool_ids": (GOLD,)}, GOLD, None),
        ({"pool_ids": (GOLD,), "failover_to_others": True}, None, None),
        ({"pool_ids": (GOLD,)}, None, Revocation("the gateway was set apart for others", False)),
        ({}, GOLD, Revocation("the gateway was set apart for others", False)),
        ({"enabled": False}, GOLD, Revocation("the tenant was disabled")),
    ],
)
def test_only_what_is_against_the_tenant_itself_ends_a_tunnel(
    change: dict[str, object], pool_id: UUID | None, expected: Revocation | None
) -> None:
    assert revocation_of(TUNNEL, ACME.model_copy(update=change), NOW, pool_id) == expected


LATER = NOW + timedelta(seconds=1)


HERE, THERE = (EndedTarget(endpoint=each, before=LATER) for each in (REPO, "other.example:1"))


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        ({"ended_targets": (THERE, HERE)}, True),
        ({"ended_targets": (THERE,)}, False),
        ({"ended_targets": (THERE,), "all_end_before": NOW}, False),
        ({"ended_targets": (THERE,), "all_end_before": LATER}, True),
        ({"ended_targets": (HERE.model_copy(update={"before": NOW}),)}, False),
    ],
)
def test_where_tunnels_to_some_targets_were_ended_those_to_others_go_on(
    change: dict[str, object], *, ends: bool
) -> None:
    acme = ACME.model_copy(update={"tunnels_end_before": LATER, **change})
    for user in (None, User(user_id=UUID(int=7), name="anna", password_hash="x")):
        users = () if user is None else (user,)
        tunnel = replace(TUNNEL, user_id=user.user_id if user else None)
        found = revocation_of(tunnel, acme.model_copy(update={"users": users}), NOW, None)
        assert (found is not None) == ends


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"revocation_epoch": ""}, Revocation("the tenant's tunnels were ended")),
        ({"revocation_epoch": None}, None),
        (
            {"revocation_epoch": None, "started_at": NOW - timedelta(seconds=1)},
            Revocation("the tenant's tunnels were ended"),
        ),
    ],
)
def test_a_tunnel_of_a_time_before_its_tenants_were_ended_ends(
    known: dict[str, Any], expected: Revocation | None
) -> None:
    acme = ACME.model_copy(update={"tunnels_end_before": NOW})
    assert revocation_of(replace(TUNNEL, **known), acme, NOW, None) == expected


def test_the_tunnels_of_a_tenant_that_is_gone_end_at_once() -> None:
    assert revocation_of(TUNNEL, None, NOW, None) == Revocation("the tenant was removed")


ANNA = User(user_id=UUID(int=7), name="anna", password_hash="x")


@pytest.mark.parametrize(
    ("users", "reason"),
    [
        ((ANNA,), None),
        ((), "the tenant's user was removed"),
        ((ANNA.model_copy(update={"user_id": UUID(int=8)}),), "the tenant's user was removed"),
        ((ANNA.model_copy(update={"enabled": False}),), "the tenant's user was disabled"),
        (
            (ANNA.model_copy(update={"tunnels_end_before": LATER}),),
            "the tunnels of the tenant's user were ended",
        ),
        ((ANNA.model_copy(update={"tunnels_end_before": NOW}),), None),
        (
            (ANNA.model_copy(update={"networks": (), "outside_end_before": LATER}),),
            "the tenant's user may not come from there any more",
        ),
    ],
)
def test_what_is_against_a_user_ends_its_tunnels_and_no_others(
    users: tuple[User, ...], reason: str | None
) -> None:
    acme = ACME.model_copy(update={"users": users})
    hers = revocation_of(replace(TUNNEL, user_id=ANNA.user_id), acme, NOW, None)
    assert (hers.reason if hers else None) == reason
    assert revocation_of(TUNNEL, acme, NOW, None) is None


@pytest.mark.parametrize(
    ("networks", "before", "came_from", "ends"),
    [
        (("192.0.2.0/24",), LATER, "", False),
        (("198.51.100.0/24",), LATER, "", True),
        (("198.51.100.0/24",), NOW, "", False),  # opened after those from elsewhere were ended
        (("198.51.100.0/24",), None, "", False),
        ((), LATER, "", True),
        (None, LATER, "", False),
        (("198.51.100.0/24",), LATER, "198.51.100.7:9", False),  # as a load balancer says
        (("192.0.2.0/24",), LATER, "198.51.100.7:9", True),
        (("2001:db8::/32",), LATER, "[2001:db8::7]:9", False),
    ],
)
def test_who_comes_from_elsewhere_ends_where_those_were_ended(
    networks: tuple[str, ...] | None, before: datetime | None, came_from: str, *, ends: bool
) -> None:
    acme = ACME.model_copy(update={"networks": networks, "outside_end_before": before})
    found = revocation_of(replace(TUNNEL, came_from=came_from), acme, NOW, None)
    assert (found is not None) is ends
    assert found is None or found.at_once


@pytest.mark.parametrize(
    ("certificate", "ends"), [(5, True), (6, False), (7, False), (None, False)]
)
def test_a_revoked_certificate_ends_the_tunnels_that_came_in_by_it_where_that_was_asked_for(
    certificate: int | None, *, ends: bool
) -> None:
    ended = (
        EndedCertificate(certificate_id=UUID(int=5), tunnels_end=True),
        EndedCertificate(certificate_id=UUID(int=6)),
    )
    came_by = UUID(int=certificate) if certificate else None
    acme = ACME.model_copy(update={"ended_certificates": ended})
    found = revocation_of(replace(TUNNEL, certificate_id=came_by), acme, NOW, None)
    assert found == (Revocation("the certificate was revoked") if ends else None)


@given(
    st.lists(st.uuids(), max_size=2).map(tuple),
    st.booleans(),
    st.integers(-1, 1),
    st.booleans(),
)
def test_rights_to_targets_limits_and_passwords_end_no_tunnel(
    pool_ids: tuple[UUID, ...], failover: bool, later: int, enabled: bool
) -> None:
    """What a tenant may reach and how fast is no reason; who it is, and until when, is."""
    whole = ACME.model_copy(
        update={
            "pool_ids": pool_ids,
            "failover_to_others": failover,
            "enabled": enabled,
            "expires_at": NOW + later * timedelta(seconds=1),
        }
    )
    less = whole.model_copy(
        update={
            "targets": (),
            "concurrent_tunnels": 0,
            "speed_limit_bytes": 1,
            "password_hash": "",
            "egress_full": "used up",
            "egress_full_until": LATER,
        }
    )
    for pool_id in (None, GOLD, *pool_ids):
        found = revocation_of(TUNNEL, whole, NOW, pool_id)
        assert revocation_of(TUNNEL, less, NOW, pool_id) == found
        assert (found is not None and found.at_once) == (not enabled or later <= 0)
