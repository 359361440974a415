"""API calls: how does a page ask the REST API? In process, as whoever is signed in.

A call goes through all that a call from outside goes through, so who may do what, what is
written down and what is said of a failure are the API's. It has the browser's address and the
browser's word of where it was led here from, which the API judges.
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message

Json = dict[str, Any]
SESSION = "x-restsvcsessionid"
_PASSED_ON = frozenset(
    {
        "host", "origin", "sec-fetch-site", "user-agent", "forwarded", "x-forwarded-for",
        "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto",
    }
)  # fmt: skip
"""Headers of the browser that say from where it comes, and by which address."""
_SOON_SECONDS = 3.0
_OK, _REFUSED = 200, 400
_UNAUTHORIZED, _NOT_FOUND = 401, 404


def basic(name: str, password: str) -> str:
    """The Authorization that shows a name and its password (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


class RefusedError(Exception):
    """The API has answered that it will not or cannot do this; the text is its own."""

    def __init__(self, status: int, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.advice = advice

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it says, and what to do."""
        return tuple(each for each in (self.message, self.advice) if each)


class SignedOutError(RefusedError):
    """There is no session, or not any more."""


@dataclass(frozen=True)
class Answer:
    """What the API has answered to a call that it took."""

    status: int
    headers: Mapping[str, str]
    body: Json = field(default_factory=dict)
    text: str = ""

    @property
    def task(self) -> str:
        """The id of the task that the call began; empty when it began none."""
        accepted = 202
        return str(self.body.get("TaskId") or "") if self.status == accepted else ""


class Api:
    """The REST API as one browser's request may ask it."""

    def __init__(self, application: ASGIApp, request: Request, session: str) -> None:
        self._application = application
        self._request = request
        self.session = session
        self.code = ""
        """Of a second factor, to log on with."""

    async def get(self, path: str) -> Json:
        """Read what is at a path below ``/api``.

        Raises:
            RefusedError: the API does not show it.
        """
        return (await self.ask("GET", path)).body

    async def get_if_there(self, path: str, within_seconds: float = _SOON_SECONDS) -> Json | None:
        """The same; None where there is nothing, or it is not known soon: no page waits long."""
        try:
            return await asyncio.wait_for(self.get(path), within_seconds)
        except SignedOutError:
            raise
        except (RefusedError, TimeoutError):
            return None

    async def log_on(self, name: str, password: str, *, of: str = "") -> Answer:
        """Begin a session: of an account, or, with `of`, of a tenant.

        Raises:
            RefusedError: name or password is wrong, or there were too many wrong ones.
        """
        path = f"/sessionMngr/?v=latest{'&as=' + of if of else ''}"
        shown = {"authorization": basic(name, password)}
        if self.code:
            shown["x-cloudgate-code"] = self.code
        return await self.ask("POST", path, None, shown)

    async def ask(
        self, verb: str, path: str, body: Json | None = None, more: Mapping[str, str] | None = None
    ) -> Answer:
        """Make one call.

        Raises:
            SignedOutError: the session has ended.
            RefusedError: the API refuses it otherwise.
        """
        content = b"" if body is None else json.dumps(body).encode()
        status, headers, text = await self._call(verb, path, content, more or {})
        is_json = headers.get("content-type", "").startswith("application/json")
        said: Any = json.loads(text) if is_json and text else {}
        found: Json = said if isinstance(said, dict) else {}
        if status >= _REFUSED:
            kind = SignedOutError if status == _UNAUTHORIZED else RefusedError
            raise kind(
                status,
                str(found.get("Message") or text[:300]),
                str(found.get("FirstChanceExceptionMessage") or ""),
            )
        return Answer(status, headers, found, "" if is_json else text)

    async def _call(
        self, verb: str, path: str, content: bytes, more: Mapping[str, str]
    ) -> tuple[int, dict[str, str], str]:
        outer = self._request
        name, _, query = path.partition("?")
        sent = {"accept": "application/json", **more}
        if self.session:
            sent[SESSION] = self.session
        if content:
            sent["content-type"] = "application/json"
            sent["content-length"] = str(len(content))
        # Each line of a header that has several: what a proxy says of where a request comes from is
        # behind what the client says itself.
        said = [
            (name, value)
            for name, value in outer.headers.items()
            if name in _PASSED_ON - sent.keys() and (verb != "GET" or name != "origin")
        ]
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in (*said, *sent.items())
        ]
        scope = {
            **outer.scope,
            "method": verb,
            "path": f"/api{name}",
            "raw_path": f"/api{name}".encode(),
            "query_string": query.encode(),
            "headers": headers,
            "state": dict(outer.scope.get("state") or {}),
        }
        answer = _CollectedResponse()
        waiting = [content]

        async def receive() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            return await outer.receive()

        await self._application(scope, receive, answer.send)
        return answer.status, answer.headers, b"".join(answer.pieces).decode("utf-8-sig")


@dataclass
class _CollectedResponse:
    """An answer, as it is sent."""

    status: int = _OK
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        """Take one piece of it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message["headers"]:
                self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        elif message["type"] == "http.response.body":
            self.pieces.append(message.get("body", b""))
