"""Resource steps: how is something listed, found, made, changed and removed, by the API's types?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from cloudgate.client.core import kinds
from cloudgate.client.core.addresses import ENTITY, below_root
from cloudgate.client.core.conversation import Conversation
from cloudgate.client.core.exchange import Answer, Request, Steps
from cloudgate.client.core.kinds import Json, Kind
from cloudgate.client.core.lookup import EntityReference, find, find_inside
from cloudgate.client.core.pages import following
from cloudgate.client.core.tasks import NOBODY, Watcher, finished, related
from cloudgate.errors import InvalidRequestError
from cloudgate.wire.answers import from_object
from cloudgate.wire.description import ResourceType
from cloudgate.wire.json import to_object
from cloudgate.wire.resources.queries import QueryResult
from cloudgate.wire.resources.sessions import Task

Type = TypeVar("Type", bound=ResourceType)
Entity = TypeVar("Entity", bound=ResourceType)
PAGE_SIZE = 500


@dataclass(frozen=True)
class Collection(Generic[Entity]):
    """All things of a kind, or those of one tenant."""

    kind: Kind
    entity: type[Entity]
    """What one is answered as."""
    of: str = ""
    """The tenant's name or id, where they are one tenant's."""


@dataclass(frozen=True)
class Selection:
    """What is wanted of all things of a kind, in which order."""

    filter: str = ""
    sort_by: str = ""
    descending: bool = False


def typed(talk: Conversation, document: Mapping[str, Any], kind: type[Type]) -> Type:
    """An answer as a value of its type.

    Raises:
        UnavailableError: it is of no known release's.
    """
    try:
        return from_object(document, kind)
    except ValueError:
        raise talk.not_the_api() from None


def to_json(body: ResourceType | None) -> Json | None:
    """A body as JSON; what is None in it is left out, and so stays as it is."""
    if body is None:
        return None
    return {name: value for name, value in to_object(body).items() if value is not None}


def call(
    talk: Conversation,
    verb: str,
    path: str,
    body: ResourceType | None = None,
    tag: str | None = None,
) -> Steps[Answer]:
    """What the manager answers to a call."""
    return (yield from talk.ask(Request(verb, path, to_json(body), tag=tag)))


def read(talk: Conversation, path: str, kind: type[Type]) -> Steps[Type]:
    """What is at a path, as a value of its type."""
    answer = yield from talk.get(path)
    return typed(talk, answer.body, kind)


def whole_list(talk: Conversation, these: Collection[Entity]) -> Steps[list[Entity]]:
    """All things of a kind."""
    path = yield from _path(talk, these)
    return (yield from _listed(talk, these, path + ENTITY))


def query_path(these: Collection[Any], wanted: Selection) -> str:
    """The path of the first page of what a query finds.

    Raises:
        InvalidRequestError: the query service has not this kind.
    """
    if not these.kind.queried:
        raise InvalidRequestError(
            f"The query service has no {these.kind.many}: list all, and choose."
        )
    return _with("/query", {"type": these.kind.type, "format": "Entities", **_query_of(wanted)})


def usage_path(days: int, chosen: str, *, total: bool) -> str:
    """The path of the first page of what all tenants used."""
    of_pages = {"days": str(days), **_added_up(total=total), **_query_of(Selection(chosen))}
    return _with("/cloud/usage", of_pages)


def own_usage_path(days: int, chosen: str, *, total: bool) -> str:
    """The path of what a tenant, or its user, used."""
    of_one = {"filter": chosen} if chosen else {}
    return _with("/cloud/self/usage", {"days": str(days), **_added_up(total=total), **of_one})


def _added_up(*, total: bool) -> dict[str, str]:
    return {"total": "true"} if total else {}


def audit_path(wanted: Selection) -> str:
    """The path of the first page of the audit log."""
    return _with("/audit", _query_of(wanted))


def _query_of(wanted: Selection) -> dict[str, str]:
    asked = {"pageSize": str(PAGE_SIZE)}
    if wanted.filter:
        asked["filter"] = wanted.filter
    if wanted.sort_by:
        asked["sortDesc" if wanted.descending else "sortAsc"] = wanted.sort_by
    return asked


def page(
    talk: Conversation, these: Collection[Entity], path: str
) -> Steps[tuple[tuple[Entity, ...], str]]:
    """What is on a page of what a query finds, and the path of the one that follows.

    Raises:
        InvalidRequestError: the filter is malformed.
    """
    result, more = yield from part(talk, path, QueryResult)
    where = these.kind.queried
    found = getattr(result.entities, where, None) or getattr(result.resources, where, None)
    return found or (), more


def part(talk: Conversation, path: str, kind: type[Type]) -> Steps[tuple[Type, str]]:
    """What is on one of several pages, and the path of the one that follows."""
    answer = yield from talk.get(path)
    return typed(talk, answer.body, kind), following(answer.body)


def get(talk: Conversation, these: Collection[Entity], word: str) -> Steps[Entity]:
    """One thing, by its name or id."""
    found = yield from found_of(talk, these, word)
    return (yield from read(talk, found.entity, these.entity))


def tag_of(talk: Conversation, path: str) -> Steps[str]:
    """What stands for the state in which something is seen; empty for what cannot be changed."""
    answer = yield from talk.get(path + ENTITY)
    return answer.tag


def found_of(talk: Conversation, these: Collection[Any], word: str) -> Steps[EntityReference]:
    """Where one thing is, by its name or id.

    Raises:
        NotFoundError: nothing has that name.
        InvalidRequestError: several things have it.
    """
    if not these.of:
        return (yield from find(talk, these.kind, word))
    path = yield from _path(talk, these)
    return (yield from find_inside(talk, these.kind, path, word))


def create(
    talk: Conversation,
    these: Collection[Entity],
    spec: ResourceType,
    parameters: Mapping[str, str],
    following: "TaskFollowing",
) -> Steps[Entity]:
    """What was made, once it is there."""
    accepted = yield from begin_create(talk, these, spec, parameters)
    place = accepted.location
    if these.kind.by_task:
        task = yield from finished(talk, accepted, following.watcher, following.patience_seconds)
        place = related(task) or ""
    elif accepted.body:
        return typed(talk, accepted.body, these.entity)
    if place:
        path = below_root(place)
        whole = path if "?" in path else path + ENTITY
        return (yield from read(talk, whole, these.entity))
    return (yield from get(talk, these, str(getattr(spec, "name", ""))))


@dataclass(frozen=True)
class TaskFollowing:
    """How the task of a change is followed."""

    patience_seconds: float | None = None
    watcher: Watcher = NOBODY


def begin_create(
    talk: Conversation,
    these: Collection[Any],
    spec: ResourceType,
    parameters: Mapping[str, str],
) -> Steps[Answer]:
    """The answer to the call that makes something: its task, where it takes time."""
    path = yield from _path(talk, these)
    action = these.kind.action
    everything = ({"action": action} if action else {}) | _checked(these, "POST", parameters)
    return (yield from call(talk, "POST", _with(path, everything), spec))


def begin_edit(  # noqa: PLR0917  they are what the call says
    talk: Conversation,
    these: Collection[Any],
    word: str,
    change: ResourceType,
    parameters: Mapping[str, str],
    tag: str | None = None,
) -> Steps[Answer]:
    """The answer to the call that changes something: its task, where it takes time."""
    found = yield from found_of(talk, these, word)
    path = _with(found.path, _checked(these, "PUT", parameters))
    return (yield from call(talk, "PUT", path, change, tag))


def edit(  # noqa: PLR0917
    talk: Conversation,
    these: Collection[Entity],
    word: str,
    change: ResourceType,
    parameters: Mapping[str, str],
    following: TaskFollowing,
    tag: str | None = None,
) -> Steps[Entity]:
    """What was changed, as it is once it is so."""
    found = yield from found_of(talk, these, word)
    uid = found.uid
    accepted = yield from begin_edit(talk, these, uid, change, parameters, tag)
    yield from _ended(talk, accepted, following)
    return (yield from read(talk, found.entity, these.entity))


def begin_delete(
    talk: Conversation,
    these: Collection[Any],
    word: str,
    parameters: Mapping[str, str],
) -> Steps[Answer]:
    """The answer to the call that removes something: its task, where it takes time."""
    found = yield from found_of(talk, these, word)
    path = _with(found.path, _checked(these, "DELETE", parameters))
    return (yield from call(talk, "DELETE", path))


def delete(
    talk: Conversation,
    these: Collection[Any],
    word: str,
    parameters: Mapping[str, str],
    following: TaskFollowing,
) -> Steps[None]:
    """Remove something, and see it gone."""
    accepted = yield from begin_delete(talk, these, word, parameters)
    yield from _ended(talk, accepted, following)


def task_of(talk: Conversation, steps: Steps[Answer]) -> Steps[Task]:
    """The task that a call answers."""
    answer = yield from steps
    return typed(talk, answer.body, Task)


def ended(talk: Conversation, task: Task, following: TaskFollowing) -> Steps[Task]:
    """A task, once it is Finished with success."""
    accepted = Answer(202, "", to_object(task))
    end = yield from finished(talk, accepted, following.watcher, following.patience_seconds)
    return typed(talk, end.body, Task)


def _ended(talk: Conversation, accepted: Answer, following: TaskFollowing) -> Steps[None]:
    if accepted.status == 202:  # noqa: PLR2004  Accepted
        yield from finished(talk, accepted, following.watcher, following.patience_seconds)


def _path(talk: Conversation, these: Collection[Any]) -> Steps[str]:
    if not these.of:
        return these.kind.path
    around = yield from find(talk, kinds.TENANT, these.of)
    return f"{around.path}/{these.kind.path}"


def _listed(talk: Conversation, these: Collection[Entity], path: str) -> Steps[list[Entity]]:
    answer = yield from talk.get(path)
    found = answer.body.get(these.kind.array) or ()
    return [typed(talk, each, these.entity) for each in found]


def _checked(these: Collection[Any], verb: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Parameters that the call has; one that it has not would be overlooked there.

    Raises:
        InvalidRequestError: it has not all of them.
    """
    for name in parameters.keys() - these.kind.parameters.get(verb, frozenset()):
        raise InvalidRequestError(f"{verb} of {these.kind.many} has no {name}.")
    return dict(parameters)


def _with(path: str, parameters: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path


def with_action(path: str, action: str, parameters: Mapping[str, str]) -> str:
    """The path of an action on something."""
    return _with(path, {"action": action, **parameters})


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")
