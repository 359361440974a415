"""Do both databases say the same of an id and of a time?"""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.storage.raw_values import hex_of, seconds_of


@given(st.uuids())
def test_an_id_of_either_database_has_the_same_digits(identifier: UUID) -> None:
    assert hex_of(identifier) == hex_of(identifier.hex) == identifier.hex


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)))
def test_a_time_of_either_database_is_the_same_second(moment: datetime) -> None:
    told = moment.replace(tzinfo=UTC)
    expected = (told - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    assert seconds_of(str(moment)) == expected
    assert seconds_of(told) == expected
    assert seconds_of(told.astimezone(timezone(timedelta(hours=2)))) == expected
