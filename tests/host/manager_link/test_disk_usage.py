"""How much is in a directory of this machine, whatever is in it?"""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloudgate.host.manager_link import disk_usage, disk_usage_walk
from cloudgate.host.manager_link.disk_usage import DiskUsageWorker
from cloudgate.protocol import DirectoryProbe, DirectorySize, Question
from cloudgate.protocol.bounds import MOST_BYTES
from tests.support.machine.disks import needs_mounts, small_disk
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio


async def measured(
    base: Path | str, *parts: str, limit_seconds: float = 60
) -> tuple[int | None, str]:
    """What a host says of a directory."""
    directory = DirectoryProbe(base=str(base), parts=parts, limit_seconds=limit_seconds)
    measuring = DiskUsageWorker()
    measuring.ask(Question(question="q", measure=directory))
    answer = await measuring.due()
    assert answer.question == "q"
    assert answer.measured is not None
    return answer.measured.used_bytes, answer.measured.reason


def as_du_says(folder: Path) -> int:
    said = subprocess.run(["du", "-s", "-B1", folder], check=True, capture_output=True, text=True)
    return int(said.stdout.split()[0])


async def test_what_is_allocated_counts_once_and_links_lead_nowhere(tmp_path: Path) -> None:
    acme = tmp_path / "acme"
    (acme / "data" / "ü").mkdir(parents=True)
    (acme / "data" / "first").write_bytes(os.urandom(300_000))
    os.link(acme / "data" / "first", acme / "data" / "ü" / "second")
    (acme / "elsewhere").symlink_to("/usr")
    with (acme / "sparse").open("wb") as file:
        file.truncate(10**9)
    os.mkfifo(acme / "pipe")
    (acme / os.fsdecode(b"not \xff text")).write_bytes(b"x")
    used_bytes, reason = await measured(tmp_path, "acme")
    assert reason == ""
    assert used_bytes is not None
    assert 300_000 < used_bytes < 400_000
    assert used_bytes == as_du_says(acme)


async def test_a_tenant_without_a_directory_has_nothing_but_the_base_must_be_there(
    tmp_path: Path,
) -> None:
    assert await measured(tmp_path, "acme", "data") == (None, "")
    used_bytes, reason = await measured(tmp_path / "unmounted", "acme")
    assert used_bytes is None
    assert reason == (
        f"{tmp_path}/unmounted: No such file or directory. Is the file system mounted, and the path"
        " right?"
    )


async def test_how_large_the_file_system_is_comes_along(tmp_path: Path) -> None:
    measuring = DiskUsageWorker()
    for parts in (("acme",), ()):  # also where there is nothing of the tenant yet
        directory = DirectoryProbe(base=str(tmp_path), parts=parts, limit_seconds=60)
        measuring.ask(Question(question="q", measure=directory))
        answer = await measuring.due()
        measuring.delivered()
        disk = shutil.disk_usage(tmp_path)
        assert answer.measured is not None
        assert answer.measured.capacity_bytes == disk.total
        assert answer.measured.free_bytes is not None
        assert 0 < answer.measured.free_bytes <= disk.total


@needs_mounts
async def test_a_directory_is_measured_on_a_file_system_that_has_no_end(tmp_path: Path) -> None:
    with small_disk(tmp_path / "endless", size="7E") as endless:
        (endless / "acme").mkdir()
        (endless / "acme" / "data").write_bytes(bytes(50_000))
        measuring = DiskUsageWorker()
        directory = DirectoryProbe(base=str(endless), parts=("acme",), limit_seconds=60)
        measuring.ask(Question(question="q", measure=directory))
        found = (await measuring.due()).measured
    assert found is not None
    assert found.reason == ""
    assert 50_000 < (found.used_bytes or 0) < 100_000
    assert found.capacity_bytes == found.free_bytes == MOST_BYTES


async def test_a_link_in_a_tenants_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "acme").symlink_to("/usr/share")
    (tmp_path / "file").write_text("")
    for name in ("acme", "file"):
        used_bytes, reason = await measured(tmp_path, name)
        assert used_bytes is None
        assert f"{tmp_path}/{name}: it is a symbolic link or a file" in reason


async def test_directories_without_end_are_given_up(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(disk_usage_walk.DEEPEST + 10):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    used_bytes, reason = await measured(tmp_path, "d")
    assert (used_bytes, f"more than {disk_usage_walk.DEEPEST} directories" in reason) == (
        None,
        True,
    )


async def test_what_takes_too_long_is_ended_and_the_next_question_answered(tmp_path: Path) -> None:
    measuring = DiskUsageWorker()
    for number, limit_seconds in enumerate((0.001, 60)):
        directory = DirectoryProbe(base=str(tmp_path), parts=(), limit_seconds=limit_seconds)
        measuring.ask(Question(question=str(number), measure=directory))
    first = await measuring.due()
    assert first == await measuring.due(), "until it was delivered"
    assert first.measured is not None
    assert "longer than 0.001 seconds" in first.measured.reason
    measuring.delivered()
    second = await measuring.due()
    assert second.question == "1"
    assert second.measured is not None
    assert second.measured.used_bytes is not None


async def test_others_have_their_turn_while_something_is_measured(tmp_path: Path) -> None:
    for number in range(2_000):
        (tmp_path / str(number)).touch()
    measuring = DiskUsageWorker()
    directory = DirectoryProbe(base=str(tmp_path.parent), parts=(tmp_path.name,), limit_seconds=60)
    measuring.ask(Question(question="q", measure=directory))
    answer = asyncio.create_task(measuring.due())
    turns = 0
    while not answer.done():
        await asyncio.sleep(0.0001)
        turns += 1
    assert answer.result().measured != DirectorySize()
    assert turns > 10


async def test_who_waits_may_go_and_what_is_measured_is_there_for_the_next(tmp_path: Path) -> None:
    measuring = DiskUsageWorker()
    for name in ("first", "second"):
        directory = DirectoryProbe(base=str(tmp_path), parts=(), limit_seconds=60)
        measuring.ask(Question(question=name, measure=directory))
    for name in ("first", "second"):
        for _ in range(2):
            waiting = asyncio.create_task(measuring.due())
            await until_async(lambda: measuring._measuring is not None)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await measuring.due()
        assert answer.question == name
        assert answer.measured is not None
        assert answer.measured.reason == ""
        measuring.delivered()


async def test_a_question_whose_program_could_not_be_started_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring = DiskUsageWorker()
    directory = DirectoryProbe(base=str(tmp_path), parts=(), limit_seconds=60)
    measuring.ask(Question(question="q", measure=directory))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(tmp_path / "none"))
        patched.setattr(disk_usage, "with_parent", list)
        with pytest.raises(FileNotFoundError):
            await measuring.due()
    assert (await measuring.due()).question == "q"
