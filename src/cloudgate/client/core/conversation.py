"""Conversation: how is a manager's REST API asked? Logs on when needed, tries again. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from cloudgate.client.core.addresses import below_root
from cloudgate.client.core.exchange import Answer, CriticalSection, Reply, Request, Steps
from cloudgate.client.core.exchange import Delay as Wait
from cloudgate.client.core.kinds import Json
from cloudgate.client.core.logons import Logon, LogonIdentity, LogonStore
from cloudgate.client.core.refusals import refusal
from cloudgate.client.core.retries import NONE, Retries, may_follow_problem, may_follow_reply
from cloudgate.errors import NotAuthenticatedError, UnavailableError
from cloudgate.values import json_texts, precis

LOGON_TIMEOUT_SECONDS = 75.0
"""A logon after wrong ones waits for up to 30 seconds, and its password has its turn then."""


@dataclass(frozen=True)
class MessageTerms:
    """What the reader of a message calls what he has said."""

    url: str = "url"
    ca: str = "ca"
    factor: str = "shows its code, too (code), or uses an API token (token)"
    """What whoever has a second factor does."""


class Conversation:
    """What is said with one installation, in the name of one user."""

    def __init__(
        self,
        urls: Sequence[str],
        who: LogonIdentity,
        logons: LogonStore,
        retries: Retries = NONE,
        words: MessageTerms = MessageTerms(),
    ) -> None:
        """`urls`: of all managers of the installation; the first that answers is asked."""
        self._urls = tuple(urls)
        self._who = who
        self._logons = logons
        self._retries = retries
        self._words = words
        self._at = 0

    @property
    def url(self) -> str:
        """The address of the manager that answered last, or is asked first."""
        return self._urls[self._at]

    def get(self, path: str) -> Steps[Answer]:
        """Read what is at a path below ``/api``, or at an Href that the API gave."""
        return self.ask(Request("GET", below_root(path)))

    def ask(self, request: Request) -> Steps[Answer]:
        """What the manager answers to a request, which says nothing of who asks.

        Raises:
            UnavailableError: there is no answer that can be trusted.
            NotAuthenticatedError: the manager does not know who asks.
            RefusedError: the manager will not or cannot do it.
        """
        if token := self._who.token():
            return (yield from self._read(replace(request, token=token)))
        kept = self._logons.load()
        logon = kept or (yield CriticalSection(self._log_on(None)))
        url, reply = yield from self._send(replace(request, logon=logon))
        if reply.status == HTTPStatus.UNAUTHORIZED and kept is not None:
            logon = yield CriticalSection(self._log_on(kept))
            url, reply = yield from self._send(replace(request, logon=logon))
        return self._answer(request.to(url), reply)

    def ask_by_password(self, request: Request) -> Steps[Answer]:
        """The same by the user's own name and password; no session is begun."""
        return (yield from self._read(replace(request, user=self._user())))

    def log_off(self) -> Steps[bool]:
        """End the logon session that is kept. False when none is."""
        logon = self._logons.load()
        if logon is None:
            return False
        self._logons.forget()
        path = f"/logonSessions/{logon.session_id}"
        if self._who.is_tenant:
            path = "/cloud/self/session"
        # Once: a session that nobody ends, ends by itself.
        yield from self._send_to_any(Request("DELETE", path, logon=logon))
        return True

    def _log_on(self, refused: Logon | None) -> Steps[Logon]:
        """A session that is not the refused one; another run may have begun one meanwhile."""
        kept = self._logons.load()
        if kept is not None and kept != refused:
            return kept
        self._logons.forget()
        request = Request(
            "POST",
            "/sessionMngr/?v=latest" + ("&as=tenant" if self._who.is_tenant else ""),
            user=self._user(),
            code=self._who.code(),
            timeout_seconds=LOGON_TIMEOUT_SECONDS,
        )
        url, reply = yield from self._send(request)
        if reply.status == HTTPStatus.UNAUTHORIZED and request.code is None:
            code = None if self._who.is_tenant else self._who.asked_code()
            if code is not None:
                url, reply = yield from self._send(replace(request, code=code))
        if reply.status == HTTPStatus.UNAUTHORIZED:
            raise NotAuthenticatedError(self._not_known())
        session_id = self._answer(request.to(url), reply).body.get("SessionId")
        if not isinstance(session_id, str):
            raise self.not_the_api()
        logon = Logon(session_id)
        self._logons.keep(logon)
        return logon

    def _not_known(self) -> str:
        said = (
            f"{self.url} did not accept this password for the user {self._who.user}; check both,"
            " and try again."
        )
        if self._who.is_tenant:
            return said
        return f"{said} An account with a second factor {self._words.factor}."

    def _user(self) -> tuple[str, str]:
        return (self._who.user, precis.password(self._who.password()))

    def _read(self, request: Request) -> Steps[Answer]:
        url, reply = yield from self._send(request)
        return self._answer(request.to(url), reply)

    def _send(self, request: Request) -> Steps[tuple[str, Reply]]:
        """The first manager that takes the request, as often as it may be sent, and its reply."""
        number = 0
        while True:
            try:
                at, reply = yield from self._send_to_any(request)
            except UnavailableError as problem:
                if not may_follow_problem(request, problem):
                    raise
                seconds = self._retries.pause_seconds(number)
                if seconds is None:
                    raise
            else:
                if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    self._go_on(at)  # also where this one is not sent again: for those to come
                if not may_follow_reply(request, reply):
                    return self._urls[at], reply
                seconds = self._retries.pause_seconds(number, reply.retry_after)
                if seconds is None:
                    return self._urls[at], reply
            yield Wait(seconds)
            number += 1

    def _send_to_any(self, request: Request) -> Steps[tuple[int, Reply]]:
        """Sent to each address in turn, until one is reached: which, and what it says."""
        at = self._at
        for left in reversed(range(len(self._urls))):
            try:
                reply: Reply = yield request.to(self._urls[at])
            except UnavailableError as problem:
                at = self._go_on(at)
                if not left or not may_follow_problem(request, problem):
                    raise
            else:
                return at, reply
        raise AssertionError("There is no address.")

    def _go_on(self, at: int) -> int:
        """From an address that does not answer: the next one, for others, too, who ask meanwhile.

        Another call may have gone on already, perhaps for good reason to where this one came from.
        """
        following = (at + 1) % len(self._urls)
        if self._at == at:
            self._at = following
        return following

    def _answer(self, request: Request, reply: Reply) -> Answer:
        text = reply.text.removeprefix("\ufeff")  # published bodies begin with a byte order mark
        try:
            body: Json = json_texts.read(text) if text else {}
        except ValueError:
            raise self._not_the_api(request.url) from None
        if type(body) is not dict or 300 <= reply.status < 400:  # noqa: PLR2004  redirects
            raise self._not_the_api(request.url)
        if reply.status >= HTTPStatus.BAD_REQUEST:
            raise refusal(request, reply, body)
        return Answer(reply.status, text, body, reply.location, reply.tag)

    def not_the_api(self) -> UnavailableError:
        """What answers is no manager, or none of a release that is known here."""
        return self._not_the_api(self.url)

    def _not_the_api(self, url: str) -> UnavailableError:
        return UnavailableError(
            f"{url} answers, but not as a manager does; check {self._words.url}."
        )
