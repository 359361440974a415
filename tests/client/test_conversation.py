"""What is sent to which manager, how often, and when? Steps without a network or a clock."""

import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.client.core.conversation import LOGON_TIMEOUT_SECONDS, Conversation
from cloudgate.client.core.exchange import Answer, CriticalSection, Delay, Reply, Request, Steps
from cloudgate.client.core.logons import LogonIdentity, LogonMemory
from cloudgate.client.core.refusals import RefusedError
from cloudgate.client.core.retries import NONE, Retries, UnreachedError, UntrustedError
from cloudgate.client.core.tasks import (
    FIRST_PAUSE_SECONDS,
    LAST_LOOK_SECONDS,
    NOBODY,
    TaskFailedError,
    TaskLeftError,
    finished,
)
from cloudgate.errors import (
    CloudgateError,
    NotAuthenticatedError,
    TooManyRequestsError,
    UnavailableError,
)

T = TypeVar("T")
ONE, TWO = "https://one.example:9398", "https://two.example:9398"
LOST = UnavailableError("The connection was cut.")
UNREACHED = UnreachedError("Nobody is there.")
Said = Reply | CloudgateError


def reply(status: int = 200, body: dict[str, Any] | None = None, after: str = "") -> Reply:
    return Reply(status, json.dumps(body or {}), retry_after=after)


class Script:
    """A driver whose network says what the test wrote down."""

    def __init__(self, *said: Said) -> None:
        self.said = list(said)
        self.sent: list[Request] = []
        self.pauses: list[float] = []

    def run(self, steps: Steps[T]) -> T:
        came: Any = None
        problem: CloudgateError | None = None
        while True:
            try:
                wanted = steps.throw(problem) if problem else steps.send(came)
            except StopIteration as end:
                result: T = end.value
                return result
            came = problem = None
            try:
                came = self.done(wanted)
            except CloudgateError as found:
                problem = found

    def done(self, wanted: Any) -> Any:
        if isinstance(wanted, Delay):
            return self.pauses.append(wanted.seconds)
        if isinstance(wanted, CriticalSection):
            return self.run(wanted.steps)
        self.sent.append(wanted)
        said = self.said.pop(0) if self.said else reply()
        if isinstance(said, CloudgateError):
            raise said
        return said


def talk(
    *urls: str, retries: Retries | None = None, token: str | None = "token of a test"
) -> Conversation:
    who = LogonIdentity("admin", password=lambda: "secret", token=lambda: token)
    return Conversation(urls or (ONE,), who, LogonMemory(), retries or Retries())


FAILURES = [reply(503, after="2"), reply(503), reply(429, after="30"), LOST, UNREACHED]
SAID = st.sampled_from([reply(), reply(500), *FAILURES])


@given(st.lists(SAID, max_size=12), st.sampled_from(["POST", "PUT", "DELETE"]))
def test_what_may_have_been_carried_out_is_not_sent_again(said: list[Said], verb: str) -> None:
    script = Script(*said)
    with contextlib.suppress(CloudgateError):
        script.run(talk(ONE, TWO).ask(Request(verb, "/cloud/tenants", {})))
    nothing_done = [each is UNREACHED or getattr(each, "status", 0) == 429 for each in said]
    assert all(nothing_done[: len(script.sent) - 1])


@given(st.lists(SAID, max_size=30))
def test_reading_goes_on_until_there_is_an_answer_or_patience_is_over(said: list[Said]) -> None:
    script = Script(*said)
    try:
        script.run(talk(retries=Retries(most=4)).get("/cloud"))
    except CloudgateError as problem:
        assert len(script.pauses) == 4 or getattr(problem, "status", 0) == 500
    assert len(script.sent) == len(script.pauses) + 1 <= 5


def test_the_next_address_is_asked_at_once_where_one_is_not_reached() -> None:
    script = Script(UNREACHED, reply(201), reply(201))
    conversation = talk(ONE, TWO)
    script.run(conversation.ask(Request("POST", "/repositories", {})))
    script.run(conversation.ask(Request("POST", "/repositories", {})))
    assert [each.url for each in script.sent] == [ONE, TWO, TWO]
    assert script.pauses == []
    assert conversation.url == TWO


@given(st.lists(st.integers(0, 3), max_size=12))
def test_who_ask_at_once_do_not_send_each_other_back_to_who_is_not_reached(
    order: list[int],
) -> None:
    conversation = talk(ONE, TWO, retries=NONE)
    steps = [conversation.ask(Request("POST", "/repositories", {})) for _ in range(4)]
    came: dict[int, list[str]] = {each: [] for each in range(4)}

    def step(number: int) -> None:
        calling, asked = steps[number], came[number]
        try:
            if not asked:
                wanted = calling.send(None)
            elif asked[-1] == ONE:
                wanted = calling.throw(UNREACHED)
            else:
                wanted = calling.send(reply(201))
        except StopIteration:
            asked.append("")
        else:
            assert isinstance(wanted, Request)
            asked.append(wanted.url)

    for number in [*order, *(each for each in range(4) for _ in range(3))]:
        if "" not in came[number]:
            step(number)
    assert all(asked in ([ONE, TWO, ""], [TWO, ""]) for asked in came.values())
    assert conversation.url == TWO


@pytest.mark.parametrize("retries", [NONE, Retries(most=1)])
def test_a_manager_that_is_busy_is_asked_no_more_by_who_only_writes(retries: Retries) -> None:
    script = Script(reply(503), reply(201), reply(201))
    conversation = talk(ONE, TWO, retries=retries)
    with pytest.raises(RefusedError) as told:
        script.run(conversation.ask(Request("POST", "/repositories", {})))
    assert told.value.where == f"POST {ONE}/api/repositories", "it is who has refused"
    for _ in range(2):
        script.run(conversation.ask(Request("POST", "/repositories", {})))
    assert [each.url for each in script.sent] == [ONE, TWO, TWO]


def test_what_is_no_manager_and_busy_is_named_by_its_own_address() -> None:
    script = Script(Reply(503, "<html>"))
    with pytest.raises(UnavailableError, match=f"{ONE} answers, but not as a manager does"):
        script.run(talk(ONE, TWO, retries=NONE).ask(Request("POST", "/repositories", {})))


def test_a_manager_says_when_it_is_to_be_asked_again() -> None:
    script = Script(reply(503, after="2"), reply(429, after="7"), reply(503, after="4000"))
    script.run(talk().get("/cloud"))
    assert script.pauses == [2, 7, 30]


def test_nobody_stands_in_for_a_manager_whose_certificate_is_not_trusted() -> None:
    script = Script(UntrustedError("It is somebody else."))
    with pytest.raises(UntrustedError):
        script.run(talk(ONE, TWO).get("/cloud"))
    assert [each.url for each in script.sent] == [ONE]


def test_a_session_that_has_ended_is_begun_anew_once() -> None:
    conversation = talk(token=None)
    begun = [reply(201, {"SessionId": each}) for each in "ab"]
    script = Script(begun[0], reply(), reply(401), begun[1], reply())
    script.run(conversation.get("/tasks"))
    script.run(conversation.get("/tasks"))
    sessions = [each.logon and each.logon.session_id for each in script.sent]
    assert sessions == [None, "a", "a", None, "b"]
    assert script.sent[0].user == ("admin", "secret")
    with pytest.raises(NotAuthenticatedError, match=r"did not accept this password.*\(code\)"):
        Script(reply(401), reply(401)).run(conversation.get("/tasks"))


def test_a_code_is_asked_for_once_the_manager_has_not_let_in_without() -> None:
    who = LogonIdentity("ann", lambda: "secret", asked_code=lambda: "123456")
    begun = reply(201, {"SessionId": "a"})
    script = Script(reply(401), begun, reply())
    script.run(Conversation([ONE], who, LogonMemory(), NONE).get("/tasks"))
    assert [each.code for each in script.sent] == [None, "123456", None]
    known = LogonIdentity("ann", lambda: "secret", code=lambda: "1", asked_code=lambda: "2")
    wrong = Script(reply(401))
    with pytest.raises(NotAuthenticatedError):
        wrong.run(Conversation([ONE], known, LogonMemory(), NONE).get("/tasks"))
    assert [each.code for each in wrong.sent] == ["1"]


def test_nobody_waits_to_log_off_from_a_manager_that_is_gone() -> None:
    conversation = talk(token=None)
    Script(reply(201, {"SessionId": "a"})).run(conversation.get("/tasks"))
    gone = Script(UNREACHED)
    with pytest.raises(UnreachedError):
        gone.run(conversation.log_off())
    assert (len(gone.sent), gone.pauses) == (1, [])


def test_a_refusal_has_its_status_its_place_and_its_advice() -> None:
    body = {"Message": "Too many", "FirstChanceExceptionMessage": "Wait."}
    with pytest.raises(TooManyRequestsError) as told:
        Script(reply(429, body)).run(talk(retries=NONE).get("/cloud"))
    problem = told.value
    assert isinstance(problem, RefusedError)
    assert (problem.message, problem.advice, problem.status) == ("Too many. Wait.", "Wait.", 429)
    assert problem.where == f"GET {ONE}/api/cloud"


TASK = {"TaskId": "task-1", "State": "Running", "Href": f"{ONE}/api/tasks/task-1", "Operation": "X"}


def followed(
    said: Sequence[Said], clock: Callable[[], float], patience_seconds: float | None = None
) -> Answer:
    steps = finished(
        talk(retries=NONE), Answer(202, "", TASK), NOBODY, patience_seconds, clock=clock
    )
    return Script(*said).run(steps)


def test_a_task_is_followed_while_its_manager_is_away() -> None:
    ended = {**TASK, "State": "Finished", "Result": {"Success": True}}
    done = followed([LOST, reply(503), reply(200, TASK), reply(200, ended)], lambda: 1.0)
    assert done.body["State"] == "Finished"
    failed = {**ended, "Result": {"Success": False, "Message": "Port 6180 is taken."}}
    with pytest.raises(TaskFailedError, match="Port 6180 is taken"):
        followed([reply(200, TASK), reply(200, failed)], lambda: 1.0)


def test_a_task_is_left_when_its_manager_is_away_for_ten_minutes_or_patience_is_over() -> None:
    hours = iter(range(0, 10_000, 100))
    with pytest.raises(TaskLeftError, match=r"The connection was cut\. The task task-1 goes on"):
        followed([LOST] * 20, lambda: next(hours))
    seconds = iter(range(100))
    with pytest.raises(TaskLeftError, match="X has not ended within 5 seconds"):
        followed([reply(200, TASK)] * 20, lambda: next(seconds), patience_seconds=5)


class Clock(Script):
    """A driver by whose clock each request takes all the time that it may, and pauses theirs."""

    def __init__(self, *said: Said) -> None:
        super().__init__(*said)
        self.now = 0.0

    def done(self, wanted: Any) -> Any:
        if isinstance(wanted, Request):
            self.now += wanted.patience_seconds(30)
        elif isinstance(wanted, Delay):
            self.now += wanted.seconds
        return super().done(wanted)


@pytest.mark.parametrize("token", [None, "token of a test"])
@pytest.mark.parametrize("problem", [UNREACHED, LOST, reply(503), reply(429, after="600")])
def test_a_task_is_left_when_patience_is_over_whatever_its_manager_does_not_do(
    problem: Said, token: str | None
) -> None:
    clock = Clock(*[problem] * 100)
    steps = finished(
        talk(ONE, TWO, token=token), Answer(202, "", TASK), NOBODY, 50, clock=lambda: clock.now
    )
    with pytest.raises(TaskLeftError, match="X has not ended within 50 seconds"):
        clock.run(steps)
    assert clock.now == pytest.approx(50 + LAST_LOOK_SECONDS)
    first, usual_seconds = clock.sent[0], 30 if token else LOGON_TIMEOUT_SECONDS
    assert first.patience_seconds(30) == min(usual_seconds, 50 - FIRST_PAUSE_SECONDS)


class Ending(Script):
    """A driver by whose clock only pauses take time, until a task has ended at some second."""

    def __init__(self, ends_at: float) -> None:
        super().__init__()
        self.ends_at = ends_at
        self.now = 0.0

    def done(self, wanted: Any) -> Any:
        if isinstance(wanted, Delay):
            self.now += wanted.seconds
        elif self.now >= self.ends_at:
            self.said = [reply(200, {**TASK, "State": "Finished", "Result": {"Success": True}})]
        else:
            self.said = [reply(200, TASK)]
        return super().done(wanted)


@pytest.mark.parametrize("patience_seconds", [0.0, FIRST_PAUSE_SECONDS, 0.3, 5.0])
def test_a_task_that_ends_while_there_is_patience_is_found_to_have_ended(
    patience_seconds: float,
) -> None:
    manager = Ending(patience_seconds)
    steps = finished(
        talk(), Answer(202, "", TASK), NOBODY, patience_seconds, clock=lambda: manager.now
    )
    assert manager.run(steps).body["State"] == "Finished"
    assert manager.now == pytest.approx(patience_seconds)


def test_why_a_task_cannot_be_looked_at_is_said_at_the_last_look_too() -> None:
    with pytest.raises(RefusedError, match="Not found"):
        followed([reply(404, {"Message": "Not found"})], lambda: 1.0, patience_seconds=0)
