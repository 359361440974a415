"""Is nothing left of `cloudgate up` that ends while it starts, or whose terminal is closed?"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import standing
from tests.support.ports import free_port
from tests.support.running.product import installation, marked_processes
from tests.support.waiting import PATIENCE_SECONDS, until

_MARK = "CLOUDGATE_TEST_MARK"


def is_of_host(command: str) -> bool:
    """Whether a process was started as the host service."""
    return " host run " in command


@pytest.fixture(autouse=True)
def _at_a_terminal() -> Iterator[None]:
    """What is started heeds both signals, also where the tests run in the background."""
    before = {each: signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def test_up_that_is_interrupted_as_its_host_service_begins_ends_the_envoy_of_the_one_before(
    tmp_path: Path,
) -> None:
    with installation(tmp_path / "data") as site:
        with site.product.client() as client:
            client.create_gateway(free_port())
        envoy = site.envoy
        site.product.kill()
        until(lambda: not any(map(is_of_host, site.processes().values())))
        assert envoy in site.processes()
        data, log_file = site.product.data, tmp_path / "again.log"
        command = [sys.executable, "-m", "cloudgate", "up", "--data", str(data)]
        mark = f"{site.product.mark}-again"
        with log_file.open("w") as log:
            again = subprocess.Popen(
                [*command, "--port", str(site.product.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **standing.environment(), _MARK: mark},
            )
        try:
            until(lambda: any(map(is_of_host, marked_processes(mark).values())))
            assert standing.end(again, log_file, signal.SIGINT, PATIENCE_SECONDS) == 0
        finally:
            again.kill()
            again.wait()
        assert not marked_processes(mark)
        assert not site.processes()


def test_up_whose_terminal_is_closed_ends_as_by_ctrl_c(tmp_path: Path) -> None:
    with installation(tmp_path / "data") as site:
        with site.product.client() as client:
            client.create_gateway(free_port())
        assert site.envoy in site.processes()
        ended = standing.end(
            site.product.process, site.product.log_file, signal.SIGHUP, PATIENCE_SECONDS
        )
        assert ended == 0
        assert not site.processes()


def test_up_that_is_to_outlive_its_terminal_does(tmp_path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup(1) does
    with installation(tmp_path / "data") as site:
        os.kill(site.product.process.pid, signal.SIGHUP)
        with site.product.client() as client:
            client.create_gateway(free_port())
        assert site.product.process.poll() is None
