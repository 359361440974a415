"""Do load balancers and orchestrators see whether the manager lives and is ready, and no more?"""

import asyncio
import time
from pathlib import Path

import httpx2
import pytest

from cloudgate.api.server import ServerOptions
from cloudgate.background import Background, Job
from cloudgate.errors import UnavailableError
from cloudgate.monitoring.endpoint import listen
from cloudgate.monitoring.health import Health, jobs_check
from tests.support.machine.disks import needs_mounts, small_disk, take_bytes
from tests.support.running.manager import RunningManager, running_manager
from tests.support.waiting import PATIENCE_SECONDS, until

LOST_WITHIN_SECONDS = 2.0


def stranger(running: RunningManager) -> httpx2.Client:
    client = running.client()
    client.base_url = httpx2.URL(running.url)
    return client


def ready(client: httpx2.Client) -> bool:
    return client.get("/readyz").status_code == 200


def test_a_stranger_hears_in_one_word_that_it_lives_and_is_ready(running: RunningManager) -> None:
    client = stranger(running)
    until(lambda: ready(client))
    for path in ("/livez", "/readyz", "/readyz/", "/READYZ"):
        found = client.get(path)
        assert (found.status_code, found.text) == (200, "ok\n")
        assert client.head(path).status_code == 200
    assert "ok" in client.get("/readyz?verbose").text
    assert "database" not in client.get("/readyz?verbose").text
    assert client.post("/readyz").status_code == 405


def test_who_sees_to_the_gateways_sees_each_check_and_a_tenant_does_not(
    running: RunningManager,
) -> None:
    session = running.logged_on().cookies["X-RestSvcSessionId"]
    client = stranger(running)
    until(lambda: ready(client))
    said = client.get("/readyz?verbose", headers={"X-RestSvcSessionId": session}).text
    assert said.splitlines() == [
        "[+]database ok",
        "[+]migrations ok",
        "[+]disk ok",
        "[+]background jobs ok",
        "[+]shutdown ok",
        "readyz passed",
    ]


@pytest.mark.parametrize("loss", ["moved", "overwritten"])
def test_a_lost_database_makes_it_unready_within_two_seconds_and_it_lives_on(
    tmp_path: Path, loss: str
) -> None:
    listener = listen("127.0.0.1:0")
    watched = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with (
        running_manager(tmp_path, extras=ServerOptions(metrics_listener=listener)) as running,
        httpx2.Client(base_url=watched, timeout=PATIENCE_SECONDS) as watcher,
    ):
        client = stranger(running)
        until(lambda: ready(client) and ready(watcher))
        file = tmp_path / "cloudgate.db"
        kept = file.read_bytes()
        if loss == "moved":
            file.rename(tmp_path / "away")
        else:
            file.write_bytes(b"\0" * len(kept))
        lost_at = time.monotonic()
        until(lambda: not ready(client))
        until(lambda: not ready(watcher))
        assert time.monotonic() - lost_at < LOST_WITHIN_SECONDS + 1  # of a machine with much to do
        assert client.get("/readyz").text == "not ready\n"
        assert client.get("/readyz?verbose").text == "not ready\n"
        said = watcher.get("/readyz?verbose").text
        assert "[-]database failed: " in said
        assert "[-]migrations failed: not known" in said
        assert said.endswith("readyz failed\n")
        assert client.get("/livez").status_code == watcher.get("/livez").status_code == 200
        if loss == "moved":
            (tmp_path / "away").rename(file)
            until(lambda: ready(client) and ready(watcher))


@needs_mounts
def test_a_full_disk_makes_it_unready_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data") as data:
        listener = listen("127.0.0.1:0")
        watched = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            running_manager(data, extras=ServerOptions(metrics_listener=listener)),
            httpx2.Client(base_url=watched, timeout=PATIENCE_SECONDS) as watcher,
        ):
            take_bytes(data)
            until(lambda: not ready(watcher))
            assert "[-]disk failed: " in watcher.get("/readyz?verbose").text


def test_what_may_wait_keeps_nobody_from_being_ready_and_what_is_needed_does() -> None:
    def fail() -> None:
        raise UnavailableError("The outlet takes nothing.")

    async def look(*, needed: bool) -> tuple[str, str]:
        job = Job(name="Delivering", attempt=fail, interval_seconds=60, needed=needed)
        failed = asyncio.Event()
        background = Background([job], on_change=lambda *_: failed.set())
        health = Health({"background jobs": jobs_check(background)})
        assert (await health.problems())[0].problem == "they do not run"
        running = asyncio.create_task(background.run())
        await failed.wait()
        found, _ = await Health({"background jobs": jobs_check(background)}).findings()
        running.cancel()
        return found.problem, found.remark

    problem, remark = asyncio.run(look(needed=False))
    assert not problem
    assert "Delivering has failed since" in remark
    problem, remark = asyncio.run(look(needed=True))
    assert "The outlet takes nothing" in problem
    assert not remark


def test_a_check_that_hangs_or_fails_is_not_well() -> None:
    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    def fail() -> str:
        raise LookupError

    async def look() -> dict[str, str]:
        health = Health({"hangs": hang, "fails": fail, "well": lambda: ""})
        return {each.name: each.problem for each in await health.findings()}

    found = asyncio.run(look())
    assert "does not answer" in found["hangs"]
    assert "LookupError" in found["fails"]
    assert not found["well"]
