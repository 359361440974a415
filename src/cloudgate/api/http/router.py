"""Router: which calls are there, and which of them does a request mean?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cloudgate.api.http.call import Answer, Call
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.sessions.roles import Role
from cloudgate.wire.description import ResourceType

Handler = Callable[..., Answer]


GUID = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a call that succeeds answers: for the description of the API, not for the handler."""

    status: int = 200
    kinds: tuple[type[ResourceType], ...] = ()
    """Types of which the answer is one; with none of them, it has no body."""
    headers: tuple[str, ...] = ()
    """Headers that always come along."""
    document: str = ""
    """Media type of an answer that is no resource."""
    formats: bool = False
    """Whether ``?format=`` chooses between the kinds."""


DONE = Outcome(status=204)


def shows(*kinds: type[ResourceType]) -> Outcome:
    """200 and a resource."""
    return Outcome(kinds=kinds)


def shows_either(reference: type[ResourceType], entity: type[ResourceType]) -> Outcome:
    """200 and the reference form, or with ``?format=Entity`` the entity form."""
    return Outcome(kinds=(reference, entity), formats=True)


def adds(*kinds: type[ResourceType]) -> Outcome:
    """201, where the new resource is, and the resource, if any is named."""
    return Outcome(status=201, kinds=kinds, headers=("Location",))


def starts(task: type[ResourceType]) -> Outcome:
    """202 and the task."""
    return Outcome(status=202, kinds=(task,))


def fails(status: int, error: type[ResourceType]) -> Outcome:
    """Nothing but an error, for whoever may ask at all."""
    return Outcome(status=status, kinds=(error,))


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A query parameter of a call."""

    name: str
    description: str
    values: tuple[str, ...] = ()
    """All that are allowed, where they are listed."""
    pattern: str = ""
    """What is allowed, where no list can say it."""
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A password that is looked at before a call's handler is called, each in its turn."""

    check: Callable[..., Any]
    """Gets what the handler gets, and gives what the handler finds as `Call.proven`. Blocks.

    Raises NotAuthenticatedError or AccessDeniedError when the password is wrong.
    """
    account: Callable[[Call], str]
    """Whose password it is said to be."""
    note: Callable[[Call], None]
    """Has it on record that it was wrong. Blocks."""
    require: Callable[[Call], object] = lambda _call: None
    """Sees whether anything is shown that could be right.

    Raises NotAuthenticatedError when not: that is no guess, waits for nothing and counts nowhere.
    Many programs ask so first, and show a password once they are asked for it (RFC 9110, 11.6.1).
    """
    by_password: bool = True
    """Whether it is name and password that are shown, where there is no session."""
    waits: bool = False
    """Whether the check waits for another machine: then no password waits for it."""
    changes: bool = False
    """Whether the check makes the change itself: who asked hears of it, whatever comes after."""


def _handled_by_nobody(_call: Call) -> Answer:
    raise LookupError("This route was not added to any `Routes`.")


@dataclass(frozen=True, kw_only=True)
class Route:
    """One call of the API: all that is said of it, at the one place where it is said."""

    verb: str
    path: str
    """Below the root, such as ``/cloud/gateways/{id}``. Letters match in any case."""
    handler: Handler = _handled_by_nobody
    roles: frozenset[Role] | None = None
    """Who may call it; None for whom its `Routes` are for. Roles of one account add up."""
    for_tenants: bool = False
    """Whether a session that was opened for a tenant may call it; such a one sees nothing else."""
    bodies: tuple[type[ResourceType], ...] = ()
    """Types of which the body is one; the handler gets it as its second argument."""
    body_optional: bool = False
    action: str | None = None
    """Value of ``?action=`` that tells this call from others on its path."""
    needs_session: bool = True
    by_token: bool = True
    """Whether a call with an API token may make it, if its role may."""
    without_factor: bool = False
    """Whether it may be called by who has yet to set up the second factor that a role asks for."""
    cached: bool = False
    """Whether an answer may be kept until the manager changes something.

    Only what is the same for all who may ask, and what nothing but the database decides: no host
    that is asked, nothing of who is asking (such a call has no session), and of the clock what may
    come a minute late.
    """
    proof: Proof | None = None
    """What else has to be shown, by a password in this request."""
    answers: Outcome | None = None
    """What success looks like; None leaves it open."""
    query: tuple[Parameter, ...] = ()
    """Parameters besides ``action`` and ``format``."""
    headers: tuple[Parameter, ...] = ()
    """Of the request, that mean something to this call alone."""
    refuses_with: tuple[int, ...] = ()
    """Statuses of refusals that do not follow from the rest."""
    identifier: str = GUID
    """What the variable segments of the path look like."""


class Routes:
    """The calls of one part of the API, each said above its handler, in their order."""

    def __init__(self, roles: frozenset[Role]) -> None:
        """`roles` may call those that say nothing else."""
        self._roles = roles
        self._routes: list[Route] = []

    def add(self, route: Route) -> Callable[[Handler], Handler]:
        """Have the function below be the handler of `route`."""

        def register(handler: Handler) -> Handler:
            roles = self._roles if route.roles is None else route.roles
            self._routes.append(replace(route, handler=handler, roles=roles))
            return handler

        return register

    def __iter__(self) -> Iterator[Route]:
        """All of them."""
        return iter(self._routes)


@dataclass(frozen=True)
class Match:
    """The calls of a path, by verb, and the path's variable segments as they came."""

    routes: dict[str, list[Route]]
    variables: dict[str, str]


@dataclass
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    variable: tuple[str, "_Node"] | None = None
    routes: dict[str, list[Route]] = field(default_factory=dict)


class Router:
    """Finds the call of a request in time that does not depend on how many calls there are."""

    def __init__(self, routes: list[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in segments(route.path):
            if segment.startswith("{"):
                node.variable = node.variable or (segment.strip("{}"), _Node())
                node = node.variable[1]
            else:
                node = node.children.setdefault(segment.lower(), _Node())
        node.routes.setdefault(route.verb, []).append(route)

    def match(self, path: str) -> Match | None:
        """The calls of a path below the root; None when there is no such path."""
        node = self._root
        variables: dict[str, str] = {}
        for segment in segments(path):
            child = node.children.get(segment.lower())
            if child is None and node.variable is not None:
                name, child = node.variable
                variables[name] = segment
            if child is None:
                return None
            node = child
        return Match(node.routes, variables) if node.routes else None


def segments(path: str) -> list[str]:
    """The parts of a path; doubled slashes and one at the end do not count."""
    return [segment for segment in path.split("/") if segment]


def choose(routes: list[Route], action: str | None) -> Route:
    """Of the calls of one path and verb, the one that ``?action=`` names.

    Raises:
        InvalidRequestError: there is no such action here.
    """
    known = {route.action: route for route in routes}
    wanted = action.lower() if action else None
    if wanted in known:
        return known[wanted]
    if None in known:
        return known[None]
    if wanted is None and len(routes) == 1 and routes[0].action == "create":
        return routes[0]
    names = ", ".join(sorted(name for name in known if name))
    raise InvalidRequestError(f"action: found {action!r}, expected {names}.")
