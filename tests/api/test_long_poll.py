"""Long poll: which of several polls of one host hears what is told only once?"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPSConnection
from urllib.parse import urlsplit

import pytest

from cloudgate.manager.servers.managed_servers import get_managed_server, touch_assignment
from cloudgate.protocol import DirectoryProbe, Update
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager
from tests.support.waiting import PATIENCE_SECONDS, until

PROBE = DirectoryProbe(base="/srv", parts=("acme",), limit_seconds=60)
MANY = 5
"""Polls that nobody awaits: one of them would be woken first five times in six."""


class Polls:
    """A host's polls, each on a connection of its own."""

    def __init__(self, running: RunningManager, host: ScriptedHost, stack: ExitStack) -> None:
        self._running = running
        self._host = host
        self._stack = stack

    def begin(self) -> HTTPSConnection:
        """One that is about to be answered, or held."""
        where = urlsplit(self._running.url)
        connection = HTTPSConnection(
            where.hostname or "",
            where.port,
            context=self._running.context,
            timeout=PATIENCE_SECONDS,
        )
        self._stack.enter_context(closing(connection))
        said = self._host.poll_request().model_dump_json()
        headers = {"Authorization": self._host.client.headers["Authorization"]}
        connection.request("POST", "/host/v1/poll", said, headers)
        return connection

    def hold(self) -> HTTPSConnection:
        """One more that the manager holds."""
        before = self.held
        connection = self.begin()
        until(lambda: self.held > before)
        return connection

    @property
    def held(self) -> int:
        """How many the manager holds."""
        return len(self._running.manager.wakeups._waiting.get(self._host.server_id, ()))

    def ask(self) -> str:
        """Ask the host for something; the question's name."""
        name = self._running.manager.host_queries.request_disk_usage(self._host.server_id, PROBE)
        self._running.manager.wakeups.wake([self._host.server_id])
        return name


def heard(connection: HTTPSConnection) -> Update:
    return Update.model_validate_json(connection.getresponse().read())


@pytest.fixture
def polls(running: RunningManager, host: ScriptedHost) -> Iterator[Polls]:
    """Of a host that knows all that there is for it."""
    host.poll()
    with ExitStack() as stack:
        yield Polls(running, host, stack)


def test_the_newest_poll_alone_is_asked_and_those_before_it_end_with_nothing(polls: Polls) -> None:
    before = [polls.hold() for _ in range(MANY)]
    newest = polls.hold()
    name = polls.ask()
    question = heard(newest).question
    assert question is not None
    assert question.question == name
    for each in before:
        told = heard(each)
        assert (told.question, told.directory, told.assignment) == (None, None, None)


def test_the_newest_poll_alone_is_told_that_its_tokens_are_wanted(
    running: RunningManager, host: ScriptedHost, polls: Polls
) -> None:
    before = [polls.hold() for _ in range(MANY)]
    newest = polls.hold()
    running.manager.slot_tokens._asked_again.add(host.server_id)
    running.manager.wakeups.wake([host.server_id])
    assert heard(newest).demand
    assert not any(heard(each).demand for each in before)


def test_an_older_poll_ends_no_newer_one_and_hears_what_is_told_again_and_again(
    running: RunningManager, host: ScriptedHost, polls: Polls
) -> None:
    older, newer = polls.hold(), polls.hold()
    assert polls.held == 2, "neither ends the other"
    with running.manager.changing() as work:
        touch_assignment(work, get_managed_server(work, host.server_id))
    assert heard(newer).assignment is not None
    heard(older)
    again = polls.begin()
    assert heard(again).assignment is not None


def test_who_has_hung_up_is_not_asked_but_when_it_comes_back(
    running: RunningManager, polls: Polls
) -> None:
    gone = polls.hold()
    gone.close()
    # What comes on a connection of its own is answered after the other one's end was seen.
    running.client().get("/").raise_for_status()
    name = polls.ask()
    until(lambda: not polls.held)
    question = heard(polls.begin()).question
    assert question is not None
    assert question.question == name
