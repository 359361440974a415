"""Moments: which one does a text name? As XML Schema writes them (xs:dateTime, 3.2.7).

``24:00:00`` is the beginning of the next day, a fraction may have any number of digits (those
beyond microseconds are cut off), and a time without a zone is UTC.
"""

import re
from datetime import UTC, datetime, timedelta

_END_OF_DAY = re.compile(r"T24:00:00(?:\.0+)?(?=$|Z|[+-])")


def parse(text: str) -> datetime:
    """The moment, in UTC; a date alone is its beginning.

    Raises:
        ValueError: there is no such moment.
    """
    usual, is_end_of_day = _END_OF_DAY.subn("T00:00:00", text.strip())
    moment = datetime.fromisoformat(usual)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return (moment + timedelta(days=is_end_of_day)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond all years.") from None


def has_come(moment: datetime, now: datetime, longest: timedelta) -> bool:
    """Whether something is due that is put off by `longest` at most.

    What is due later than that was put off by a clock that was ahead, and has been put back since.
    """
    return not now < moment <= now + longest
