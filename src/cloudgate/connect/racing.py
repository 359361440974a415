"""Which gateway answers first? They are asked one beside the other, the best first."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from cloudgate.connect.choosing import Gateway

PATIENCE_SECONDS = 0.4
"""How long a gateway is waited for alone. Two that are dead cost less than a second."""
Found = TypeVar("Found")


async def first_answer(
    gateways: Sequence[Gateway],
    ask: Callable[[Gateway], Coroutine[Any, Any, Found]],
    *,
    failed: Callable[[Gateway, BaseException], None],
    may_begin: Callable[[], bool] = lambda: True,
    discard: Callable[[Found], None] = lambda _: None,
) -> tuple[Gateway, Found] | None:
    """The first that answers, and what it said; None when all have failed.

    Args:
        gateways: the best first.
        ask: asks one of them.
        failed: told which one failed, and how. What it raises ends it all.
        may_begin: whether another one may be asked at this moment, beside those that are.
        discard: told what others have answered at the same moment.
    """
    waiting = list(gateways)
    trying: dict[asyncio.Task[Found], Gateway] = {}
    try:
        while waiting or trying:
            if waiting and may_begin():
                gateway = waiting.pop(0)
                trying[asyncio.create_task(ask(gateway))] = gateway
            done, _ = await asyncio.wait(
                trying,
                timeout=PATIENCE_SECONDS if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                problem = task.exception()
                gateway = trying.pop(task)
                if problem is None:
                    return gateway, task.result()
                failed(gateway, problem)
        return None
    finally:
        for task in trying:
            task.cancel()
        for left in await asyncio.gather(*trying, return_exceptions=True):
            if not isinstance(left, BaseException):
                discard(left)
