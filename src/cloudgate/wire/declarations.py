"""Schema declarations: what does the schema declare, and of which type is it?"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lxml import etree

XSD = "{http://www.w3.org/2001/XMLSchema}"


@dataclass
class Contents:
    """What a complex type may hold, by name, with what it inherits."""

    elements: dict[str, etree._Element] = field(default_factory=dict)
    attributes: dict[str, etree._Element] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)


class Declarations:
    """The elements and complex types of a schema."""

    def __init__(self, root: etree._Element) -> None:
        self.elements = _by_name(root, "element")
        """Those that may be a root."""
        self._types = _by_name(root, "complexType")
        self._groups = _by_name(root, "attributeGroup")
        self._values = _by_name(root, "simpleType")
        self._contents: dict[etree._Element, Contents] = {}

    def complex_of(self, element: etree._Element) -> etree._Element | None:
        """The complex type of an element: a named one, or the one inside it; None if it is not."""
        name = element.get("type")
        return self._types.get(name) if name else element.find(f"{XSD}complexType")

    def contents(self, complex_type: etree._Element) -> Contents:
        """What a complex type may hold."""
        if complex_type not in self._contents:
            contents = Contents()
            self._collect(complex_type, contents, needed=True)
            self._contents[complex_type] = contents
        return self._contents[complex_type]

    def declared(self, names: Sequence[str]) -> etree._Element | None:
        """The declaration of an element in a document; None when there is none.

        Args:
            names: of the element and of those around it, the root first.
        """
        declared = self.elements.get(names[0]) if names else None
        for name in names[1:]:
            held = self.held_by(declared)
            declared = held.elements.get(name) if held is not None else None
        return declared

    def held_by(self, declared: etree._Element | None) -> Contents | None:
        """What an element may hold by its declaration; None when it has none, or holds a value."""
        inner = self.complex_of(declared) if declared is not None else None
        return self.contents(inner) if inner is not None else None

    def declared_in(self, names: Sequence[str]) -> Contents | None:
        """What an element in a document may hold; None when it is not declared, or holds a value.

        Args:
            names: of the element and of those around it, the root first.
        """
        return self.held_by(self.declared(names))

    def may_be_taken_out(self, declared: etree._Element) -> bool:
        """Whether an element may be left out, and is for others, each of which comes once.

        A list that is empty is one, and so is each of its items.
        """
        inner = self.complex_of(declared)
        if inner is None or declared.get("minOccurs") != "0":
            return False
        held = self.contents(inner).elements.values()
        return all(each.get("maxOccurs", "1") == "1" for each in (declared, *held))

    def type_name(self, names: Sequence[str], attribute: str | None = None) -> str | None:
        """The name of the type of what stands in a document; None when it is not declared.

        Args:
            names: of the element and of those around it, the root first.
            attribute: the one of the element that is meant, if it is one.
        """
        declared = self.declared(names)
        if attribute is not None and declared is not None:
            held = self.held_by(declared)
            declared = held.attributes.get(attribute) if held is not None else None
        return None if declared is None else declared.get("type")

    def collapses(self, type_name: str | None) -> bool:
        """Whether blanks around a value of a simple type do not count (XML Schema, whiteSpace)."""
        simple = self._values.get(type_name or "")
        if simple is None:
            return type_name == "xs:token"
        bases = [each.get("base") for each in simple.iterfind(f"{XSD}restriction")]
        members = (each.get("memberTypes", "") for each in simple.iterfind(f"{XSD}union"))
        return any(map(self.collapses, [*bases, *" ".join(members).split()]))

    def _collect(self, node: etree._Element, contents: Contents, *, needed: bool) -> None:
        for child in node.iterchildren(tag=etree.Element):
            kind = etree.QName(child).localname
            there = needed and child.get("minOccurs") != "0"
            name = str(child.get("name"))
            if kind == "element":
                contents.elements[name] = child
                if there:
                    contents.required.add(name)
            elif kind == "attribute":
                contents.attributes[name] = child
                if child.get("use") == "required":
                    contents.required.add(name)
            elif kind == "attributeGroup":
                self._collect(self._groups[str(child.get("ref"))], contents, needed=needed)
            elif kind == "extension":
                self._collect(self._types[str(child.get("base"))], contents, needed=needed)
                self._collect(child, contents, needed=needed)
            else:
                self._collect(child, contents, needed=there and kind != "choice")


def _by_name(root: etree._Element, kind: str) -> dict[str, etree._Element]:
    return {str(node.get("name")): node for node in root.iterfind(XSD + kind)}
