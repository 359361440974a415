"""Base types: what do all resource types have in common? Links, references, entities, errors."""

from dataclasses import dataclass
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated


@dataclass(frozen=True, kw_only=True, init=False)
class Link(ResourceType):
    """A way on from a resource. `rel` decides the verb; see the API's page on links."""

    JSON_FIRST: ClassVar = ("Rel", "Href", "Name", "Type")

    href: str | None = attribute(omit_absent=True)
    name: str | None = attribute(omit_absent=True)
    type: str | None = attribute(omit_absent=True)
    rel: str | None = attribute(omit_absent=True)

    def __init__(
        self,
        *,
        href: str | None = None,
        name: str | None = None,
        type: str | None = None,  # noqa: A002  as it stands on the wire
        rel: str | None = None,
    ) -> None:
        # A page has a thousand of them. Setting what is frozen field by field takes thrice as long.
        self.__dict__.update(href=href, name=name, type=type, rel=rel)


@dataclass(frozen=True, kw_only=True)
class Resource(ResourceType):
    """Something with an address."""

    href: str | None = attribute()
    type: str | None = attribute()
    links: tuple[Link, ...] | None = listed("Link")


@dataclass(frozen=True, kw_only=True)
class Entity(Resource):
    """A resource that also has a reference form, a name and a UID."""

    name: str | None = attribute()
    uid: str | None = attribute()


@dataclass(frozen=True, kw_only=True)
class EntityRef(ResourceType):
    """The short form of an entity: the root element ``EntityRef``, or ``Ref`` in a list."""

    JSON_FIRST: ClassVar = ("Links", "UID", "Name", "Href", "Type")

    uid: str | None = attribute()
    name: str | None = attribute()
    href: str | None = attribute()
    type: str | None = attribute()
    links: tuple[Link, ...] | None = listed("Link")


@dataclass(frozen=True, kw_only=True)
class EntityReferences(ResourceType):
    """A collection in its short form."""

    refs: tuple[EntityRef, ...] = repeated("Ref")


@dataclass(frozen=True, kw_only=True)
class Error(ResourceType):
    """What every failed request is answered with. In JSON: five keys, alphabetical, nulls kept."""

    JSON_FIRST: ClassVar = (
        "FirstChanceExceptionMessage",
        "Message",
        "StackTrace",
        "Status",
        "StatusCode",
    )

    message: str | None = attribute()
    status_code: int | None = attribute()
    status: str | None = attribute()
    first_chance_exception_message: str | None = element()
    stack_trace: str | None = element()
