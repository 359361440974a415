"""A manager for the tests of the channel: the three calls over HTTPS, and what was heard."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from cloudgate.protocol import (
    REVOKED,
    Answer,
    Assignment,
    DirectoryChange,
    GatewayState,
    HostFacts,
    JoinAnswer,
    JoinRequest,
    PollRequest,
    Question,
    Report,
    Update,
)
from tests.support.certificates.authority import Authority
from tests.support.waiting import PATIENCE_SECONDS

TOKEN, CREDENTIAL = "one-time-token", "the-host-credential"
SERVER_ID = UUID(int=9)


class TinyManager:
    """Knows one host."""

    def __init__(self, authority: Authority, folder: Path) -> None:
        self._context = authority.server_context(folder)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0
        self.facts: HostFacts | None = None
        self.reports: asyncio.Queue[Report] = asyncio.Queue()
        self.polls = asyncio.Queue[PollRequest]()
        self.refused = asyncio.Event()
        self.refusals = 0
        self.revoked = False
        self.says_revoked = False
        self.assignment: Assignment | None = None
        self.directory: DirectoryChange | None = None
        self.questions: list[Question] = []
        """Asked once each, one with each poll."""
        self.answers = asyncio.Queue[Answer]()
        self.answered = [204]
        """With what answers are answered: the last with that, and with each before it once."""
        self.said: dict[str, tuple[int, str]] = {}
        """By path: what is answered to it, status and body, in place of all else."""
        self._news = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=self._context
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for each in self._open:
            each.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def tell(self, **changes: object) -> None:
        """Let the host have something new."""
        async with self._news:
            self.__dict__.update(changes)
            self._news.notify_all()

    async def heard(self, state: GatewayState, revision: int) -> Report:
        """Wait for a report."""
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            while True:
                report = await self.reports.get()
                if report.state is state and report.assignment_revision == revision:
                    return report

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ")[1].split()[0])
            body = await reader.readexactly(length)
            status, answer = await self._answer(head, body)
            writer.write(
                f"HTTP/1.1 {status} x\r\nContent-Length: {len(answer)}\r\n"
                f"Connection: close\r\n\r\n{answer}".encode()
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, head: str, body: bytes) -> tuple[int, str]:
        path = head.split()[1]
        if path in self.said:
            return self.said[path]
        if path == "/host/v1/join":
            return self._join(JoinRequest.model_validate_json(body))
        if self.revoked or f"authorization: bearer {CREDENTIAL}" not in head:
            self.refused.set()
            self.refusals += 1
            return 401, json.dumps({"message": "unknown", REVOKED: self.says_revoked})
        if path == "/host/v1/report":
            self.reports.put_nowait(Report.model_validate_json(body))
            return 204, ""
        if path == "/host/v1/answer":
            self.answers.put_nowait(Answer.model_validate_json(body))
            return (self.answered.pop(0) if len(self.answered) > 1 else self.answered[0]), ""
        return 200, (await self._poll(PollRequest.model_validate_json(body))).model_dump_json()

    def _join(self, request: JoinRequest) -> tuple[int, str]:
        if request.token != TOKEN:
            return 403, "The token is not valid."
        self.facts = request.facts
        return 200, JoinAnswer(server_id=SERVER_ID, credential=CREDENTIAL).model_dump_json()

    async def _poll(self, request: PollRequest) -> Update:
        self.polls.put_nowait(request)
        async with self._news:
            while (update := self._update(request)) == Update() and not self.questions:
                await self._news.wait()
            question = self.questions.pop(0) if self.questions else None
        return update.model_copy(update={"question": question}) if question else update

    def _update(self, request: PollRequest) -> Update:
        assignment, directory = self.assignment, self.directory
        if assignment and assignment.revision == request.assignment_revision:
            assignment = None
        if directory and directory.revision == request.directory_revision:
            directory = None
        return Update(assignment=assignment, directory=directory)


@asynccontextmanager
async def tiny_manager(authority: Authority, folder: Path) -> AsyncIterator[TinyManager]:
    """A manager for one test."""
    manager = TinyManager(authority, folder)
    await manager.start()
    try:
        yield manager
    finally:
        await manager.stop()
