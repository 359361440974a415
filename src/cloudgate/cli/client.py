"""API client: how is the REST API asked? Logs on when it must; a refusal is one sentence."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Protocol

from cloudgate.cli.session_cache import Logon, LogonFile
from cloudgate.cli.settings import Connection
from cloudgate.errors import CloudgateError, NotAuthenticatedError, UnavailableError
from cloudgate.values import precis

Json = dict[str, Any]


class RefusedError(CloudgateError):
    """The manager has answered that it will not or cannot do this; the text is its own."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """What is sent to the manager: with a session, a name and password, or an API token."""

    verb: str
    path: str
    """Below ``/api``."""
    body: Json | None = None
    logon: Logon | None = None
    user: tuple[str, str] | None = None
    token: str | None = None


@dataclass(frozen=True)
class Reply:
    """What came back, whatever it is."""

    status: int
    text: str
    location: str = ""


class Sender(Protocol):
    """Carries requests to the manager."""

    def send(self, request: Request) -> Reply:
        """Send one.

        Raises:
            UnavailableError: there is no answer that can be trusted.
        """


@dataclass(frozen=True)
class Answer:
    """What the manager has answered to a request that it took."""

    status: int
    text: str
    """The body as it came."""
    body: Json
    """The same, read; empty when there was none."""
    location: str = ""


class Api:
    """One manager's REST API, as one user sees it. Connects with the first request."""

    def __init__(
        self,
        connection: Connection,
        sender: Sender,
        logons: LogonFile,
        password: Callable[[Connection], str],
        token: Callable[[Connection], str | None] = lambda _connection: None,
    ) -> None:
        """`password` and `token` are asked for what the user has; with a token nobody logs on."""
        self._connection = connection
        self._sender = sender
        self._logons = logons
        self._password = password
        self._token = token

    @property
    def url(self) -> str:
        """The manager's address."""
        return self._connection.url

    def get(self, path: str) -> Answer:
        """Read what is at a path below ``/api``, or at an Href that the API gave."""
        return self._ask(Request("GET", below_root(path)))

    def post(self, path: str, body: Json | None = None) -> Answer:
        """Add to a collection, or do an action."""
        return self._ask(Request("POST", path, body))

    def put(self, path: str, body: Json) -> Answer:
        """Change what is at a path."""
        return self._ask(Request("PUT", path, body))

    def put_by_password(self, path: str, body: Json) -> Answer:
        """Change what the user's own name and password are shown for; no session is begun."""
        password = precis.password(self._password(self._connection))
        user = (self._connection.user, password)
        return self._read(self._sender.send(Request("PUT", path, body, user=user)))

    def delete(self, path: str) -> Answer:
        """Remove what is at a path."""
        return self._ask(Request("DELETE", path))

    def log_off(self) -> bool:
        """End the logon session that is kept. False when none is."""
        logon = self._logons.load()
        if logon is None:
            return False
        self._logons.forget()
        self._sender.send(Request("DELETE", f"/logonSessions/{logon.session_id}", logon=logon))
        return True

    def _ask(self, request: Request) -> Answer:
        if token := self._token(self._connection):
            shown = replace(request, token=token)
            return self._read(self._sender.send(shown))
        kept = self._logons.load()
        reply = self._send_as(request, kept or self._log_on())
        if reply.status == HTTPStatus.UNAUTHORIZED and kept is not None:
            reply = self._send_as(request, self._log_on())
        return self._read(reply)

    def _send_as(self, request: Request, logon: Logon) -> Reply:
        return self._sender.send(Request(request.verb, request.path, request.body, logon))

    def _log_on(self) -> Logon:
        url, user = self._connection.url, self._connection.user
        self._logons.forget()
        password = precis.password(self._password(self._connection))
        reply = self._sender.send(Request("POST", "/sessionMngr/?v=latest", user=(user, password)))
        if reply.status == HTTPStatus.UNAUTHORIZED:
            raise NotAuthenticatedError(
                f"{url} did not accept this password for the user {user}; check both, and try"
                " again. An account with a second factor uses an API token here (--token-file)."
            )
        session_id = self._read(reply).body.get("SessionId")
        if not isinstance(session_id, str):
            raise self._not_the_api()
        logon = Logon(session_id)
        self._logons.keep(logon)
        return logon

    def _read(self, reply: Reply) -> Answer:
        text = reply.text.removeprefix("\ufeff")  # published bodies begin with a byte order mark
        try:
            body = json.loads(text) if text else {}
        except ValueError:
            raise self._not_the_api() from None
        if not isinstance(body, dict) or 300 <= reply.status < 400:  # noqa: PLR2004  redirects
            raise self._not_the_api()
        if reply.status >= HTTPStatus.BAD_REQUEST:
            reason = body.get("Message") or f"The manager answered with status {reply.status}."
            advice = body.get("FirstChanceExceptionMessage")
            raise RefusedError(f"{reason}. {advice}" if advice else str(reason), reply.status)
        return Answer(reply.status, text, body, reply.location)

    def _not_the_api(self) -> UnavailableError:
        return UnavailableError(
            f"{self._connection.url} answers, but not as a manager does; check --url."
        )


def below_root(address: str) -> str:
    """The part of an Href below ``/api``. The logon session goes to no host but the manager."""
    if address.startswith("/"):
        return address
    _, _, path = address.partition("/api/")
    return f"/{path}"
