"""Does a trace show a change from its request to its end, and each part where it was?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.jobs.spans import Span, spans_of
from cloudgate.manager.registries.task_timelines import EndedTask, Step, StepName

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRACE, REQUEST, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "53995c3f42cd8ad8"
SAMPLED = f"00-{TRACE}-{REQUEST}-01"
ONE, TWO = UUID(int=1), UUID(int=2)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def ended(*steps: Step, trace: str = SAMPLED, success: bool = True) -> EndedTask:
    return EndedTask(
        number=7,
        operation="CreateCloudGateway",
        success=success,
        steps=steps,
        trace=trace,
        parent_id=CALLER,
    )


STEPS = (
    Step(StepName.RECEIVED, at(0)),
    Step(StepName.STARTED, at(1)),
    Step(StepName.COMMITTED, at(3)),
    Step(StepName.TOLD, at(4), ONE),
    Step(StepName.TOLD, at(5), TWO),
    Step(StepName.APPLIED, at(7), ONE),
    Step(StepName.READ_BACK, at(8), ONE),
    Step(StepName.READ_BACK, at(10), TWO),
    Step(StepName.DIALLED, at(11)),
    Step(StepName.FINISHED, at(12)),
)


def test_each_part_begins_where_the_one_before_it_ended_at_the_same_server() -> None:
    whole, *parts = spans_of(ended(*STEPS, success=False))
    expected = Span(
        "CreateCloudGateway", TRACE, REQUEST, CALLER, at(0), at(12), {"cloudgate.task": 7}, False
    )
    assert whole == expected
    found = [
        (each.name, each.began_at, each.ended_at, each.attributes.get("cloudgate.server"))
        for each in parts
    ]
    one, two = str(ONE), str(TWO)
    assert found == [
        ("read request", at(0), at(1), None),
        ("transaction", at(1), at(3), None),
        ("tell host", at(3), at(4), one),
        ("tell host", at(3), at(5), two),
        ("apply", at(4), at(7), one),
        ("read back", at(7), at(8), one),
        ("read back", at(5), at(10), two),
        ("dial gateway", at(10), at(11), None),
    ]
    assert {each.parent_id for each in parts} == {REQUEST}


@pytest.mark.parametrize("trace", ["", "nonsense", f"00-{TRACE}-{REQUEST}-00"])
def test_who_keeps_no_traces_is_sent_none(trace: str) -> None:
    assert spans_of(ended(*STEPS, trace=trace)) == ()


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(StepName),
        st.integers(0, 100).map(at),
        st.none() | st.sampled_from([ONE, TWO]),
    ),
    min_size=1,
    max_size=12,
)


@given(steps)
def test_no_part_ends_before_it_begins_or_has_the_number_of_another(found: list[Step]) -> None:
    whole, *parts = spans_of(ended(*found))
    assert all(each.began_at <= each.ended_at for each in parts)
    numbers = [whole.span_id, *(each.span_id for each in parts)]
    assert len(set(numbers)) == len(numbers)
    assert all(len(each) == 16 and int(each, 16) for each in numbers)
    assert spans_of(ended(*found)) == (whole, *parts), "the same when it is sent again"
