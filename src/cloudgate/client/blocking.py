"""Blocking driver: how do steps come to pass, one after the other? Over HTTPS, verified, always."""

import threading
import time
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
from cloudgate.network.http_transport import DiallingTransport
from cloudgate.network.short_answers import short_answer

T = TypeVar("T")


class Transport:
    """Carries out steps on the network. Connects with the first request.

    Several threads may use it at once.
    """

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
        self._clients: dict[str, httpx2.Client] = {}
        self._alone = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for each in self._clients.values():
            each.close()
        self._clients.clear()

    def run(self, steps: Steps[T]) -> T:
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
                    came = self._done(wanted)
                except CloudgateError as found:
                    problem = found
        except StopIteration as end:
            result: T = end.value
            return result

    def _done(self, wanted: Wanted) -> Any:
        if isinstance(wanted, Request):
            return self.send(wanted)
        if isinstance(wanted, Delay):
            time.sleep(wanted.seconds)
            return None
        return self._done_alone(wanted)

    def _done_alone(self, wanted: CriticalSection) -> Any:
        with self._alone:
            return self.run(wanted.steps)

    def send(self, request: Request) -> Reply:
        """What the manager of a request's address answers, whatever it is.

        Raises:
            UnavailableError: there is no answer that can be trusted.
            InvalidRequestError: the address cannot be used.
        """
        timeout_seconds = request.patience_seconds(self._timeout_seconds)
        try:
            client = self._client(request.url)
            return reply_of(client.request(**as_sent(request, self._timeout_seconds)))
        except (httpx2.TransportError, httpx2.InvalidURL) as problem:
            raise unavailable(request.url, problem, self._words, timeout_seconds) from None

    def _client(self, url: str) -> httpx2.Client:
        with self._alone:
            if url not in self._clients:
                self._clients[url] = self._new_client(url)
            return self._clients[url]

    def _new_client(self, url: str) -> httpx2.Client:
        if self._context is None:
            self._context = self._trust.context(self._authority(url))
        transport = DiallingTransport(self._context) if dials_itself(url) else None
        settings = settings_of_client(url, self._context, self._timeout_seconds)
        try:
            return httpx2.Client(**settings, transport=transport)
        except httpx2.InvalidURL as problem:
            raise InvalidRequestError(f"{url} is no address: {problem}.") from None

    def _authority(self, url: str) -> str:
        """The authority that has the fingerprint; whoever shows another one is asked nothing."""
        unverified = unverified_context()
        settings = settings_of_client(url, unverified, self._timeout_seconds)
        seconds = self._timeout_seconds
        transport = DiallingTransport(unverified, seconds=seconds) if dials_itself(url) else None
        with httpx2.Client(**settings, transport=transport) as client:
            shown = short_answer(client, f"{url}{AUTHORITY_PATH}", seconds)
        return check_authority(url, shown, self._pin or "")
