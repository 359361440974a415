"""Who may only bring data back, or only send it, and for how long?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from cloudgate.host.tunnels.full_targets import egress_reason, full_reason, full_reason_of
from cloudgate.protocol import Target, Tenant, User

REPO = "repo.example:443"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_where_a_tenant_is_gone_no_quota_of_it_bars_anybody() -> None:
    assert full_reason_of(None, None, REPO, NOW) == ""


UNTIL = NOW + timedelta(days=1)
FULL = Target(endpoint=REPO, address="192.0.2.1:1", full="The quota is exceeded.", full_until=UNTIL)
FREE = Target(endpoint="other.example:443", address="192.0.2.1:1")
ANNA, BERT = UUID(int=7), UUID(int=8)
ACME = Tenant(
    tenant_id=UUID(int=1),
    name="acme",
    password_hash="x",
    targets=(FREE, FULL),
    users=(
        User(user_id=ANNA, name="anna", password_hash="x", targets=(FREE,)),
        User(user_id=BERT, name="bert", password_hash="x", targets=(FULL,)),
    ),
    egress_full="The month's egress is used up.",
    egress_full_until=UNTIL,
)


@pytest.mark.parametrize(
    ("at", "bars"), [(NOW, True), (UNTIL - timedelta(microseconds=1), True), (UNTIL, False)]
)
def test_what_is_full_bars_until_its_moment_and_not_at_it(at: datetime, *, bars: bool) -> None:
    assert full_reason(FULL, at) == (FULL.full if bars else "")
    assert egress_reason(ACME, at) == (ACME.egress_full if bars else "")
    assert full_reason_of(ACME, None, REPO, at) == (FULL.full if bars else "")


def test_without_a_moment_nobody_is_barred() -> None:
    assert full_reason(FULL.model_copy(update={"full_until": None}), NOW) == ""
    assert egress_reason(ACME.model_copy(update={"egress_full_until": None}), NOW) == ""
    assert egress_reason(None, NOW) == ""


@pytest.mark.parametrize(
    ("user_id", "endpoint", "bars"),
    [
        (None, REPO, True),
        (None, FREE.endpoint, False),
        (None, "nowhere.example:1", False),
        (BERT, REPO, True),
        (ANNA, REPO, False),  # not among those that she may reach
        (UUID(int=9), REPO, False),  # a user that is gone
    ],
)
def test_a_tunnel_is_barred_by_the_target_of_who_opened_it(
    user_id: UUID | None, endpoint: str, *, bars: bool
) -> None:
    assert bool(full_reason_of(ACME, user_id, endpoint, NOW)) is bars
