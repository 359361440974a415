"""Is a new part named wherever the recipes of CONTRIBUTING say that it has to be?"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import typer

from cloudgate import modules, protocol
from cloudgate.api import handlers
from cloudgate.api.compatibility.published import CALLS
from cloudgate.api.http.router import Routes
from cloudgate.api.table import ROUTES
from cloudgate.cli import resources
from cloudgate.cli.app import app
from cloudgate.client import Client
from cloudgate.client.blocking_collections import ReadableCollection
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.storage import tables
from cloudgate.manager.tenants.limits import Limits

DOCS = Path(__file__).parent.parent / "docs"


def test_every_route_of_a_module_of_handlers_is_in_the_table_once() -> None:
    said = {
        (route.verb, route.path, route.action)
        for module in modules.below(handlers)
        for named in vars(module).values()
        if isinstance(named, Routes)
        for route in named
    }
    listed = Counter((route.verb, route.path, route.action) for route in ROUTES)
    assert not said - set(listed)
    assert listed.total() == len(listed)


def test_every_row_is_among_the_tables() -> None:
    missing = {
        f"{module.__name__}: {named.__name__}"
        for module in modules.below(tables)
        for named in vars(module).values()
        if isinstance(named, type) and issubclass(named, tables.Base)
        if getattr(tables, named.__name__, None) is not named
    }
    assert not missing, "name the row in __all__ of its module, a module in tables/__init__.py"


def ids_below(group: typer.Typer) -> Iterator[int]:
    for each in group.registered_groups:
        if each.typer_instance is not None:
            yield id(each.typer_instance)
            yield from ids_below(each.typer_instance)


def test_every_group_of_commands_is_in_the_command_line() -> None:
    known = set(ids_below(app))
    missing = {
        module.__name__
        for module in modules.below(resources)
        for named in vars(module).values()
        if isinstance(named, typer.Typer) and id(named) not in known
    }
    assert not missing, "call it `app`, or name it in cli/app.py"


def without_names(path: str) -> str:
    """A path in which every variable is called the same."""
    return re.sub(r"\{\w+\}", "{}", path)


def collection_of(path: str) -> str:
    """The path without what tells one thing of a collection from another."""
    return re.sub(r"(/\{\})+$", "", without_names(path))


def test_every_extension_is_in_the_document_of_the_api() -> None:
    published = {collection_of(each.path) for each in CALLS}
    extensions = {collection_of(each.path) for each in ROUTES} - published
    told = set(re.findall(r"/[\w/{}.-]+", without_names((DOCS / "api.md").read_text("utf-8"))))
    missing = {each for each in extensions if not {each, f"{each}/{{}}"} & told}
    assert not missing, "tell of it in docs/api.md"


def test_every_collection_of_the_client_is_in_its_document() -> None:
    told = set(re.findall(r"`(\w+)`", (DOCS / "sdk.md").read_text("utf-8")))
    with Client("https://manager.example:9398", password="x") as client:
        members = {
            name for name, each in vars(client).items() if isinstance(each, ReadableCollection)
        }
    assert "tenants" in members
    assert not members - told, "name it in docs/sdk.md"


SAID_BESIDES = {
    "gateway_id",
    "certificate_chain_pem",
    "private_key_pem",
    "client_authorities",
    "pool_id",
}
"""What a gateway's host is told that is none of its settings."""


def test_hosts_know_all_that_they_are_told_and_are_told_all_that_they_know() -> None:
    assert {*GatewaySettings().told} | SAID_BESIDES == set(protocol.Gateway.model_fields)
    assert set(Limits().told.model_fields_set) == set(protocol.Limits.model_fields)
