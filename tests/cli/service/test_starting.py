"""For which gateways does `cloudgate up` wait before it says that it is ready?"""

import asyncio
from pathlib import Path

import pytest

from cloudgate.cli.service import launcher
from cloudgate.protocol import GatewayState
from tests.support.ports import free_port
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished
from tests.support.waiting import PATIENCE_SECONDS


@pytest.mark.parametrize("way", ["disabled", "removed"])
def test_a_gateway_that_drains_lets_nobody_in_and_is_not_waited_for(
    running: RunningManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(launcher, "GATEWAY_SECONDS", None)  # for ever
    host, client = ScriptedHost(running, "here.example", local=True), running.logged_on()
    spec = {"ServerHostName": "here.example", "NetworkType": "Direct", "ExternalPort": free_port()}
    task = client.post("/cloud/gateways", json=spec).raise_for_status().json()
    host.obey()
    href = finished(client, task)["Links"][1]["Href"]

    def back(seconds: float) -> None:
        waited = launcher._gateway_back(running.manager, tmp_path)
        asyncio.run(asyncio.wait_for(waited, seconds))

    with pytest.raises(TimeoutError):
        back(0.2)
    if way == "disabled":
        client.put(href, json={"Enabled": False}).raise_for_status()
    else:
        client.delete(href).raise_for_status()
    host.poll()
    host.report(GatewayState.DRAINING).raise_for_status()
    back(PATIENCE_SECONDS)
    host.close()
