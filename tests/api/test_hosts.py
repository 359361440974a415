"""The host protocol: who may speak it, and what is refused."""

import threading
import time

import httpx2
import pytest

from cloudgate.assignment import POLL_SECONDS, PROTOCOL, GatewayState, PollRequest, Report, Update
from tests.support.host import ScriptedHost
from tests.support.manager import RunningManager


def test_a_token_works_once(running: RunningManager, host: ScriptedHost) -> None:
    with pytest.raises(httpx2.HTTPStatusError) as refused:
        host.join(host.token)
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("call", ["poll", "report"])
def test_without_a_credential_nothing_is_told(running: RunningManager, call: str) -> None:
    url = f"{running.url}/host/v1/{call}"
    body = (
        PollRequest()
        if call == "poll"
        else Report(assignment_revision=0, directory_revision=0, state=GatewayState.ABSENT)
    ).model_dump_json()
    client = running.client()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic d3Jvbmc="}):
        assert client.post(url, content=body, headers=headers).status_code == 401


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"assignment_revision": "x"}', "\x00"])
def test_a_malformed_report_is_refused_without_effect(
    running: RunningManager, host: ScriptedHost, body: str
) -> None:
    answer = host.client.post("/report", content=body)
    assert answer.status_code == 400
    assert "malformed" in answer.json()["message"]


def test_another_version_of_the_protocol_is_refused_in_words(
    running: RunningManager, host: ScriptedHost
) -> None:
    request = PollRequest(protocol=PROTOCOL + 1)
    answer = host.client.post("/poll", content=request.model_dump_json())
    assert answer.status_code == 400
    assert "bring both to the same release" in answer.json()["message"]


def test_a_poll_is_held_until_there_is_news(running: RunningManager, host: ScriptedHost) -> None:
    host.poll()
    news: list[Update] = []
    waiting = threading.Thread(target=lambda: news.append(host.poll()))
    waiting.start()
    started = time.monotonic()
    running.logged_on().post("/cloud/tenants", json={"Name": "acme"}).raise_for_status()
    waiting.join(POLL_SECONDS)
    assert time.monotonic() - started < POLL_SECONDS / 2
    assert news[0].directory is not None
    assert [tenant.name for tenant in news[0].directory.tenants] == ["acme"]


def test_unknown_calls_are_not_found(running: RunningManager, host: ScriptedHost) -> None:
    assert host.client.post("/nothing").status_code == 404
    assert host.client.get("/poll").status_code == 404
