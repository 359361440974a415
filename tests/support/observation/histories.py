"""Is what several were told, who called at once, what one order of their calls gives?

Linearizability (Herlihy and Wing 1990, https://doi.org/10.1145/78969.78972): there is an order in
which each call is done as a whole, between its beginning and its end, and told what the model is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Call = TypeVar("Call")
State = TypeVar("State")
Told = object


@dataclass(frozen=True)
class Done(Generic[Call]):
    """A call that was answered."""

    call: Call
    told: Told
    began: float
    ended: float


def order_of(
    histories: Sequence[Sequence[Done[Call]]],
    model: Callable[[State, Call], tuple[State, Told]],
    first: State,
) -> list[Done[Call]] | None:
    """One order that explains what each caller was told; None when there is none.

    Args:
        histories: of each caller, in its order.
        model: what a call makes of a state, and what it is told.
        first: the state before.
    """
    seen: set[tuple[State, tuple[int, ...]]] = set()

    def go_on(state: State, at: tuple[int, ...]) -> list[Done[Call]] | None:
        left = [each[place] for each, place in zip(histories, at, strict=True) if place < len(each)]
        if not left:
            return []
        if (state, at) in seen:
            return None
        seen.add((state, at))
        for who, place in enumerate(at):
            if place == len(histories[who]):
                continue
            next_one = histories[who][place]
            if any(other.ended < next_one.began for other in left):
                continue  # that one was over before
            after, told = model(state, next_one.call)
            if told != next_one.told:
                continue
            rest = go_on(after, (*at[:who], place + 1, *at[who + 1 :]))
            if rest is not None:
                return [next_one, *rest]
        return None

    return go_on(first, (0,) * len(histories))
