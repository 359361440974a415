"""Do tenants reach the gateway where they are told to? Dialled for the task, and ever after."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.concurrency import run_in_threadpool

from cloudgate.api.host_protocol import reachability
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import list_gateways
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck, finish_reachability
from cloudgate.manager.host_protocol.reachability import (
    USUAL_INTERVAL,
    WARNED_INTERVAL,
    due_at,
    listening_gateways,
)
from cloudgate.manager.jobs import reachability_probe
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.tasks.operations import GATEWAY_DEADLINE
from cloudgate.protocol import GatewayState
from tests.support.certificates.brought import Made, pem_of
from tests.support.running.host import ScriptedHost, become_gateway
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import PATIENCE_SECONDS, looks, until


@contextmanager
def answering(answer: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[int]:
    """A port where each connection is answered so."""
    with socket.create_server((host, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    answer(line)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def speaking_tls(made: Made, folder: Path) -> Callable[[socket.socket], None]:
    """What answers with this certificate."""
    file = folder / f"{uuid4().hex}.pem"
    file.write_text(made.key_pem + pem_of(made.leaf))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def answer(line: socket.socket) -> None:
        try:
            with context.wrap_socket(line, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            return  # whoever dialled has seen enough

    return answer


def tried(port: int, made: Made, address: str = "127.0.0.1") -> str:
    """What is found at a port where a gateway with that certificate is expected."""
    reach = ReachabilityCheck(uuid4(), address, port, pem_of(made.leaf) + pem_of(made.issuer))
    return asyncio.run(reachability_probe.dial(reach))


@pytest.fixture
def gateway() -> Made:
    return Made("gw1.example")


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_the_gateway_itself_is_recognised(gateway: Made, tmp_path: Path, address: str) -> None:
    with answering(speaking_tls(gateway, tmp_path)) as port:
        assert tried(port, gateway, address) == ""


def test_another_server_is_told_from_it(gateway: Made, tmp_path: Path) -> None:
    with answering(speaking_tls(Made("gw1.example"), tmp_path)) as port:
        assert tried(port, gateway).startswith("Another server than this gateway answers at 127.")


def test_what_does_not_speak_tls_is_told_so(gateway: Made) -> None:
    with answering(lambda line: line.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as port:
        assert "does not speak TLS" in tried(port, gateway)


def test_what_hangs_up_is_not_reached_and_the_reason_is_said(gateway: Made) -> None:
    with answering(lambda line: line.shutdown(socket.SHUT_RDWR)) as port:
        said = tried(port, gateway)
    assert f"127.0.0.1, port {port} cannot be reached from the manager: " in said
    assert not said.endswith(": .")


def test_what_says_nothing_is_given_up(gateway: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability_probe, "ANSWER_SECONDS", 0.2)

    def listen(line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while line.recv(65536):
                pass

    with answering(listen) as port:
        assert tried(port, gateway).startswith(f"Nothing answers at 127.0.0.1, port {port}")


def test_a_port_where_nobody_listens_is_told_so(gateway: Made) -> None:
    with answering(socket.socket.close) as port:
        pass
    assert "cannot be reached from the manager" in tried(port, gateway)


@pytest.mark.parametrize("name", ["no-such-name.invalid", "a..b", "a" * 64 + ".example"])
def test_a_name_that_means_nothing_is_told_so(gateway: Made, name: str) -> None:
    assert f"{name}, port 1 cannot be reached from the manager: " in tried(1, gateway, name)


@given(st.floats(0, 1.25), st.booleans())
def test_who_is_warned_of_is_dialled_more_often(share: float, warned: bool) -> None:
    last = datetime(2030, 1, 1, tzinfo=UTC)
    assert last <= due_at(last, share, warned=warned) <= last + USUAL_INTERVAL * 1.25
    assert due_at(last, share, warned=True) <= due_at(last, share, warned=False)
    assert due_at(last, share, warned=True) <= last + WARNED_INTERVAL * 1.25


STEP = ONLINE_FOR * 0.8


@pytest.fixture
def host(running: RunningManager) -> Iterator[ScriptedHost]:
    """A machine that says no more of itself than the manager sees."""
    joined = ScriptedHost(running, addresses=("127.0.0.1",))
    yield joined
    joined.close()


class Router:
    """Forwards, or does not; counts who came."""

    def __init__(self) -> None:
        self.broken = ""
        self.fault: Exception | None = None
        """What dialling ends with, in place of an answer."""
        self.slow: dict[str, threading.Event] = {}
        """Addresses where nothing answers, which is said once the event is set."""
        self.dialled = 0

    async def __call__(self, reach: ReachabilityCheck) -> str:
        self.dialled += 1
        if reach.address in self.slow:
            await run_in_threadpool(self.slow[reach.address].wait)
            return f"Nothing answers at {reach.address}."
        if self.fault is not None:
            raise self.fault
        return self.broken


@pytest.fixture
def router() -> Iterator[Router]:
    made = Router()
    yield made
    for each in made.slow.values():
        each.set()


@pytest.fixture
def running(tmp_path: Path, router: Router) -> Iterator[RunningManager]:
    with running_manager(tmp_path, prober=router) as started:
        yield started


def accepted(answer: httpx2.Response) -> None:
    answer.raise_for_status()


def pass_time(running: RunningManager, after: timedelta, report: Callable[[], None]) -> None:
    """Put the manager's clock ahead, while hosts report and so stay online."""
    for _ in range(-(-after // STEP)):
        running.clock.ahead += STEP
        report()
    running.wake()


def warning_is(running: RunningManager, host: ScriptedHost, wanted: str, after: timedelta) -> None:
    """Wait until the only gateway's warning is this, once time has passed."""
    client = running.logged_on()
    pass_time(running, after, lambda: accepted(host.report()))
    for _ in looks(PATIENCE_SECONDS):
        (gateway,) = client.get("/cloud/gateways?format=Entity").json()["CloudGateways"]
        if gateway.get("Warning", "") == wanted:
            return
    raise AssertionError(f"The gateway is otherwise: {gateway}")


def wanted_on(name: str) -> dict[str, str]:
    return {"ServerHostName": name, "NetworkType": "Direct"}


def test_a_mended_router_is_noticed_without_a_task_and_so_is_one_that_breaks_later(
    running: RunningManager, host: ScriptedHost, router: Router
) -> None:
    router.broken = "Nothing answers."
    become_gateway(running.logged_on(), host)
    warning_is(running, host, "Nothing answers.", timedelta())
    router.broken = ""
    warning_is(running, host, "", WARNED_INTERVAL * 1.25)
    router.broken = "Somebody else answers."
    warning_is(running, host, "Somebody else answers.", USUAL_INTERVAL * 1.25)


def reached_address(running: RunningManager, former: tuple[str | None, ...] = ()) -> str | None:
    """Where the only gateway was reached, as is kept; `former`: in place of what is."""
    with running.manager.changing() as work:
        (gateway,) = list_gateways(work)
        for each in former:
            gateway.reached_address = each
        return gateway.reached_address


def test_where_a_gateway_was_reached_is_kept_while_it_is_not_reached_there(
    running: RunningManager, host: ScriptedHost, router: Router
) -> None:
    become_gateway(running.logged_on(), host)
    where = "127.0.0.1:6180"
    assert reached_address(running) == where
    router.broken = "Nothing answers."
    warning_is(running, host, "Nothing answers.", USUAL_INTERVAL * 1.25)
    assert reached_address(running) == where
    # Elsewhere it was not, and what a manager of a release before says of it there counts.
    reached_address(running, ("192.0.2.7:6180",))
    router.broken = "Somebody else answers."
    warning_is(running, host, "Somebody else answers.", WARNED_INTERVAL * 1.25)
    assert reached_address(running) is None
    router.broken = ""
    warning_is(running, host, "", WARNED_INTERVAL * 1.25)
    assert reached_address(running) == where


def test_where_a_gateway_was_reached_is_known_of_what_a_release_before_has_written(
    running: RunningManager, host: ScriptedHost, router: Router
) -> None:
    become_gateway(running.logged_on(), host)
    where = "127.0.0.1:6180"
    reached_address(running, (None,))
    pass_time(running, USUAL_INTERVAL * 1.25, lambda: accepted(host.report()))
    until(lambda: reached_address(running) == where)
    reached_address(running, (None,))
    router.broken = "Nothing answers."
    warning_is(running, host, "Nothing answers.", USUAL_INTERVAL * 1.25)
    assert reached_address(running) == where


def test_a_task_takes_over_too_where_a_release_before_has_reached_a_gateway(
    running: RunningManager, host: ScriptedHost, router: Router
) -> None:
    become_gateway(running.logged_on(), host)
    reached_address(running, (None,))
    router.broken = "Nothing answers."
    client = running.logged_on()
    (gateway,) = client.get("/cloud/gateways").json()["Refs"]
    path = f"/cloud/gateways/{gateway['UID'].rpartition(':')[2]}"
    entity = client.get(f"{path}?format=Entity").json()
    task = client.put(path, json=entity | {"Description": "On the left."}).json()
    host.obey()
    assert "Nothing answers." in finished(client, task)["Result"]["Message"]
    assert reached_address(running) == "127.0.0.1:6180"


def test_a_gateway_that_was_not_reached_so_far_was_reached_nowhere(
    running: RunningManager, host: ScriptedHost, router: Router
) -> None:
    router.broken = "Nothing answers."
    become_gateway(running.logged_on(), host)
    assert reached_address(running) is None
    router.broken = "Somebody else answers."
    warning_is(running, host, "Somebody else answers.", WARNED_INTERVAL * 1.25)
    assert reached_address(running) is None


def test_only_gateways_that_listen_are_dialled(
    running: RunningManager, host: ScriptedHost, router: Router
) -> None:
    become_gateway(running.logged_on(), host)
    host.report(GatewayState.FAILED, "the port is taken").raise_for_status()
    before = router.dialled
    router.broken = "Nothing answers."
    listener = ScriptedHost(running, "gw2.example", ("127.0.0.1",))
    client = running.logged_on()
    task = client.post("/cloud/gateways", json=wanted_on("gw2.example")).json()
    listener.obey()
    finished(client, task)

    def report() -> None:
        accepted(host.report(GatewayState.FAILED, "the port is taken"))
        accepted(listener.report())

    pass_time(running, WARNED_INTERVAL * 1.25, report)
    until(lambda: router.dialled >= before + 2)
    listener.close()
    warnings = {
        each["Name"]: each.get("Warning", "")
        for each in client.get("/cloud/gateways?format=Entity").json()["CloudGateways"]
    }
    assert warnings == {"gw1.example": "the port is taken", "gw2.example": "Nothing answers."}


def test_what_an_earlier_manager_was_told_is_heard_again_before_a_gateway_is_dialled(
    running: RunningManager, host: ScriptedHost
) -> None:
    become_gateway(running.logged_on(), host)
    figures = running.manager.figures

    def dialled() -> int:
        with running.manager.reading() as work:
            return len(listening_gateways(work, figures.reports.has_reported))

    assert dialled() == 1
    figures.forget(host.server_id)  # as in a manager that has just begun
    assert dialled() == 0
    accepted(host.report())
    assert dialled() == 1


def listens_untried(client: httpx2.Client, task: dict[str, Any], host: ScriptedHost) -> None:
    """A task ended well, and said that nobody knows whether the gateway is reached."""
    ended = finished(client, task)
    assert ended["Result"]["Success"] is True, ended
    assert "whether tenants reach it is not known yet" in ended["Result"]["Message"]
    (gateway,) = client.get("/cloud/gateways?format=Entity").json()["CloudGateways"]
    assert (gateway["Name"], gateway["State"]) == (host.name, "Listening")
    assert ended["Links"][1]["Href"].partition("?")[0] == gateway["Href"].partition("?")[0]


def test_a_gateway_that_listens_stays_also_where_dialling_it_fails(
    running: RunningManager, host: ScriptedHost, router: Router
) -> None:
    router.fault = RuntimeError("can't start new thread")
    client = running.logged_on()
    task = client.post("/cloud/gateways", json=wanted_on(host.name)).json()
    host.obey()
    listens_untried(client, task, host)
    router.fault = None
    router.broken = "Nothing answers."
    warning_is(running, host, "Nothing answers.", USUAL_INTERVAL * 1.25)


def test_a_gateway_that_listens_stays_also_where_dialling_it_does_not_end_in_time(
    running: RunningManager, host: ScriptedHost, router: Router
) -> None:
    router.slow["127.0.0.1"] = threading.Event()
    client = running.logged_on()
    task = client.post("/cloud/gateways", json=wanted_on(host.name)).json()
    host.obey()
    until(lambda: router.dialled)
    running.clock.ahead += GATEWAY_DEADLINE
    running.wake()
    listens_untried(client, task, host)
    router.slow["127.0.0.1"].set()
    warning_is(running, host, "Nothing answers at 127.0.0.1.", timedelta())


def test_what_was_found_at_an_address_that_is_advertised_no_more_is_no_warning(
    running: RunningManager,
    host: ScriptedHost,
    router: Router,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = "198.51.100.1", "198.51.100.2"
    router.slow[old] = threading.Event()
    heard: list[str] = []

    def finish(work: UnitOfWork, reach: ReachabilityCheck, warning: str) -> None:
        finish_reachability(work, reach, warning)
        heard.append(reach.address)

    monkeypatch.setattr(reachability, "finish_reachability", finish)
    client = running.logged_on()
    behind = {"ServerHostName": host.name, "NetworkType": "NAT", "ExternalIp": old}
    first = client.post("/cloud/gateways", json=behind).raise_for_status().json()
    host.obey()
    until(lambda: router.dialled)
    (gateway,) = client.get("/cloud/gateways").json()["Refs"]
    second = client.put(gateway["Href"], json={"ExternalIP": new}).raise_for_status().json()
    host.obey()
    assert finished(client, second)["Result"] == {"Success": True, "Message": "Ok"}
    assert "Replaced by task-2" in finished(client, first)["Result"]["Message"]
    router.slow[old].set()
    until(lambda: heard == [new, old])
    with running.manager.changing(shown=False):
        pass  # it has its turn after what was heard last
    entity = client.get(f"{gateway['Href']}?format=Entity").json()
    assert (entity["ExternalIP"], entity.get("Warning", "")) == (new, "")
