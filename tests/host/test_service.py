"""Does the host service, as a real process, live with its manager and without?"""

import asyncio
import errno
import fcntl
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from cloudgate.errors import InvalidRequestError, NotFoundError, UnavailableError
from cloudgate.host import service
from cloudgate.host.envoy import process, supervisor
from cloudgate.host.manager_link.join import join_host
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.host.service import run_host_service
from cloudgate.host.state.enrolment import load_enrolment
from cloudgate.host.state.files import backup_path
from cloudgate.host.state.host_credentials import (
    AGAIN_SECONDS,
    NEXT_SECONDS,
    HostCredentials,
    former_credentials,
    keep_credential,
)
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.monitoring.systemd import Notifier
from cloudgate.processes.socket_handoff import VARIABLE
from cloudgate.protocol import (
    Answer,
    Assignment,
    DirectoryChange,
    DirectoryProbe,
    Gateway,
    GatewayState,
    Question,
)
from tests.host.host_process import find_running, host_service
from tests.host.manager import CREDENTIAL, TOKEN, TinyManager, tiny_manager
from tests.support.certificates.authority import Authority
from tests.support.machine.disks import make_unreadable
from tests.support.ports import closes, free_port, refuses
from tests.support.running.machine import GATEWAY_ID
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client, Tunnel
from tests.support.waiting import PATIENCE_SECONDS, until, until_async

pytestmark = pytest.mark.anyio

REPO = "repo.example:443"


def not_adopted(logs: Sequence[EventDict]) -> bool:
    """Whether a host service has said that its Envoy does not answer."""
    return "envoy is not adopted yet" in {each["event"] for each in logs}


async def assign(
    manager: TinyManager, authority: Authority, revision: int, port: int | None
) -> None:
    assert manager.facts is not None
    gateway = port and Gateway(
        gateway_id=GATEWAY_ID,
        addresses=("127.0.0.1",),
        port=port,
        certificate_chain_pem=authority.certificate(manager.facts.public_key_pem),
    )
    await manager.tell(assignment=Assignment(revision=revision, gateway=gateway or None))


async def test_joining_leaves_private_files_and_tells_the_facts(
    paths: StatePaths, manager: TinyManager
) -> None:
    assert paths.credential.read_text() == CREDENTIAL
    modes = {stat.S_IMODE(each.stat().st_mode) for each in paths.state.iterdir() if each.is_file()}
    assert modes == {0o600}
    assert manager.facts is not None
    assert manager.facts.addresses[-1] in ("127.0.0.1", "::1")
    assert manager.facts.envoy_version == "1.40.0"


async def test_that_no_manager_is_there_is_said_in_plain_words(
    tmp_path: Path, authority: Authority
) -> None:
    for url, why in (
        (f"https://localhost:{free_port()}", "Connection refused"),
        ("https://nowhere.invalid:1", "Name or service not known"),
    ):
        with pytest.raises(UnavailableError, match=f"The manager at {url} does not answer: {why}."):
            await join_host(tmp_path / "other", url, TOKEN, authority.pem)


async def test_a_wrong_token_joins_nothing(
    tmp_path: Path, manager: TinyManager, authority: Authority
) -> None:
    with pytest.raises(InvalidRequestError, match="The token is not valid"):
        await join_host(tmp_path / "other", manager.url, "wrong", authority.pem)
    with pytest.raises(NotFoundError, match="has not joined"):
        await run_host_service(tmp_path / "other")


async def test_a_manager_of_another_authority_is_not_trusted(
    tmp_path: Path, manager: TinyManager
) -> None:
    with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await join_host(tmp_path / "other", manager.url, TOKEN, Authority().pem)
    assert manager.facts is None


async def test_an_assignment_becomes_a_gateway_and_sigterm_ends_it(
    paths: StatePaths, manager: TinyManager, authority: Authority, client: Client
) -> None:
    port = free_port()
    async with host_service(paths) as host:
        await assign(manager, authority, 1, port)
        report = await manager.heard(GatewayState.LISTENING, 1)
        assert (report.directory_revision, report.gateway_id) == (7, GATEWAY_ID)
        assert await (await client.connect(port, REPO)).echoes()
        await assign(manager, authority, 2, None)
        assert (await manager.heard(GatewayState.DRAINING, 2)).live_tunnels == 1
        client.opened[0].close()
        await manager.heard(GatewayState.ABSENT, 2)
        await assign(manager, authority, 3, port)
        newest = await manager.heard(GatewayState.LISTENING, 3)
        assert (newest.run, newest.number > report.number) == (report.run, True)
        assert report.run
        host.terminate()
        assert await asyncio.wait_for(host.wait(), PATIENCE_SECONDS) == 0
    assert find_running(paths) is None
    assert await refuses(port)


async def test_a_killed_host_service_cuts_nothing_and_a_new_one_adopts(
    paths: StatePaths, manager: TinyManager, authority: Authority, client: Client
) -> None:
    port = free_port()
    async with host_service(paths) as host:
        await assign(manager, authority, 1, port)
        await manager.heard(GatewayState.LISTENING, 1)
        tunnel = await client.connect(port, REPO)
        assert tunnel.status == 200, tunnel.body
        host.send_signal(signal.SIGKILL)
        await host.wait()
    before = find_running(paths)
    assert before is not None
    assert await tunnel.echoes()
    assert (await client.connect(port, REPO)).status == 503
    await manager.stop()
    async with host_service(paths):
        await until_allowed(client, port)
        after = find_running(paths)
        assert after is not None
        assert after.record == before.record
        assert await tunnel.echoes()
        await manager.start()
        assert (await manager.heard(GatewayState.LISTENING, 1)).facts is not None


async def test_one_that_is_to_start_anew_says_so_and_leaves_envoy_and_the_door_to_the_next(
    paths: StatePaths,
    manager: TinyManager,
    authority: Authority,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, watched = free_port(), free_port()
    first = asyncio.create_task(run_host_service(paths.state))
    tunnel = await carrying(manager, authority, client, port)
    envoy = find_running(paths)
    assert envoy is not None
    os.kill(os.getpid(), signal.SIGHUP)
    assert await first is True
    assert await tunnel.echoes()

    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind(f"\0cloudgate-{port}")
    notifier = Notifier({"NOTIFY_SOCKET": f"@cloudgate-{port}"})
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.1)
    os.kill(envoy.pid, signal.SIGSTOP)  # it does not answer for a moment
    with capture_logs() as logs:
        second = asyncio.create_task(
            run_host_service(paths.state, metrics_listen=f"127.0.0.1:{watched}", notifier=notifier)
        )
        await until_async(lambda: not_adopted(logs))
    monkeypatch.undo()
    waiting = asyncio.create_task(client.connect(port, REPO))
    os.kill(envoy.pid, signal.SIGCONT)
    assert await (await waiting).echoes(), "it waited at the door for who opens"
    assert await tunnel.echoes()
    shown = find_running(paths)
    assert shown is not None
    assert shown.pid == envoy.pid
    reader, writer = await asyncio.open_connection("127.0.0.1", watched)
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert b"cloudgate_gateway_" in await reader.read()
    writer.close()

    os.kill(os.getpid(), signal.SIGTERM)
    assert await second is False
    assert await tunnel.is_cut()
    assert find_running(paths) is None
    with systemd:
        assert systemd.recv(4096).startswith(b"READY=1")


async def test_an_envoy_that_does_not_answer_ends_with_the_host_service_too(
    paths: StatePaths,
    manager: TinyManager,
    authority: Authority,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = asyncio.create_task(run_host_service(paths.state))
    tunnel = await carrying(manager, authority, client, free_port())
    envoy = find_running(paths)
    assert envoy is not None
    os.kill(os.getpid(), signal.SIGHUP)
    assert await first is True
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.1)
    monkeypatch.setattr(process, "TERM_SECONDS", 0.1)
    os.kill(envoy.pid, signal.SIGSTOP)
    with capture_logs() as logs:
        await run_host_service(paths.state, until=lambda: until(lambda: not_adopted(logs)))
    assert await tunnel.is_cut()
    assert find_running(paths) is None


async def test_a_host_service_that_starts_anew_refuses_nobody_meanwhile(
    tmp_path: Path, manager: TinyManager, authority: Authority, client: Client
) -> None:
    data, port = tmp_path / "data", free_port()
    await join_host(data / "host", manager.url, TOKEN, authority.pem)
    command = (sys.executable, "-m", "cloudgate", "host", "run", "--data", str(data))
    host = await asyncio.create_subprocess_exec(*command)
    answers: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    over = asyncio.Event()

    async def come_again_and_again() -> None:
        while not over.is_set():
            tunnel = await client.connect(port, REPO)
            client.opened.remove(tunnel)
            answers.put_nowait((tunnel.status, tunnel.body))
            tunnel.writer.close()
            await tunnel.writer.wait_closed()

    try:
        await assign(manager, authority, 1, port)
        await manager.heard(GatewayState.LISTENING, 1)
        tunnel = await client.connect(port, REPO)
        newcomers = [asyncio.create_task(come_again_and_again()) for _ in range(4)]
        for _ in range(3):
            host.send_signal(signal.SIGHUP)
            while (await manager.heard(GatewayState.LISTENING, 1)).facts is None:
                pass
            found = {answers.get_nowait() for _ in range(answers.qsize())}
            async with asyncio.timeout(PATIENCE_SECONDS):
                found |= {await answers.get() for _ in range(20)}
            assert found == {(200, "")}
        over.set()
        await asyncio.gather(*newcomers)
        assert await tunnel.echoes()
        assert host.returncode is None
    finally:
        host.terminate()
        await host.wait()


@pytest.mark.parametrize("is_new_program", [False, True])
@pytest.mark.parametrize("then", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
async def test_no_signal_is_lost_on_one_that_starts_anew_and_none_is_fatal(
    tmp_path: Path,
    manager: TinyManager,
    authority: Authority,
    client: Client,
    then: signal.Signals,
    *,
    is_new_program: bool,
) -> None:
    data, port = tmp_path / "data", free_port()
    await join_host(data / "host", manager.url, TOKEN, authority.pem)
    command = (sys.executable, "-m", "cloudgate", "host", "run", "--data", str(data))
    host = await asyncio.create_subprocess_exec(*command)
    environment = Path(f"/proc/{host.pid}/environ")
    try:
        tunnel = await carrying(manager, authority, client, port)
        host.send_signal(signal.SIGHUP)
        if is_new_program:  # which hears nothing yet
            await until_async(lambda: VARIABLE.encode() in environment.read_bytes())
        host.send_signal(then)
        if then is signal.SIGHUP:
            while (await manager.heard(GatewayState.LISTENING, 1)).facts is None:
                pass
            await until_allowed(client, port)
            assert await tunnel.echoes()
            assert host.returncode is None
        else:
            assert await asyncio.wait_for(host.wait(), PATIENCE_SECONDS) == 0
            assert await tunnel.is_cut()
            assert find_running(state_paths(data / "host")) is None
    finally:
        if host.returncode is None:
            host.terminate()
        await host.wait()


async def test_a_host_service_that_starts_anew_takes_what_its_file_says_by_then(
    tmp_path: Path, manager: TinyManager, authority: Authority
) -> None:
    await join_host(tmp_path / "host", manager.url, TOKEN, authority.pem)
    file, before, after = tmp_path / "host.toml", free_port(), free_port()
    said = 'data = "."\ngateway_mbit = 1000\nmetrics_listen = "127.0.0.1:{}"\n'

    async def until_alive(port: int) -> None:
        async def is_alive() -> bool:
            return not await refuses(port)

        await until_async(is_alive)

    file.write_text(said.format(before))
    command = (sys.executable, "-m", "cloudgate", "host", "run", "--config", str(file))
    environment = {name: value for name, value in os.environ.items() if "METRICS" not in name}
    host = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        await until_alive(before)
        file.write_text(said.format(after))
        host.send_signal(signal.SIGHUP)
        await until_alive(after)
        # Else it would win over the file for ever.
        assert b"GATEWAY_MBIT" not in Path(f"/proc/{host.pid}/environ").read_bytes()  # noqa: ASYNC240
    finally:
        host.terminate()
        await host.wait()


@pytest.mark.parametrize("is_asked_again", [False, True])
async def test_a_host_service_that_ends_waits_for_its_tunnels_but_not_when_it_is_asked_again(
    paths: StatePaths,
    manager: TinyManager,
    authority: Authority,
    client: Client,
    *,
    is_asked_again: bool,
) -> None:
    port = free_port()
    async with host_service(paths, CLOUDGATE_DRAIN_SECONDS="600") as host:
        tunnel = await carrying(manager, authority, client, port)
        host.terminate()
        await manager.heard(GatewayState.DRAINING, 1)
        await closes(port)
        await assign(manager, authority, 2, port)
        await manager.heard(GatewayState.DRAINING, 2)
        assert await tunnel.echoes()
        if is_asked_again:
            host.terminate()
            assert await tunnel.is_cut()
        else:
            tunnel.writer.close()
        assert await asyncio.wait_for(host.wait(), PATIENCE_SECONDS) == 0
    assert find_running(paths) is None
    async with host_service(paths):
        await manager.heard(GatewayState.LISTENING, 2)


async def test_a_host_service_that_never_had_a_gateway_ends_at_once(
    paths: StatePaths, manager: TinyManager
) -> None:
    async with host_service(paths, CLOUDGATE_DRAIN_SECONDS="600") as host:
        await asyncio.wait_for(manager.polls.get(), PATIENCE_SECONDS)
        host.terminate()
        assert await asyncio.wait_for(host.wait(), PATIENCE_SECONDS) == 0


async def test_for_tunnels_of_a_lost_assignment_a_host_service_waits_and_for_nothing_else(
    paths: StatePaths,
    manager: TinyManager,
    authority: Authority,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with host_service(paths) as host:
        tunnel = await carrying(manager, authority, client, free_port())
        host.kill()
        await host.wait()
    await manager.tell(assignment=None)
    for each in paths.state.glob("assignment.json*"):
        each.unlink()
    monkeypatch.setenv("CLOUDGATE_DRAIN_SECONDS", "600")
    with capture_logs() as logs:

        def has_said(event: str) -> bool:
            return event in {each["event"] for each in logs}

        ending = asyncio.create_task(run_host_service(paths.state))
        await until_async(lambda: has_said("envoy adopted"))
        os.kill(os.getpid(), signal.SIGTERM)
        await until_async(lambda: has_said("the host service ends after its tunnels"))
    assert await tunnel.echoes()
    assert not ending.done()
    tunnel.writer.close()
    assert await asyncio.wait_for(ending, PATIENCE_SECONDS) is False
    assert find_running(paths) is None


async def test_tunnels_end_with_their_host_service_once_their_time_is_over(
    paths: StatePaths, manager: TinyManager, authority: Authority, client: Client
) -> None:
    async with host_service(paths, CLOUDGATE_DRAIN_SECONDS="0.5") as host:
        tunnel = await carrying(manager, authority, client, free_port())
        host.terminate()
        assert await tunnel.is_cut()
        assert await asyncio.wait_for(host.wait(), PATIENCE_SECONDS) == 0


async def carrying(manager: TinyManager, authority: Authority, client: Client, port: int) -> Tunnel:
    """A tunnel through the gateway of a host service."""
    await assign(manager, authority, 1, port)
    await manager.heard(GatewayState.LISTENING, 1)
    tunnel = await client.connect(port, REPO)
    assert await tunnel.echoes()
    return tunnel


async def test_the_latest_report_is_told_again_when_the_manager_is_back(
    paths: StatePaths, manager: TinyManager, authority: Authority
) -> None:
    async with host_service(paths):
        await assign(manager, authority, 1, free_port())
        await manager.heard(GatewayState.LISTENING, 1)
        await manager.stop()
        await manager.start()
        again = await manager.heard(GatewayState.LISTENING, 1)
        assert again.facts is not None


async def next_answer(manager: TinyManager) -> Answer:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await manager.answers.get()


async def test_an_answer_that_was_not_taken_is_sent_again_and_one_that_was_refused_is_not(
    manager: TinyManager, paths: StatePaths
) -> None:
    probe = DirectoryProbe(base=str(paths.state), parts=(), limit_seconds=60)
    measured = [Question(question=f"m{number}", measure=probe) for number in range(2)]
    async with host_service(paths):
        await manager.polls.get()
        manager.answered = [503, 204]
        await manager.tell(questions=[Question(question="t0")])
        assert [(await next_answer(manager)).question for _ in range(2)] == ["t0", "t0"]
        manager.answered = [503, 404, 204]
        await manager.tell(questions=measured)
        assert [(await next_answer(manager)).question for _ in range(3)] == ["m0", "m0", "m1"]
    assert manager.answers.empty()


async def test_a_revoked_host_lets_nobody_in_until_it_is_known_again_and_cuts_no_tunnel(
    paths: StatePaths, manager: TinyManager, authority: Authority, client: Client
) -> None:
    async def is_shut_out() -> bool:
        return "shut this gateway out" in (await client.connect(port, REPO)).body

    port = free_port()
    async with host_service(paths) as first:
        await assign(manager, authority, 1, port)
        await manager.heard(GatewayState.LISTENING, 1)
        live = await client.connect(port, REPO)
        manager.revoked = manager.says_revoked = True
        await manager.tell(directory=manager.directory.model_copy(update={"revision": 8}))  # type: ignore[union-attr]
        await asyncio.wait_for(manager.refused.wait(), PATIENCE_SECONDS)
        await until_async(is_shut_out)
        assert await live.echoes()
        first.kill()
        await first.wait()
    await manager.stop()
    async with host_service(paths):
        await until_async(is_shut_out)  # without a manager, too
        manager.revoked = False
        await manager.start()
        await manager.tell(directory=manager.directory.model_copy(update={"revision": 9}))  # type: ignore[union-attr]
        await until_allowed(client, port)
        assert await live.echoes()


async def test_a_host_that_is_not_known_any_more_keeps_its_gateway(
    paths: StatePaths, manager: TinyManager, authority: Authority, client: Client
) -> None:
    port = free_port()
    async with host_service(paths) as host:
        await assign(manager, authority, 1, port)
        await manager.heard(GatewayState.LISTENING, 1)
        manager.revoked = True
        await manager.tell(directory=manager.directory.model_copy(update={"revision": 8}))  # type: ignore[union-attr]
        await asyncio.wait_for(manager.refused.wait(), PATIENCE_SECONDS)
        assert await (await client.connect(port, REPO)).echoes()
        assert host.returncode is None


async def test_a_host_proves_itself_by_what_it_had_before_when_the_manager_has_forgotten_the_newest(
    manager: TinyManager, paths: StatePaths
) -> None:
    for later in ("of-tomorrow", "of-the-day-after"):
        keep_credential(paths, later)
    assert load_enrolment(paths).credential == "of-the-day-after"
    async with host_service(paths), asyncio.timeout(2 * PATIENCE_SECONDS):
        await manager.polls.get()  # which only a good credential is let in with
        await manager.tell(directory=manager.directory.model_copy(update={"revision": 8}))  # type: ignore[union-attr]
        await manager.polls.get()
    assert load_enrolment(paths).credential == CREDENTIAL
    assert manager.refused.is_set()
    assert set(former_credentials(paths)) == {"of-tomorrow", "of-the-day-after"}
    assert stat.S_IMODE(paths.former_credentials.stat().st_mode) == 0o600


async def test_a_credential_that_cannot_be_read_is_read_later_and_the_gateway_goes_on(
    paths: StatePaths, manager: TinyManager
) -> None:
    paths.assignment.write_text('{"revision": 1}')
    files = (paths.credential, backup_path(paths.credential))
    for each in files:
        make_unreadable(each)
    async with host_service(paths) as host:
        await until_async(paths.authorizer_socket.exists)
        for each in files:
            each.unlink()
            each.write_text(CREDENTIAL)
        await asyncio.wait_for(manager.polls.get(), PATIENCE_SECONDS)
        assert host.returncode is None


async def test_a_directory_that_is_lost_ends_no_tunnel_and_makes_no_password_wrong(
    paths: StatePaths, manager: TinyManager, authority: Authority, client: Client
) -> None:
    port = free_port()
    async with host_service(paths) as first:
        await assign(manager, authority, 1, port)
        await manager.heard(GatewayState.LISTENING, 1)
        tunnel = await client.connect(port, REPO)
        assert await tunnel.echoes()
        first.kill()
        await first.wait()
    for each in paths.state.glob("*directory.json*"):
        each.unlink()
    manager.directory = None
    async with host_service(paths):
        await manager.heard(GatewayState.LISTENING, 1)
        assert (await client.connect(port, REPO)).status == 503
        assert await tunnel.echoes()
        await manager.tell(
            directory=DirectoryChange(from_revision=0, revision=9, tenants=()),
        )
        assert await tunnel.is_cut()
        assert (await client.connect(port, REPO)).status == 407


async def test_who_joins_anew_tells_no_manager_the_credentials_of_another(
    manager: TinyManager, paths: StatePaths, authority: Authority
) -> None:
    keep_credential(paths, "of-tomorrow")
    assert former_credentials(paths) == (CREDENTIAL,)
    await join_host(paths.state, manager.url, TOKEN, authority.pem)
    assert former_credentials(paths) == ()
    assert not [each for each in paths.state.iterdir() if "former" in each.name]


async def test_credentials_of_before_are_tried_one_after_the_other_and_then_rarely(
    paths: StatePaths,
) -> None:
    for later in ("b", "c"):
        keep_credential(paths, later)
    now = 0.0
    tried = HostCredentials(paths, lambda: now)
    for expected, pause in (("c", NEXT_SECONDS), ("b", NEXT_SECONDS), (CREDENTIAL, None)):
        assert tried.use() == expected
        assert tried.refused() == pause
    for _ in range(3):
        assert tried.use() == "c"
        assert tried.refused() is None
    now = AGAIN_SECONDS
    assert tried.refused() == NEXT_SECONDS
    assert tried.use() == "b"
    tried.accepted()
    assert load_enrolment(paths).credential == "b"
    assert former_credentials(paths) == ("c", CREDENTIAL)


async def test_two_host_services_do_not_share_a_folder(
    paths: StatePaths, manager: TinyManager
) -> None:
    async with host_service(paths):
        await asyncio.wait_for(manager.polls.get(), PATIENCE_SECONDS)
        with pytest.raises(UnavailableError, match="Another host service uses"):
            await run_host_service(paths.state)


async def test_a_folder_that_cannot_be_locked_is_not_said_to_be_anothers(
    paths: StatePaths, manager: TinyManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", cannot)
    with pytest.raises(UnavailableError, match=r"Cannot lock .*No locks available") as refused:
        await run_host_service(paths.state)
    assert "Another" not in refused.value.message


async def test_a_long_state_folder_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    long = state_paths(tmp_path / ("x" * 100))
    assert len(os.fsencode(long.authorizer_socket)) < 108
    assert long == state_paths(tmp_path / ("x" * 100))
    assert long.run != state_paths(tmp_path / ("y" * 100)).run


async def until_allowed(client: Client, port: int) -> None:
    """Wait for the authorizer of a host service that has just been started."""

    async def is_allowed() -> bool:
        return (await client.connect(port, REPO)).status != 503

    await until_async(is_allowed)


async def test_every_part_that_has_something_for_the_report_is_asked_for_it(
    paths: StatePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    class Named(Reporter):
        def __init__(self, facts: Any, contributors: Any, **more: Any) -> None:
            asked.extend(type(each.__self__) for each in contributors)
            super().__init__(facts, contributors, **more)

    monkeypatch.setattr(service, "Reporter", Named)
    await run_host_service(paths.state, until=lambda: None)
    have = {
        found
        for name, module in sys.modules.items()
        if name.startswith("cloudgate.host.")
        for found in vars(module).values()
        if isinstance(found, type) and hasattr(found, "contribution")
    }
    assert have - {*asked} == {ReconcileResult}, "name its contribution where Reporter is made"


@pytest.fixture
async def manager(
    tmp_path: Path, authority: Authority, repository_port: int
) -> AsyncIterator[TinyManager]:
    async with tiny_manager(authority, tmp_path) as started:
        started.directory = DirectoryChange(
            from_revision=0, revision=7, tenants=(tenant(repository_port),)
        )
        yield started


@pytest.fixture
async def paths(
    tmp_path: Path, manager: TinyManager, authority: Authority
) -> AsyncIterator[StatePaths]:
    """The state folder of a host that has joined."""
    await join_host(tmp_path / "state", manager.url, TOKEN, authority.pem)
    joined = state_paths(tmp_path / "state")
    yield joined
    left_over = find_running(joined)
    if left_over is not None:
        await left_over.stop()
