"""Is a caller's trace context read as W3C has it, and made where there is none?"""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import get_contextvars

from cloudgate.trace_context import LOG_KEY, begin, current, following, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{SPAN}-01"
NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01more",
        f" {HEADER}",
        f"{HEADER}\n",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
    ],
)
def test_what_is_no_trace_context_is_none(text: str) -> None:
    assert parse(text) is None
    made = begin([text], NOW)
    assert made.trace_id != TRACE
    assert made.parent_id == ""


@pytest.mark.parametrize("text", [HEADER, f"01-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what"])
def test_a_version_that_is_newer_is_read_as_far_as_it_is_known(text: str) -> None:
    found = begin([text], NOW)
    assert (found.trace_id, found.parent_id, found.is_sampled) == (TRACE, SPAN, True)
    assert found.span_id != SPAN
    assert found.began_at == NOW


def test_who_names_two_contexts_names_none() -> None:
    assert begin([HEADER, HEADER], NOW).trace_id != TRACE
    assert begin([], NOW).trace_id != begin([], NOW).trace_id


@given(st.integers(0, 255))
def test_only_the_flag_for_sampling_is_passed_on(flags: int) -> None:
    found = parse(f"00-{TRACE}-{SPAN}-{flags:02x}")
    assert found is not None
    assert found.header == f"00-{TRACE}-{SPAN}-{flags & 1:02x}"


@given(st.text(max_size=60))
def test_what_is_read_can_be_said_again(text: str) -> None:
    found = parse(text)
    assert found is None or parse(found.header) == found


def test_what_is_made_can_be_read() -> None:
    made = begin([], NOW)
    found = parse(made.header)
    assert found is not None
    assert (found.trace_id, found.span_id) == (made.trace_id, made.span_id)


def test_pieces_of_work_beside_each_other_have_their_own() -> None:
    async def work() -> bool:
        with following(mine := begin([], NOW)):
            await asyncio.sleep(0)
            return current() is mine and get_contextvars()[LOG_KEY] == mine.trace_id

    async def both() -> bool:
        return all(await asyncio.gather(work(), work()))

    assert asyncio.run(both())
    assert current() is None
    assert LOG_KEY not in get_contextvars()
    with following(None):
        assert current() is None
