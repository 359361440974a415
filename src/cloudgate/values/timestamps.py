"""Timestamps: which moment does a text name, and how is one written?

Both as XML Schema has it (xs:dateTime, 3.2.7).
``24:00:00`` is the beginning of the next day, a fraction may have any number of digits (those
beyond microseconds are cut off), and a time without a zone is UTC.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

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


@lru_cache(4096)
def time_text(moment: datetime) -> str:
    """UTC with ``Z``; a fraction only when there is one, without trailing zeros."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def readable(moment: datetime) -> str:
    """For people, in a sentence: ``2030-12-31 21:05:00 UTC``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def has_come(moment: datetime, now: datetime, longest: timedelta) -> bool:
    """Whether something is due that is put off by `longest` at most.

    What is due later than that was put off by a clock that was ahead, and has been put back since.
    """
    return not now < moment <= now + longest
