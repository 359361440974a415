"""Sendings: has this form been sent before, and what came of it?

A browser sends a form again when its button is clicked twice, and when the page that came of it
is loaded anew. Each form that is shown has a word of its own. So what comes again is known, is not
done again, and gets the answer that the first one got. A manager knows what was sent to itself
since it was started: what another one must not do again asks the API besides (`Action.rotates`).

An answer may show a password that nobody can read again. So it is kept for as long as a second
click takes to come, and then only that the form was sent. What was typed is never kept.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from cloudgate.console.acting import Redirect, ResultPage

WORD = "once"
"""The field of a form that has its word."""
ANSWER_SECONDS = 10.0
"""How long a page that came of a form is kept."""
KEPT_SECONDS = 3600.0
"""How long it is known that a form was sent."""
MOST = 2000
"""Forms of a section that are known to have been sent."""
MOST_EACH = 50
"""Of one session."""
_WORD_BYTES = 12
_REFUSED = 400

Result = ResultPage | Redirect
_Key = tuple[bytes, bytes]
"""Of a session, and of a form."""


def new_word() -> str:
    """What tells a form that is shown from each other one."""
    return secrets.token_urlsafe(_WORD_BYTES)


@dataclass
class _Sent:
    """A form that was sent."""

    until: float
    """By the clock of the event loop."""
    came_of_it: asyncio.Future[Result | None] = field(default_factory=asyncio.Future)


class Sendings:
    """The forms that were sent to a section of one manager. Used on the event loop only."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes()
        self._known: OrderedDict[_Key, _Sent] = OrderedDict()

    async def once(
        self,
        session: str,
        path: str,
        form: Mapping[str, list[str]],
        do: Callable[[], Awaitable[Result]],
    ) -> Result | None:
        """Do what a form says, unless that was done or is being done.

        One that was refused has done nothing, and may come again.

        Returns:
            what came of it, or came of it before; None when that is not known any more.
        """
        if not form.get(WORD):  # of a page of the release before, or of a program
            return await do()
        key = self._digest(session), self._digest((path, sorted(form.items())))
        self._forget()
        known = self._known.get(key)
        if known is not None:
            return await asyncio.shield(known.came_of_it)
        return await self._done(key, do)

    async def _done(self, key: _Key, do: Callable[[], Awaitable[Result]]) -> Result | None:
        loop = asyncio.get_running_loop()
        sent = self._keep(key, _Sent(loop.time() + KEPT_SECONDS))
        try:
            result = await do()
        except Exception as problem:
            self._known.pop(key, None)
            sent.came_of_it.set_exception(problem)
            sent.came_of_it.exception()  # is looked at, where nobody waits for it
            raise
        except BaseException:  # nobody knows how far it came
            sent.came_of_it.set_result(None)
            raise
        sent.came_of_it.set_result(result)
        if isinstance(result, ResultPage) and result.status >= _REFUSED:
            self._known.pop(key, None)
        else:
            loop.call_later(ANSWER_SECONDS, _forget_answer, sent)
        return result

    def _keep(self, key: _Key, sent: _Sent) -> _Sent:
        own = [each for each in self._known if each[0] == key[0]]
        if len(own) >= MOST_EACH:
            del self._known[own[0]]
        elif len(self._known) >= MOST:
            self._known.popitem(last=False)
        self._known[key] = sent
        return sent

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._known and next(iter(self._known.values())).until <= now:
            self._known.popitem(last=False)

    def _digest(self, said: object) -> bytes:
        return hmac.digest(self._secret, repr(said).encode(), hashlib.sha256)


def _forget_answer(sent: _Sent) -> None:
    sent.came_of_it = asyncio.Future()
    sent.came_of_it.set_result(None)
