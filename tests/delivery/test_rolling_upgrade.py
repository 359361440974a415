"""A manager of the release before and one of this one are on a database: is anything lost?

Operators write at both all the time, as they do while one manager after the other is upgraded.
"""

import io
import signal
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from cloudgate.manager.storage.database import revision_at
from cloudgate.manager.storage.migrations import newest_revision
from delivery import released
from delivery.tools import ROOT
from tests.support.observation.monitored_product import Site
from tests.support.programs.postgres import needs_postgresql, shared_server
from tests.support.running.managers import (
    PATIENCE_SECONDS,
    Managers,
    logged_on,
    names,
    spec,
    two_managers,
)
from tests.support.waiting import until

pytestmark = [needs_postgresql, pytest.mark.delivery, pytest.mark.timeout(900)]
PAUSE_SECONDS = 0.1
AT_LEAST = 5
"""Writes at each that are accepted in each part of the story."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the release before."""
    folder = tmp_path_factory.mktemp("before")
    commit = released.commits()[released.before()]
    command = ("git", "-C", str(ROOT), "archive", commit, "src")
    with tarfile.open(fileobj=io.BytesIO(subprocess.check_output(command))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


@dataclass
class Writers:
    """An operator at each of two managers, who goes on whatever happens."""

    managers: Managers
    over: threading.Event = field(default_factory=threading.Event)
    accepted: dict[int, list[str]] = field(default_factory=lambda: {0: [], 1: []})
    """By the place of the manager that was asked."""
    refused: list[str] = field(default_factory=list)
    """Otherwise than by 503, and 401 of a manager that was started again."""

    def write(self, place: int) -> None:
        """Until it is over."""
        number = 0
        while not self.over.wait(PAUSE_SECONDS):
            with (
                suppress(httpx2.TransportError, httpx2.HTTPStatusError),
                self.managers.sites[place].client() as client,
            ):
                while not self.over.wait(PAUSE_SECONDS):
                    number += 1
                    name = f"w{place}-{number}.example"
                    answer = client.http.post("/repositories", json=spec(name))
                    if answer.status_code == 201:
                        self.accepted[place].append(name)
                    elif answer.status_code == 401:
                        break
                    elif answer.status_code != 503:
                        self.refused.append(answer.text)

    def go_on_at(self, *places: int) -> None:
        """Returns when some more was accepted there."""
        wanted = {each: len(self.accepted[each]) + AT_LEAST for each in places}

        def are_done() -> bool:
            return all(len(self.accepted[each]) >= wanted[each] for each in places)

        until(are_done, PATIENCE_SECONDS)


@contextmanager
def writing_at(managers: Managers) -> Iterator[Writers]:
    writers = Writers(managers)
    threads = [threading.Thread(target=writers.write, args=[place]) for place in (0, 1)]
    for each in threads:
        each.start()
    try:
        yield writers
    finally:
        writers.over.set()
        for each in threads:
            each.join()


def test_both_releases_work_on_one_database_and_nothing_accepted_is_lost(
    tmp_path: Path, sources: Path
) -> None:
    url = shared_server().empty_database("ENCODING 'UTF8' LOCALE 'C.UTF-8'")
    with two_managers(tmp_path, url, first_of=sources) as both:
        old, new = both.sites
        assert both.leading() == (old, new)
        assert (revision_at(url) or "") < newest_revision()
        with writing_at(both) as writers:
            writers.go_on_at(0, 1)
            old.manager.process.send_signal(signal.SIGSTOP)
            until(lambda: revision_at(url) == newest_revision(), PATIENCE_SECONDS)
            writers.go_on_at(1)
            old.manager.process.send_signal(signal.SIGCONT)
            writers.go_on_at(0, 1)
            assert both.leading() == (new, old)
            new.manager.process.kill()
            assert _ends_with_a_sentence(old)
            new.start_manager()
            writers.go_on_at(1)
        assert writers.refused == []
        with logged_on(new) as client:
            kept = names(client)
        accepted = [*writers.accepted[0], *writers.accepted[1]]
        assert set(accepted) <= set(kept)
        assert len(kept) == len(set(kept))


def _ends_with_a_sentence(old: Site) -> bool:
    """Whether it says that it is too old to lead, and ends, as nobody else is there to do so."""
    until(lambda: old.manager.process.poll() is not None, PATIENCE_SECONDS)
    assert "made by a newer release" in old.manager.log.read_text()
    return old.manager.process.returncode != 0
