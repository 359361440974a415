"""Is each element of a body in the list of what becomes of it, and in docs/contract.md? Pure."""

from dataclasses import dataclass
from pathlib import Path

from cloudgate.api.compatibility.elements import ELEMENTS, OF_ALL, Treatment
from cloudgate.api.contract_document import elements_of_bodies, filled
from cloudgate.api.table import ROUTES
from cloudgate.wire.description import ResourceType, parts
from cloudgate.wire.description import element as element_of_xml
from cloudgate.wire.resources.cloud.gateways import CloudGateway

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"


def test_the_tables_of_the_page_are_what_there_is() -> None:
    page = PAGE.read_text()
    assert filled(page) == page, "run .venv/bin/python tools/contract"


def test_every_element_of_every_body_is_in_the_list() -> None:
    bodies: set[type[ResourceType]] = {kind for route in ROUTES for kind in route.bodies}
    in_lists, told = {"BackupResource", "RepositoryQuota"}, elements_of_bodies()
    assert {kind.root() for kind in bodies} | in_lists == told.keys()
    for kind in bodies:
        names = {part.name for part in parts(kind)} - OF_ALL.keys()
        hint = "extension=True, EXTENSION, or a line of api/compatibility/elements.py"
        assert names == told[kind.root()].keys(), f"{kind}: {hint}"


def test_an_extension_says_of_itself_that_it_acts() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Extended(CloudGateway):
        sooner: int | None = element_of_xml(extension=True)

    @dataclass(frozen=True, kw_only=True)
    class Extension(ResourceType):
        EXTENSION = True

        first: str | None = element_of_xml()

    found = {part.name: part.extension for part in parts(Extended)}
    assert (found["Sooner"], found["ExternalPort"]) == (True, False)
    assert all(part.extension for part in parts(Extension))


def test_nothing_that_promises_safety_is_merely_kept() -> None:
    for elements in ELEMENTS.values():
        for name, element in elements.items():
            if name == "BackupProtectionEnabled":
                assert element.fate is Treatment.ACTS
            if name in ("FlrSettings", "SqlSettings"):
                assert element.fate is Treatment.REFUSED
            if element.fate in (Treatment.KEPT, Treatment.REFUSED):
                assert element.words, name
