"""Section: which pages belong together, and who signs in to them? The console, and the portal."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cloudgate.console.api import Answer, Api
from cloudgate.console.browser import Cookie
from cloudgate.console.declarations import Action, Page

SignIn = Callable[[Api, str, str], Awaitable[Answer]]
SignOut = Callable[[Api], Awaitable[None]]
Whose = Callable[[Api], Awaitable[str]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Pages for one kind of people."""

    name: str
    """The first part of the path."""
    title: str
    cookie: Cookie
    sign_in: SignIn
    sign_out: SignOut
    whose: Whose | None = None
    """To whom a session belongs beside others; None where each is counted for itself."""
    who: str
    """What a name is called that one signs in with."""
    hint: str = ""
    """What such a name is."""
    has_brand: bool = False
    """Whether it is shown in the provider's name and colours."""
    has_providers: bool = False
    """Whether one may sign in by what is no password."""
    own_password: str = ""
    """Where one changes the own password without having signed in; empty where one cannot."""
    pages: tuple[Page, ...]
    actions: tuple[Action, ...]
    navigation: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Groups of paths and titles."""

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], Page | Action]]:
        known: list[Page | Action] = [*self.actions, *self.pages]
        return [(_pattern(each.path), each) for each in known]

    def match(self, path: str) -> tuple[Page | Action, Mapping[str, str]] | None:
        """The page or action at a path below the section, and what its variables are."""
        for pattern, each in self._patterns:
            if found := pattern.fullmatch(path):
                return each, found.groupdict()
        return None


def _pattern(path: str) -> re.Pattern[str]:
    pieces: Iterable[str] = re.split(r"(\{\w+\})", path)
    return re.compile(
        "".join(
            f"(?P<{piece[1:-1]}>[A-Za-z0-9:_.~-]{{1,200}})"
            if piece.startswith("{")
            else re.escape(piece)
            for piece in pieces
        )
    )
