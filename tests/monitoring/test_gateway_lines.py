"""Is of a gateway shown what its host has counted, and no label that a host makes up?"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.monitoring.gateway_lines import (
    CLOCK_SET_SECONDS,
    COARSE_BYTES,
    FAMILIES,
    LEAST_FULL,
    OTHER,
    PROCESSES,
    RESOURCES,
    begun_at,
    blocks,
)
from cloudgate.protocol import SETUP_BUCKETS_SECONDS, Distribution, Figures, Refusal, Restraint


def shown(figures: Figures, began_at: float = 0.0) -> dict[tuple[str, str], float]:
    """By metric and its last label: what a page has of one gateway."""
    lines = b"".join(blocks(figures, "gw", "site", began_at)).decode().splitlines()
    found = {}
    for line in lines:
        match = re.fullmatch(r'(\w+)\{gateway="gw",site="site"(?:,\w+="([^"]*)")?\} (\S+)', line)
        assert match, line
        key = (match[1].removeprefix("cloudgate_gateway_"), match[2] or "")
        assert key not in found, line
        found[key] = float(match[3])
    return found


def figures(**said: object) -> Figures:
    return Figures.model_validate({"run": "a", "uptime_seconds": 1.0, **said})


kinds = st.sampled_from([each.value for each in Refusal]) | st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20
)


@given(st.dictionaries(kinds, st.integers(0, 2**40), max_size=9))
def test_what_was_refused_is_all_there_and_under_reasons_that_are_known(
    refused: dict[str, int],
) -> None:
    found = {
        label: value
        for (name, label), value in shown(figures(refused=refused)).items()
        if name == "refused_total"
    }
    assert set(found) <= {each.value for each in Refusal} | {OTHER}
    assert sum(found.values()) == sum(refused.values())
    for reason in Refusal:
        if reason is not Refusal.OTHER and reason.value in refused:
            assert found[reason.value] == refused[reason.value]


def test_labels_that_a_host_makes_up_are_nobodys() -> None:
    made_up = {'a"} 1': 0.9, "envoy ": 0.9}
    said = figures(
        held_back_seconds={"limit": 1.5, "a": 2.0, "b": 3.0},
        full={**made_up, "memory": LEAST_FULL, "disk": LEAST_FULL - 0.001},
        cpu_seconds={**made_up, "envoy": 7.5},
        memory_bytes={**made_up, "host": 1.0},
    )
    found = shown(said)
    assert {label for name, label in found if name == "full_ratio"} == {"memory"}
    assert {label for name, label in found if name == "cpu_seconds_total"} == {"envoy"}
    assert {label for name, label in found if name == "memory_bytes"} == {"host"}
    assert found["held_back_seconds_total", Restraint.LIMIT.value] == 1.5
    assert found["held_back_seconds_total", OTHER] == 5.0
    assert "memory" in RESOURCES
    assert {"envoy", "host"} == PROCESSES


def test_what_is_not_known_has_no_line_and_what_is_zero_has_one() -> None:
    unknown = shown(figures())
    for name in ("handshakes_total", "connections", "clock_skew_seconds", "disk_free_bytes"):
        assert (name, "") not in unknown
    known = shown(figures(handshakes=0, connections=0, clock_ahead_seconds=0, disk_free_bytes=0))
    for name in ("handshakes_total", "connections", "clock_skew_seconds", "disk_free_bytes"):
        assert known[name, ""] == 0
    assert unknown["tunnels", ""] == 0


@given(st.floats(0, 1e15))
def test_sizes_are_told_to_a_million_bytes(size: float) -> None:
    found = shown(figures(disk_free_bytes=size, memory_bytes={"envoy": size}))
    assert abs(found["disk_free_bytes", ""] - size) <= COARSE_BYTES / 2
    assert found["disk_free_bytes", ""] % COARSE_BYTES == 0
    assert found["memory_bytes", "envoy"] == found["disk_free_bytes", ""]


def test_times_with_another_number_of_counts_than_there_are_buckets_are_left_out() -> None:
    right = len(SETUP_BUCKETS_SECONDS) + 1
    for number in (0, right - 1, right):
        said = figures(setup=Distribution(counts=(1,) * number, sum_seconds=1))
        there = any(b"setup_seconds" in each for each in blocks(said, "gw", "site", 0))
        assert there is (number == right)


def test_there_is_a_block_for_each_family_in_their_order() -> None:
    made = blocks(figures(tunnels_live=3), "gw", "site", 0)
    assert len(made) == len(FAMILIES)
    assert made[FAMILIES.index("cloudgate_gateway_tunnels")].endswith(b" 3\n")


@pytest.mark.parametrize(
    ("before", "began"),
    [
        (None, 900),
        (900.0, 900),
        (901.0, 901),  # a little late one time: it is the same process
        (900.0 - CLOCK_SET_SECONDS + 1, 871),
        (900.0 - CLOCK_SET_SECONDS, 900),  # its clock was set
        (0.0, 900),
    ],
)
def test_a_process_has_begun_when_it_was_first_said_to(before: float | None, began: int) -> None:
    assert begun_at(1000.0, 100.0, before) == began
