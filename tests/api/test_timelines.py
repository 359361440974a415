"""Can one change be followed: from its request through the manager and hosts to its end?"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from structlog.testing import capture_logs

from cloudgate.api.server import ServerOptions
from cloudgate.manager.core.unit_of_work import utc_now
from cloudgate.manager.jobs.span_export import VARIABLES, open_export
from cloudgate.manager.registries.task_timelines import (
    MOST_STEPS,
    MOST_TASKS,
    EndedTask,
    RunningTask,
    Step,
    StepName,
    TaskTimelines,
)
from cloudgate.manager.storage.tables import Task
from cloudgate.manager.tasks import operations as tasks
from cloudgate.protocol import ApplyDuration, DirectoryChange, GatewayState, Update
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.serving import answering
from tests.support.waiting import PATIENCE_SECONDS, within

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACED = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
TOOK = ApplyDuration(applied_seconds=0.2, read_back_seconds=0.1)


def timeline(client: httpx2.Client, task: dict[str, Any]) -> dict[str, Any]:
    return dict(client.get(f"{task['Href']}/timeline").raise_for_status().json())


def names(found: dict[str, Any]) -> list[str]:
    return [each["Name"] for each in found["Steps"]]


def make_gateway(client: httpx2.Client, host: ScriptedHost) -> dict[str, Any]:
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    answer = client.post("/cloud/gateways", json=spec, headers=TRACED)
    return dict(answer.raise_for_status().json())


def test_a_gateway_is_followed_from_its_request_to_what_was_read_back(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    task = make_gateway(client, host)
    assert names(timeline(client, task)) == ["Received", "Started", "Committed"]
    told = host.poll()
    assert told.assignment_trace.startswith(f"00-{TRACE}-")
    assert told.assignment_trace.endswith("-01")
    assert SPAN not in told.assignment_trace, "what the manager does is a span of its own"
    host.report(GatewayState.LISTENING, took=TOOK).raise_for_status()
    assert finished(client, task)["Result"]["Success"]
    found = timeline(client, task)
    assert names(found) == [
        "Received", "Started", "Committed", "Told", "Applied", "ReadBack", "Dialled", "Finished",
    ]  # fmt: skip
    assert (found["TraceId"], found["Operation"]) == (TRACE, "CreateCloudGateway")
    assert (found["ObjectName"], found["Before"]) == (host.name, None)
    assert json.loads(found["After"])["external_port"] == 6180
    assert [each["ManagedServer"] for each in found["Steps"]] == [
        None, None, None, host.name, host.name, host.name, None, None,
    ]  # fmt: skip
    times = [each["Milliseconds"] for each in found["Steps"]]
    assert times[0] == 0
    assert times == sorted(times)


def test_a_tenants_change_is_followed_to_each_gateway(
    client: httpx2.Client, host: ScriptedHost, running: RunningManager
) -> None:
    other = ScriptedHost(running, "gw2.example", ("192.0.2.11",))
    for each in (host, other):
        task = make_gateway(client, each)
        each.obey()
        assert finished(client, task)["Result"]["Success"]
    for each in (host, other):
        each.report()
    task = client.post("/cloud/tenants", json={"Name": "acme"}, headers=TRACED).json()
    for each in (host, other):
        assert TRACE in each.poll().directory_trace
        each.report(GatewayState.LISTENING)
        each.report(GatewayState.LISTENING)
    assert finished(client, task)["Result"]["Success"]
    found = timeline(client, task)
    assert [(each["Name"], each["ManagedServer"]) for each in found["Steps"]][3:] == [
        ("Told", host.name),
        ("ReadBack", host.name),
        ("Told", other.name),
        ("ReadBack", other.name),
        ("Finished", None),
    ]
    other.close()


def test_a_host_of_before_says_nothing_of_what_it_took(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    task = make_gateway(client, host)
    host.obey()
    finished(client, task)
    assert names(timeline(client, task))[3:] == ["Told", "Dialled", "Finished"]


def test_a_request_without_a_trace_gets_one_of_its_own(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    with capture_logs() as logs:
        task = client.post("/cloud/gateways", json=spec, headers={"traceparent": "nonsense"}).json()
        host.obey(GatewayState.FAILED, "no")
        assert not finished(client, task)["Result"]["Success"]
    found = timeline(client, task)
    assert len(found["TraceId"]) == 32
    assert {each["event"] for each in logs} >= {"task began", "task ended"}


def test_what_was_at_work_before_the_manager_ended_is_kept_with_its_end(
    client: httpx2.Client, host: ScriptedHost, running: RunningManager
) -> None:
    task = make_gateway(client, host)
    running.manager.timelines._known.clear()  # as after a restart
    assert names(timeline(client, task)) == []
    host.obey()
    finished(client, task)
    assert names(timeline(client, task))[-1] == "Finished"
    assert timeline(client, task)["TraceId"] == TRACE


def test_a_task_of_an_earlier_release_has_no_steps(
    client: httpx2.Client, running: RunningManager
) -> None:
    task = client.post("/cloud/tenants", json={"Name": "acme"}).json()
    finished(client, task)
    with running.manager.changing() as work:
        found = work.session.get(Task, int(task["TaskId"].removeprefix("task-")))
        assert found is not None
        found.steps, found.trace, found.audit = None, "", None
    running.manager.timelines._known.clear()
    assert timeline(client, task) == {
        "TaskId": task["TaskId"], "Operation": "CreateCloudTenant", "TraceId": None, "Steps": [],
        "ObjectName": None, "Before": None, "After": None,
    }  # fmt: skip


def test_what_failed_to_be_written_has_no_timeline(running: RunningManager) -> None:
    client = running.logged_on()
    assert client.post("/cloud/tenants", json={"Name": "acme"}).is_success
    assert client.post("/cloud/tenants", json={"Name": "acme"}).status_code == 400
    assert running.manager.timelines.steps(1)
    assert running.manager.timelines.steps(2) == ()


def test_an_end_that_failed_to_be_written_ends_no_timeline(
    client: httpx2.Client, host: ScriptedHost, running: RunningManager
) -> None:
    task = make_gateway(client, host)
    ends: list[EndedTask] = []
    running.manager.timelines.on_end = ends.append
    with running.rolled_back() as work:
        tasks.finish(work, tasks.find_task(work, task["TaskId"]), success=False, message="no")
    host.obey()
    finished(client, task)
    assert names(timeline(client, task))[3:] == ["Told", "Dialled", "Finished"]
    assert [each.success for each in ends] == [True]


def test_timelines_have_bounds() -> None:
    timelines, now = TaskTimelines(), utc_now()
    for number in range(MOST_TASKS + 10):
        timelines.begin(RunningTask(number, ""), [Step(StepName.STARTED, now)], now)
    assert timelines.steps(0) == ()
    newest = MOST_TASKS + 9
    assert [each.name for each in timelines.steps(newest)] == ["Started", "Committed"]
    for _ in range(MOST_STEPS):
        timelines.dialled(newest, now)
    assert len(timelines.steps(newest)) == 3
    timelines.end(EndedTask(newest, "", success=True, trace="", parent_id="", steps=()))
    timelines.dialled(newest, now + timedelta(seconds=1))
    assert len(timelines.steps(newest)) == 3


class Collector(BaseHTTPRequestHandler):
    """Takes in what OTLP over HTTP brings."""

    heard: "Queue[Span]"
    status = 200

    def do_POST(self) -> None:
        """One export."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.status == 200:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.heard.put(span)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def collector(monkeypatch: pytest.MonkeyPatch, status: int = 200) -> Iterator["Queue[Span]"]:
    heard: Queue[Span] = Queue()
    handler = type("Here", (Collector,), {"heard": heard, "status": status})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    monkeypatch.setenv(VARIABLES[1], f"http://127.0.0.1:{server.server_port}")
    with answering(server):
        yield heard


@contextmanager
def exporting(folder: Path, status: int = 200) -> Iterator[tuple[RunningManager, "Queue[Span]"]]:
    """A manager that was told of a collector, and what that has heard."""
    with (
        pytest.MonkeyPatch.context() as environment,
        collector(environment, status) as heard,
        running_manager(
            folder, site="site", extras=ServerOptions(span_export=open_export())
        ) as running,
    ):
        yield running, heard


def test_a_collector_hears_of_a_change_and_its_parts(tmp_path: Path) -> None:
    with exporting(tmp_path) as (running, heard):
        client, host = running.logged_on(), ScriptedHost(running)
        task = make_gateway(client, host)
        host.poll()
        host.report(took=TOOK)
        assert finished(client, task)["Result"]["Success"]
        spans = [heard.get(timeout=PATIENCE_SECONDS) for _ in range(7)]
        host.close()
    whole = next(each for each in spans if each.name == "CreateCloudGateway")
    assert {each.trace_id.hex() for each in spans} == {TRACE}
    assert whole.parent_span_id.hex() == SPAN
    assert [each.name for each in spans if each is not whole] == [
        "read request", "transaction", "tell host", "apply", "read back", "dial gateway",
    ]  # fmt: skip
    for each in spans:
        if each is not whole:
            assert each.parent_span_id == whole.span_id
        assert whole.start_time_unix_nano <= each.start_time_unix_nano
        assert each.start_time_unix_nano <= each.end_time_unix_nano <= whole.end_time_unix_nano
    parts = [each for each in spans if each is not whole]
    for first, second in pairwise(parts):
        assert first.end_time_unix_nano <= second.end_time_unix_nano


def test_a_collector_that_takes_nothing_is_a_warning_and_stops_nobody(tmp_path: Path) -> None:
    with exporting(tmp_path, status=400) as (running, _):
        client = running.logged_on()
        task = client.post("/cloud/tenants", json={"Name": "acme"}).json()
        assert finished(client, task)["Result"]["Success"]
        within(30, lambda: "does not take spans" in client.get("/warnings").text)


def test_who_keeps_none_of_a_trace_is_sent_none(tmp_path: Path) -> None:
    with exporting(tmp_path) as (running, heard):
        client = running.logged_on()
        for flags, name in (("00", "acme"), ("01", "beta")):
            header = {"traceparent": f"00-{TRACE[:-2]}{flags}-{SPAN}-{flags}"}
            made = client.post("/cloud/tenants", json={"Name": name}, headers=header)
            finished(client, made.json())
        assert heard.get(timeout=PATIENCE_SECONDS).trace_id.hex() == f"{TRACE[:-2]}01"


def test_without_a_collector_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)
    assert open_export() is None


def test_hosts_are_told_the_newest_of_several_requests() -> None:
    timelines, now = TaskTimelines(), utc_now()
    directory = DirectoryChange(from_revision=0, revision=7)
    site, server = uuid4(), uuid4()
    for number, revision in ((1, 5), (2, 7), (3, 9)):
        timelines.begin(
            RunningTask(number, f"trace {number}", site_id=site, revision=revision), [], now
        )
    update = timelines.with_traces(server, site, Update(directory=directory), now)
    assert update.directory_trace == "trace 2"
    assert [len(timelines.steps(each)) for each in (1, 2, 3)] == [2, 2, 1]
    assert (
        timelines.with_traces(server, uuid4(), Update(directory=directory), now).directory_trace
        == ""
    )
