"""Forms of a resource type: which one does a call ask for, of one thing or of all there are?"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cloudgate.api.http.call import Answer, Call
from cloudgate.wire.description import ResourceType
from cloudgate.wire.resources.base import EntityRef, EntityReferences

Row = TypeVar("Row")


@dataclass(frozen=True)
class Forms(Generic[Row]):
    """Reference and entity of a resource type, and the collection of its entities.

    Answers are made while the row's transaction is open.
    """

    reference: Callable[[str, Row], EntityRef]
    """Gets the API's root and a row."""
    entity: Callable[[str, Row], ResourceType]
    collection: Callable[[tuple[Any, ...]], ResourceType]

    def one(self, call: Call, row: Row) -> Answer:
        """The form of one thing that is asked for."""
        form = self.entity if call.wants_entity else self.reference
        return Answer(resource=form(call.root, row))

    def all(self, call: Call, rows: Iterable[Row]) -> Answer:
        """The form of a collection that is asked for."""
        if call.wants_entity:
            entities = tuple(self.entity(call.root, row) for row in rows)
            return Answer(resource=self.collection(entities))
        references = tuple(self.reference(call.root, row) for row in rows)
        return Answer(resource=EntityReferences(refs=references))
