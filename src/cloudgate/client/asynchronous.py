"""Asynchronous driver: how do steps come to pass beside others? On asyncio, verified as ever."""

import asyncio
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from cloudgate.client.core.conversation import MessageTerms
from cloudgate.client.core.exchange import CriticalSection, Delay, Reply, Request, Steps, Wanted
from cloudgate.client.verification import (
    AUTHORITY_PATH,
    TIMEOUT_SECONDS,
    Trust,
    as_sent,
    check_authority,
    dials_itself,
    reply_of,
    settings_of_client,
    unavailable,
    unverified_context,
)
from cloudgate.errors import CloudgateError, InvalidRequestError
from cloudgate.network.http_transport import AsyncDiallingTransport
from cloudgate.network.short_answers import find_short_answer

T = TypeVar("T")


class AsyncTransport:
    """As `blocking.Transport`, for one event loop; its tasks may use it at once."""

    def __init__(
        self,
        trust: Trust = Trust(),  # noqa: B008  it is frozen
        words: MessageTerms = MessageTerms(),  # noqa: B008
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """`timeout_seconds`: how long an answer may take.

        Raises:
            InvalidRequestError: what is to be trusted cannot be used.
        """
        self._trust = trust
        self._pin = trust.pin()
        self._context = None if self._pin else trust.context()
        self._words = words
        self._timeout_seconds = timeout_seconds
        self._clients: dict[str, httpx2.AsyncClient] = {}
        self._connecting = asyncio.Lock()
        self._alone = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        for each in self._clients.values():
            await each.aclose()
        self._clients.clear()

    async def run(self, steps: Steps[T]) -> T:
        """What steps come to.

        Raises:
            CloudgateError: as they do.
        """
        came: Any = None
        problem: CloudgateError | None = None
        try:
            while True:
                wanted = steps.throw(problem) if problem else steps.send(came)
                came, problem = None, None
                try:
                    came = await self._done(wanted)
                except CloudgateError as found:
                    problem = found
        except StopIteration as end:
            result: T = end.value
            return result

    async def _done(self, wanted: Wanted) -> Any:
        if isinstance(wanted, Request):
            return await self.send(wanted)
        if isinstance(wanted, Delay):
            await asyncio.sleep(wanted.seconds)
            return None
        return await self._done_alone(wanted)

    async def _done_alone(self, wanted: CriticalSection) -> Any:
        async with self._alone:
            return await self.run(wanted.steps)

    async def send(self, request: Request) -> Reply:
        """What the manager of a request's address answers; see `blocking.Transport.send`."""
        timeout_seconds = request.patience_seconds(self._timeout_seconds)
        try:
            client = await self._client(request.url)
            return reply_of(await client.request(**as_sent(request, self._timeout_seconds)))
        except (httpx2.TransportError, httpx2.InvalidURL) as problem:
            raise unavailable(request.url, problem, self._words, timeout_seconds) from None

    async def _client(self, url: str) -> httpx2.AsyncClient:
        async with self._connecting:
            if url not in self._clients:
                self._clients[url] = await self._new_client(url)
            return self._clients[url]

    async def _new_client(self, url: str) -> httpx2.AsyncClient:
        if self._context is None:
            self._context = self._trust.context(await self._authority(url))
        transport = AsyncDiallingTransport(self._context) if dials_itself(url) else None
        settings = settings_of_client(url, self._context, self._timeout_seconds)
        try:
            return httpx2.AsyncClient(**settings, transport=transport)
        except httpx2.InvalidURL as problem:
            raise InvalidRequestError(f"{url} is no address: {problem}.") from None

    async def _authority(self, url: str) -> str:
        """The authority that has the fingerprint; whoever shows another one is asked nothing."""
        unverified = unverified_context()
        settings = settings_of_client(url, unverified, self._timeout_seconds)
        transport = AsyncDiallingTransport(unverified) if dials_itself(url) else None
        async with httpx2.AsyncClient(**settings, transport=transport) as client:
            address = f"{url}{AUTHORITY_PATH}"
            shown = await find_short_answer(client, address, self._timeout_seconds)
        return check_authority(url, shown, self._pin or "")
