"""Lookup: which thing does a word mean? By name or id, never a guess."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from cloudgate.client.core.addresses import ENTITY
from cloudgate.client.core.kinds import Json, Kind
from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.values import identifiers, precis
from cloudgate.values.enumeration import few

if TYPE_CHECKING:  # commands load this before they know whether anything is asked
    from cloudgate.client.core.conversation import Conversation
    from cloudgate.client.core.exchange import Steps


@dataclass(frozen=True)
class EntityReference:
    """One thing: where it is, and its UID."""

    path: str
    uid: str

    @property
    def entity(self) -> str:
        """The path of its entity form."""
        return self.path + ENTITY


def find(
    talk: "Conversation", kind: Kind, word: str, site: str | None = None
) -> "Steps[EntityReference]":
    """The one thing that is meant.

    Args:
        talk: with whom knows of it.
        kind: what is looked for.
        word: its name, its GUID, or its whole UID.
        site: the UID of the backup server that it belongs to, if that is known.

    Raises:
        NotFoundError: nothing has that name.
        InvalidRequestError: several things have it.
    """
    word = word.strip()
    if is_id(word) or not kind.named:
        return EntityReference(f"{kind.path}/{quote(word, safe=':')}", _uid(kind, word))
    answer = yield from talk.get(kind.path)
    references = [
        reference
        for reference in answer.body.get("Refs") or ()
        if site is None or _belongs_to(reference, site)
    ]
    named = _named(word, references, lambda one: str(one.get("Name") or ""))
    if not named:
        raise NotFoundError(f"There is no {kind.spoken} named {word!r}.")
    uid = str(_only(kind, word, named, _candidate)["UID"])
    return EntityReference(f"{kind.path}/{uid.rpartition(':')[2]}", uid)


def find_inside(
    talk: "Conversation", kind: Kind, collection: str, word: str
) -> "Steps[EntityReference]":
    """The one that is meant of things that belong to one tenant, and are few.

    Raises:
        NotFoundError: it has none of that name or id.
        InvalidRequestError: several have that name.
    """
    answer = yield from talk.get(collection)
    known: list[Json] = answer.body.get(kind.array) or []
    said = identifiers.read(word)
    found = [each for each in known if said and _is_of(kind, said, str(each["Id"]))]
    found = found or _named(word.strip(), known, _name_inside)
    if not found:
        names = few(map(_name_inside, known)) or "none"
        raise NotFoundError(f"The tenant has no {kind.spoken} named {word!r}; it has: {names}.")
    identifier = str(_only(kind, word, found, lambda one: str(one["Id"]))["Id"])
    return EntityReference(f"{collection}/{identifier}", identifier)


def _is_of(kind: Kind, said: identifiers.Identifier, identifier: str) -> bool:
    """Whether an id that was said is that of a thing of this kind."""
    known = identifiers.read(identifier)
    fits = not said.type or said.type.lower() == kind.type.lower()
    return fits and known is not None and known.guid == said.guid


def _name_inside(thing: Json) -> str:
    """A quota is called as it is shown."""
    return str(thing.get("Name") or (thing.get("RepositoryQuota") or {}).get("DisplayName") or "")


def is_id(word: str) -> bool:
    """Whether a word is a GUID or a whole UID."""
    return word.lower().startswith("urn:") or identifiers.read(word) is not None


def site_of(thing: Json) -> str | None:
    """The UID of the backup server that something belongs to."""
    path = urlsplit(str(up_link(thing).get("Href", ""))).path
    found = identifiers.read(path.rpartition("/")[2])
    return identifiers.uid("BackupServer", found.guid) if found else None


def up_link(thing: Json) -> Json:
    """The link from something to its backup server; empty if there is none."""
    for link in thing.get("Links") or ():
        if link.get("Rel") == "Up" and str(link.get("Type", "")).startswith("BackupServer"):
            return dict(link)
    return {}


def _uid(kind: Kind, identifier: str) -> str:
    found = identifiers.read(identifier)
    return identifiers.uid(kind.type, found.guid) if found and not found.type else identifier


def _belongs_to(reference: Json, site: str) -> bool:
    wanted, found = identifiers.read(site), identifiers.read(site_of(reference) or "")
    return wanted is not None and found is not None and wanted.guid == found.guid


def _named(word: str, things: list[Json], name_of: Callable[[Json], str]) -> list[Json]:
    """Those of a name; as it is written if there are some, else whatever its case."""
    wanted = precis.key(word)
    as_written = [one for one in things if name_of(one) == word]
    return as_written or [one for one in things if precis.key(name_of(one)) == wanted]


def _only(kind: Kind, name: str, found: list[Json], told: Callable[[Json], str]) -> Json:
    """The one of that name.

    Raises:
        InvalidRequestError: there are several, each of which is told.
    """
    if len(found) > 1:
        raise InvalidRequestError(
            f"{len(found)} {kind.many} are named {name!r}; give the id of one:"
            f" {few(map(told, found))}."
        )
    return found[0]


def _candidate(reference: Json) -> str:
    site = up_link(reference).get("Name")
    return f"{reference['UID']} of {site}" if site else str(reference["UID"])
