"""Event loops of tests: which is as the command line's, and what was left open on one?"""

import warnings
from collections.abc import Callable

import uvloop

_left_open: list[str] = []


class TellingLoop(uvloop.Loop):
    """uvloop's, which ends whatever is open yet, and knows what that was.

    As uvloop (0.23) closes, it warns of each transport that is open, and closes it. Where warnings
    are errors it does not come to the latter: it waits for ever, and no time limit is heard.
    """

    def close(self) -> None:
        """Close, and what is open with it."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            super().close()
        _left_open.extend(str(each.message) for each in told)


UVLOOP: tuple[str, dict[str, Callable[[], uvloop.Loop]]] = (
    "asyncio",
    {"loop_factory": TellingLoop},
)
"""The `anyio_backend` of tests that run as the command line does."""


def left_open() -> list[str]:
    """What was open on loops that were closed since this was asked last."""
    told = _left_open.copy()
    _left_open.clear()
    return told
