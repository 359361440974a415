"""Query counts: what was counted is counted again once anything has changed, and not before."""

import pytest

from cloudgate.manager.registries import query_counts
from cloudgate.manager.registries.query_counts import QueryCounts


def test_a_query_is_counted_once_for_each_state() -> None:
    counts, counted = QueryCounts(), list[int]()

    def total(query: str, changes: int, there_are: int) -> int:
        def count() -> int:
            counted.append(there_are)
            return there_are

        return counts.total(query, changes, count)

    assert total("tenants", 1, 7) == 7
    assert total("tenants", 1, 8) == 7, "nothing has changed"
    assert total("gateways", 1, 3) == 3
    assert total("tenants", 2, 8) == 8
    assert counted == [7, 3, 8]


def test_of_many_queries_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_counts, "MOST", 2)
    counts = QueryCounts()
    for number in range(3):
        assert counts.total(number, 1, lambda: 10) == 10
    assert [counts.total(each, 1, lambda: 20) for each in (2, 1, 0)] == [10, 10, 20]
