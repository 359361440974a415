"""Manager client: how does the host service speak with the manager? HTTPS, one authority only."""

import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx2
from pydantic import ValidationError

from cloudgate.errors import (
    InvalidRequestError,
    NotAuthenticatedError,
    RevokedError,
    UnavailableError,
)
from cloudgate.network.http_transport import AsyncDiallingTransport, why_unanswered
from cloudgate.protocol import (
    POLL_SECONDS,
    REVOKED,
    SERVER_HEADER,
    Allowances,
    Answer,
    DemandReport,
    Document,
    JoinAnswer,
    JoinRequest,
    OwnAnswer,
    OwnRequest,
    PollRequest,
    Report,
    Update,
    UsageBatch,
)
from cloudgate.trust.certificate_roles import (
    Role,
    client_context,
    is_ours,
    no_gateway,
    only_a_manager,
    role_of,
    wrong_role,
)

ANSWER_SECONDS = 10.0
"""How long the manager has for an answer, besides the time that it holds a poll."""

_TIMEOUT = httpx2.Timeout(ANSWER_SECONDS, read=POLL_SECONDS + ANSWER_SECONDS)
SEE_SECONDS = 4.0
"""How long it may take to say that it is there."""
_SEEING = httpx2.Timeout(SEE_SECONDS)
_QUOTED_CHARACTERS = 300
_Answer = TypeVar("_Answer", bound=Document)


class UnknownCallError(InvalidRequestError):
    """The manager does not know the call: it is of a release before."""


class ManagerClient:
    """The calls of the host protocol. Each raises a `CloudgateError` that says why it failed."""

    def __init__(
        self,
        url: str,
        ca_pem: str,
        credential: Callable[[], str] | None = None,
        on_time: Callable[[datetime], None] | None = None,
        *,
        says_role: bool = False,
        server_id: UUID | None = None,
    ) -> None:
        """A client of the manager that `ca_pem` vouches for.

        Args:
            url: its address.
            ca_pem: the authority that has to vouch for it.
            credential: is asked at each call.
            on_time: is told the manager's time at each one.
            says_role: whether the manager is known to show a certificate that says its role. One
                of the release before does not; one that has said it once always will.
            server_id: the managed server that this is.
        """
        self._server_id = server_id
        self.says_role = says_role
        """As it is known now."""
        try:
            context = client_context(self._judge, pem=ca_pem)
        except (ssl.SSLError, ValueError):
            raise InvalidRequestError("The manager's certificate authority is no PEM.") from None
        self._url = url.rstrip("/")
        self._credential = credential
        self._on_time = on_time
        self._client = httpx2.AsyncClient(
            base_url=self._url,
            transport=AsyncDiallingTransport(context),
            timeout=_TIMEOUT,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    def _judge(self, certificate: Mapping[str, Any]) -> str:
        why = (only_a_manager if self.says_role else no_gateway)(certificate)
        if not why and is_ours(certificate) and role_of(certificate) is Role.MANAGER:
            self.says_role = True
        return why

    async def join(self, request: JoinRequest) -> JoinAnswer:
        """Become a managed server."""
        answer = await self._call("/host/v1/join", request)
        return self._read(JoinAnswer, answer)

    async def poll(self, request: PollRequest) -> Update:
        """Wait for news."""
        answer = await self._call("/host/v1/poll", request)
        return self._read(Update, answer)

    async def see(self) -> None:
        """See within a moment that the manager answers."""
        try:
            await self._call("/host/v1/here", None, _SEEING)
        except UnknownCallError:
            return  # and so it is there

    async def report(self, report: Report) -> None:
        """Say how far this host has come."""
        await self._call("/host/v1/report", report)

    async def send_usage(self, batch: UsageBatch) -> None:
        """Say what tenants used."""
        await self._call("/host/v1/usage", batch)

    async def send_demand(self, report: DemandReport) -> Allowances:
        """Say what limited tenants send, and hear their parts."""
        return self._read(Allowances, await self._call("/host/v1/demand", report))

    async def send_query_result(self, answer: Answer) -> None:
        """Say what was asked."""
        await self._call("/host/v1/answer", answer)

    async def send_own(self, request: OwnRequest) -> OwnAnswer:
        """Hand on what a tenant wants for itself."""
        return self._read(OwnAnswer, await self._call("/host/v1/own", request))

    async def _call(
        self, path: str, document: Document | None, patience: httpx2.Timeout = _TIMEOUT
    ) -> httpx2.Response:
        credential = self._credential() if self._credential else None
        answer = await self._sent(path, document, patience, credential)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and self._credential is not None:
            # Another call may have brought a new one, and the manager heard of that first.
            newest = self._credential()
            if newest != credential:
                answer = await self._sent(path, document, patience, newest)
        self._note_time(answer)
        self._check(answer)
        return answer

    async def _sent(
        self, path: str, document: Document | None, patience: httpx2.Timeout, credential: str | None
    ) -> httpx2.Response:
        headers = {"Content-Type": "application/json"}
        if credential is not None:
            headers["Authorization"] = f"Bearer {credential}"
        if self._server_id is not None:
            headers[SERVER_HEADER] = str(self._server_id)
        try:
            return await self._client.post(
                path,
                content=document.model_dump_json() if document else None,
                headers=headers,
                timeout=patience,
            )
        except httpx2.TransportError as error:
            wrong = wrong_role(error)
            if wrong:
                raise UnavailableError(
                    f"What answers at {self._url} is not the manager and was told nothing: {wrong}."
                ) from None
            raise UnavailableError(
                f"The manager at {self._url} does not answer: {why_unanswered(error)}."
            ) from error

    def _note_time(self, answer: httpx2.Response) -> None:
        """Hear what time it is at the manager (RFC 9110, section 6.6.1)."""
        try:
            said = parsedate_to_datetime(answer.headers["Date"])
        except (KeyError, ValueError):
            return
        if self._on_time is not None and said.tzinfo is not None:
            # The manager's server makes the header when a request arrives, and holds polls.
            self._on_time(said + answer.elapsed)

    def _check(self, answer: httpx2.Response) -> None:
        if answer.is_success:
            return
        told = _refusal_members(answer)
        said = _words(answer, told)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and told.get(REVOKED) is True:
            raise RevokedError(f"The manager at {self._url} listens to this host no more: {said}")
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise NotAuthenticatedError(
                f"The manager at {self._url} does not know this host: {said}"
            )
        if answer.status_code == HTTPStatus.NOT_FOUND and "message" in told:  # as a manager does
            raise UnknownCallError(f"The manager at {self._url} does not know the call: {said}")
        if answer.is_client_error:
            raise InvalidRequestError(f"The manager at {self._url} refuses: {said}")
        raise UnavailableError(f"The manager at {self._url} fails: {said}")

    def _read(self, kind: type[_Answer], answer: httpx2.Response) -> _Answer:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError:
            # The error's text would quote what may be a credential.
            raise UnavailableError(
                f"The answer of {self._url} is not this protocol's. Is it a manager?"
            ) from None


def _refusal_members(answer: httpx2.Response) -> dict[str, object]:
    """What a manager says of itself where it refuses; nothing of what something else says."""
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _words(answer: httpx2.Response, told: dict[str, object]) -> str:
    """A manager's own sentence; of what something else answers, the beginning."""
    message = told.get("message")
    if isinstance(message, str) and message:
        return message[:_QUOTED_CHARACTERS]
    quoted = answer.text[:_QUOTED_CHARACTERS].strip().rstrip(".")
    return f"{answer.status_code} {quoted}".strip() + "."
