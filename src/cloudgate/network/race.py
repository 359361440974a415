"""Race: which of several answers first, where they are asked side by side, best first?"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

Candidate = TypeVar("Candidate")
Found = TypeVar("Found")


async def race(
    candidates: Sequence[Candidate],
    ask: Callable[[Candidate], Coroutine[Any, Any, Found]],
    *,
    patience_seconds: float,
    failed: Callable[[Candidate, BaseException], None],
    may_begin: Callable[[], bool] = lambda: True,
    discard: Callable[[Found], None] = lambda _: None,
) -> tuple[Candidate, Found] | None:
    """The first that answers, and what it said; None when all have failed.

    Args:
        candidates: the best first.
        ask: asks one of them.
        patience_seconds: how long one is waited for alone.
        failed: told which one failed, and how. What it raises ends it all.
        may_begin: whether another one may be asked at this moment, beside those that are.
        discard: told what others have answered at the same moment.
    """
    waiting = list(candidates)
    trying: dict[asyncio.Task[Found], Candidate] = {}
    try:
        while waiting or trying:
            if waiting and may_begin():
                candidate = waiting.pop(0)
                trying[asyncio.create_task(ask(candidate))] = candidate
            done, _ = await asyncio.wait(
                trying,
                timeout=patience_seconds if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                problem = task.exception()
                candidate = trying.pop(task)
                if problem is None:
                    return candidate, task.result()
                failed(candidate, problem)
        return None
    finally:
        for task in trying:
            task.cancel()
        for left in await asyncio.gather(*trying, return_exceptions=True):
            if not isinstance(left, BaseException):
                discard(left)
