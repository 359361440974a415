"""Is what was refused told in the log, one by one while it is little, and else in a few lines?"""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from cloudgate.host.authorization import refusal_log
from cloudgate.host.authorization.refusal_log import (
    MOST_KINDS,
    OTHERS,
    TOLD_ONE_BY_ONE,
    RefusalLog,
    RefusedRequest,
)
from cloudgate.protocol import GatewayState
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.waiting import until_async

SUMMARY = "refused requests are summed up"


def refused(reason: str, address: str = "192.0.2.1") -> RefusedRequest:
    return RefusedRequest("acme", "repo.example:443", 403, reason, address)


def test_the_first_have_a_line_each_and_the_rest_a_line_for_each_kind_and_a_sum() -> None:
    log = RefusalLog()
    with capture_logs() as logs:
        log.sum_up()
        assert not logs, "there is nothing to tell"
        for number in range(TOLD_ONE_BY_ONE):
            log.record(refused(f"one {number}"))
        log.sum_up()
        assert {each["event"] for each in logs} == {"tunnel refused"}
        assert [each["reason"] for each in logs] == [f"one {n}" for n in range(TOLD_ONE_BY_ONE)]
        logs.clear()
        for number in range(TOLD_ONE_BY_ONE + MOST_KINDS + 5):
            log.record(refused(f"kind {number}", f"192.0.2.{number % 2}"))
        log.record(refused(f"kind {TOLD_ONE_BY_ONE}", "192.0.2.0"))
        log.record_given_up()
        logs.clear()
        log.sum_up(left_out=7)
    *kinds, summary = logs
    assert len(kinds) == MOST_KINDS + 1
    told = {each["reason"]: each["times"] for each in kinds}
    assert (told[OTHERS], told[f"kind {TOLD_ONE_BY_ONE}"]) == (5, 2)
    assert summary == {
        "event": SUMMARY,
        "log_level": "warning",
        "seconds": refusal_log.SUMMED_SECONDS,
        "refused": TOLD_ONE_BY_ONE + MOST_KINDS + 6,
        "given_up": 1,
        "addresses": 2,
        "most_from": "192.0.2.0",
        "most": 24,
        "left_out_of_the_access_log": 7,
    }


@pytest.mark.anyio
async def test_it_is_summed_up_again_and_again_with_an_envoy_to_ask_and_without(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def summary() -> dict[str, Any]:
        logs.clear()
        log.record_given_up()
        found = await until_async(lambda: [each for each in logs if each["event"] == SUMMARY])
        return dict(found[0])

    monkeypatch.setattr(refusal_log, "SUMMED_SECONDS", 0.02)
    log = RefusalLog()
    with capture_logs() as logs:
        work = asyncio.create_task(log.run(machine.admin))
        assert (await summary())["left_out_of_the_access_log"] == 0, "there is no Envoy"
        await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
        assert (await summary())["given_up"] == 1
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
