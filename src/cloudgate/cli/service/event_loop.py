"""Event loop: on which do the services run? The fastest that the system has."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from cloudgate.processes.freed_memory import give_back_large_blocks

Result = TypeVar("Result")
TURN_SECONDS = 0.0002
"""How long a thread that calculates may keep the interpreter from others: 5 ms by default. A call
of the API lets go of it twenty times, once for each row, and would wait so long for each where a
page of metrics is made beside it."""


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a service to its end."""
    sys.setswitchinterval(TURN_SECONDS)
    give_back_large_blocks()
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop  # noqa: PLC0415  Windows has none

    return uvloop.run(work)
