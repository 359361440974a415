"""Does a line say of a tunnel what was known of it when it was let in?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.access_log.tunnel_metadata import (
    TunnelMetadata,
    is_revoked,
    revocation_epoch_of,
)


@given(
    slot_id=st.text("0123456789abcdef", max_size=16),
    tenant_id=st.uuids(),
    user_id=st.none() | st.uuids(),
    ended=st.none() | st.datetimes(timezones=st.just(UTC)),
    restoring=st.booleans(),
)
def test_metadata_is_read_as_it_was_written(
    slot_id: str, tenant_id: UUID, user_id: UUID | None, ended: datetime | None, restoring: bool
) -> None:
    written = TunnelMetadata(slot_id, tenant_id, user_id, revocation_epoch_of(ended), restoring)
    assert TunnelMetadata.read(str(written)) == written
    assert not is_revoked(written.revocation_epoch, ended)


WHOSE = UUID(int=1)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    st.builds(
        TunnelMetadata,
        slot_id=st.text("0123456789abcdef", max_size=16),
        tenant_id=st.uuids(),
        user_id=st.none() | st.uuids(),
        revocation_epoch=st.just("")
        | st.datetimes(timezones=st.just(UTC)).map(revocation_epoch_of),
        restoring=st.booleans(),
        over_quota=st.booleans(),
        over_egress=st.booleans(),
        came_from=st.sampled_from(["", "192.0.2.1:5", "[2001:db8::1]:65535"]),
        certificate_id=st.none() | st.uuids(),
    )
)
def test_whatever_was_known_comes_back_and_has_room_in_a_line(known: TunnelMetadata) -> None:
    assert TunnelMetadata.read(str(known)) == known
    assert "\n" not in str(known)
    assert len(str(known)) < 300


@given(st.text() | st.lists(st.sampled_from(["-", str(WHOSE), "x", ""])).map(" ".join))
def test_what_is_none_is_no_metadata_and_nothing_worse(text: str) -> None:
    try:
        found = TunnelMetadata.read(text)
    except ValueError:
        return
    assert TunnelMetadata.read(str(found)) == found


def test_what_a_later_release_adds_is_passed_over() -> None:
    told = f"{TunnelMetadata('p', WHOSE, restoring=True)} faster from=192.0.2.1:5 colour=red"
    found = TunnelMetadata.read(told)
    assert found == TunnelMetadata("p", WHOSE, restoring=True, came_from="192.0.2.1:5")


@pytest.mark.parametrize(
    ("known", "ended", "revoked"),
    [
        (None, None, False),
        (None, MOMENT, True),
        (MOMENT, None, False),
        (MOMENT, MOMENT, False),
        (MOMENT, MOMENT - timedelta(microseconds=1), False),
        (MOMENT, MOMENT + timedelta(microseconds=1), True),
    ],
)
def test_only_what_was_ended_after_a_tunnel_was_let_in_ends_it(
    known: datetime | None, ended: datetime | None, *, revoked: bool
) -> None:
    assert is_revoked(revocation_epoch_of(known), ended) is revoked
