"""XML: how do resource types become XML, and XML resource types?"""

import re
from typing import Any, TypeVar
from xml.sax.saxutils import escape

from lxml import etree

from cloudgate.errors import InvalidRequestError
from cloudgate.wire import schema, validation
from cloudgate.wire.description import Part, ResourceType, Scalar, Shape, parts
from cloudgate.wire.encoding import xml_text
from cloudgate.wire.values import BLANKS, from_text, to_text

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
NAMESPACES = (
    f' xmlns="{schema.NAMESPACE}" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
_NO_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold (XML 1.0, section 2.2): one of them makes all of it unreadable."""
_ATTRIBUTE_ESCAPES = {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}
_TEXT_ESCAPES = {"\r": "&#13;"}

Type = TypeVar("Type", bound=ResourceType)


def write(resource: ResourceType) -> bytes:
    """A resource as a document in UTF-8."""
    pieces = [DECLARATION]
    _write(resource, resource.root(), NAMESPACES, pieces)
    return "".join(pieces).encode()


def _write(resource: ResourceType, name: str, extra: str, pieces: list[str]) -> None:
    pieces.append(f"<{name}")
    inner: list[str] = []
    for part in parts(type(resource)):
        value = getattr(resource, part.field)
        if value is None:
            continue
        if part.shape is Shape.ATTRIBUTE:
            pieces.append(f' {part.name}="{_escaped(value, _ATTRIBUTE_ESCAPES)}"')
        else:
            _write_inner(part, value, inner)
    pieces.append(extra)
    if inner:
        pieces.extend((">", *inner, f"</{name}>"))
    else:
        pieces.append("/>")


def _write_inner(part: Part, value: Any, pieces: list[str]) -> None:
    if part.shape is Shape.ELEMENT:
        _write_value(part.name, value, pieces)
        return
    wrapped = part.shape is Shape.LISTED
    if wrapped and not value:
        pieces.append(f"<{part.name}/>")
        return
    if wrapped:
        pieces.append(f"<{part.name}>")
    for item in value:
        _write_value(part.item, item, pieces)
    if wrapped:
        pieces.append(f"</{part.name}>")


def _write_value(name: str, value: ResourceType | Scalar, pieces: list[str]) -> None:
    if isinstance(value, ResourceType):
        _write(value, name, "", pieces)
    elif text := _escaped(value, _TEXT_ESCAPES):
        pieces.append(f"<{name}>{text}</{name}>")
    else:
        pieces.append(f"<{name}/>")


def _escaped(value: Scalar, escapes: dict[str, str]) -> str:
    text = to_text(value)
    if (
        text.isascii()
        and text.isprintable()
        and not ("&" in text or "<" in text or ">" in text or '"' in text)
    ):
        return text  # as nearly all is
    return escape(_NO_CHARACTERS.sub("\ufffd", text), escapes)


def read(body: bytes | str, resource_type: type[Type]) -> Type:
    """A body as a value of `resource_type`, checked against the schema.

    Args:
        body: bytes of which nobody has said in which encoding they are, or the characters.
        resource_type: what it is to be.

    Raises:
        InvalidRequestError: it is malformed, has a document type, or is not valid.
    """
    root = _parse(body)
    expected = f"{{{schema.NAMESPACE}}}{resource_type.root()}"
    if root.tag != expected:
        raise InvalidRequestError(
            f"The root element is {schema.shorten(str(root.tag))} (line {root.sourceline}),"
            f" expected {resource_type.root()} in the namespace {schema.NAMESPACE}."
        )
    validation.check(root, with_lines=True)
    return from_element(root, resource_type)


def _parse(body: bytes | str) -> etree._Element:
    text = body if isinstance(body, str) else xml_text(body)
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the declaration says: the characters are known
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.strip(BLANKS).encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as problem:
        raise InvalidRequestError(f"The body is not well-formed XML: {problem}.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidRequestError(
            "The body has a document type declaration (DOCTYPE), which is not allowed here;"
            " leave it out, and write entities as plain text."
        )
    return root


def from_element(node: etree._Element, resource_type: type[Type]) -> Type:
    """The value of an element that the schema has accepted."""
    values: dict[str, Any] = {}
    children: dict[str, list[etree._Element]] = {}
    for child in node:
        children.setdefault(etree.QName(child).localname, []).append(child)
    for part in parts(resource_type):
        if part.shape is Shape.ATTRIBUTE:
            found = node.get(part.name)
            if found is not None:
                values[part.field] = from_text(found, part.value_type, part.name)
        elif part.shape is Shape.REPEATED:
            values[part.field] = tuple(_value(c, part) for c in children.get(part.item, ()))
        elif part.name in children:
            child = _one(children[part.name], part)
            values[part.field] = (
                tuple(_value(item, part) for item in child)
                if part.shape is Shape.LISTED
                else _value(child, part)
            )
    return resource_type(**values)


def _one(found: list[etree._Element], part: Part) -> etree._Element:
    """The element of a part; where the schema lets it come twice, it says the same twice.

    Raises:
        InvalidRequestError: it does not.
    """
    texts = [(each.text or "").strip(BLANKS) for each in found]
    if len(set(texts)) > 1:
        raise InvalidRequestError(
            f"{part.name} is given twice, and is not the same: found {schema.shorten(texts[0])} and"
            f" {schema.shorten(texts[1])}."
        )
    return found[0]


def _value(node: etree._Element, part: Part) -> Any:
    if issubclass(part.value_type, ResourceType):
        return from_element(node, part.value_type)
    return from_text(node.text or "", part.value_type, part.name)


def root_name(body: bytes | str) -> str:
    """The local name of the root element; empty when the body is not XML."""
    try:
        return etree.QName(_parse(body)).localname
    except InvalidRequestError:
        return ""
