"""Section: which pages belong together, who signs in to them, and what may each of them do?"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request

from cloudgate.console.api import Answer, Api, RefusedError
from cloudgate.console.browser import Cookie
from cloudgate.console.declarations import Action, Page

SignIn = Callable[[Api, str, str], Awaitable[Answer]]
SignOut = Callable[[Api], Awaitable[None]]
Navigation = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""Groups of paths and titles."""
Refusal = Callable[[str, str], str]
"""What the API would say to a call, by verb and path below ``/api``; empty where it may be made."""
Refusals = Callable[[Request, str], Awaitable[Refusal | None]]
"""Finds those of a session by its token; None where it has ended, or that is not known."""
_FORBIDDEN = 403
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
    has_roles: bool = False
    """Whether some of those who sign in may do more than others."""
    own_password: str = ""
    """Where one changes the own password without having signed in; empty where one cannot."""
    pages: tuple[Page, ...]
    actions: tuple[Action, ...]
    navigation: Navigation

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], Page | Action]]:
        known: list[Page | Action] = [*self.actions, *self.pages]
        return [(_pattern(each.path), each) for each in known]

    @cached_property
    def at(self) -> Mapping[str, Page | Action]:
        """What it has, by its path with the variables in braces."""
        known: list[Page | Action] = [*self.pages, *self.actions]
        return {each.path: each for each in known}

    def match(self, path: str) -> tuple[Page | Action, Mapping[str, str]] | None:
        """The page or action at a path below the section, and what its variables are."""
        for pattern, each in self._patterns:
            if found := pattern.fullmatch(path):
                return each, found.groupdict()
        return None


def _refuses_nothing(_verb: str, _path: str) -> str:
    return ""


@dataclass(frozen=True)
class Rights:
    """What somebody may do in a section. Where that is not known, all is shown: the API decides."""

    section: Section
    refusal: Refusal = _refuses_nothing

    def check(self, action: Action) -> None:
        """See that somebody does not fill in a form in vain.

        Raises:
            RefusedError: he may not do that.
        """
        if said := self.refusal(action.verb, action.target):
            raise RefusedError(_FORBIDDEN, said)

    def may(self, path: str) -> bool:
        """Whether what is at a path of the section, as it is declared, is for who is signed in."""
        found = self.section.at[path]
        if isinstance(found, Action):
            return not self.refusal(found.verb, found.target)
        asked = (each for each in (found.request, found.besides) if each)
        return not any(self.refusal("GET", each) for each in asked)

    @property
    def navigation(self) -> Navigation:
        """The entries of the section that are for who is signed in."""
        groups = [
            (group, tuple(entry for entry in entries if self.may(entry[0])))
            for group, entries in self.section.navigation
        ]
        return tuple((group, entries) for group, entries in groups if entries)


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
