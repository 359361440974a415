"""Does the search for an order find one, and none where there is none?"""

import pytest

from tests.support.observation.histories import Done, order_of

Call = tuple[str, int]


def counter(state: int, call: Call) -> tuple[int, object]:
    """A number that is set, and read."""
    verb, value = call
    return (value, None) if verb == "set" else (state, state)


def done(verb: str, value: int, told: object, began: float, ended: float) -> Done[Call]:
    return Done((verb, value), told, began, ended)


def test_calls_at_once_may_be_in_any_order() -> None:
    one = [done("set", 1, None, 0, 10)]
    for told in (0, 1):
        other = [done("get", 0, told, 1, 2)]
        assert order_of([one, other], counter, 0) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # What was read is older than what was over before.
        ([done("set", 1, None, 0, 1)], [done("get", 0, 0, 2, 3)]),
        # New, and then old.
        ([done("set", 1, None, 0, 9)], [done("get", 0, 1, 1, 2), done("get", 0, 0, 3, 4)]),
        # A change that is lost.
        ([done("set", 1, None, 0, 1)], [done("set", 2, None, 2, 3), done("get", 0, 1, 4, 5)]),
        # What nobody has set.
        ([done("set", 1, None, 0, 9)], [done("get", 0, 3, 1, 2)]),
    ],
)
def test_what_no_order_gives_is_found(one: list[Done[Call]], other: list[Done[Call]]) -> None:
    assert order_of([one, other], counter, 0) is None
