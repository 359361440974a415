"""Is a new part named wherever the recipes of CONTRIBUTING say that it has to be?"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
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
from cloudgate.wire.description import ResourceType, parts
from cloudgate.wire.resources.cloud.gateways import CloudGateway, CreateCloudGatewaySpec
from cloudgate.wire.resources.cloud.pools import CloudGatewayPool, CreateCloudGatewayPoolSpec
from cloudgate.wire.resources.cloud.tenants import CloudTenant, CreateCloudTenantSpec
from cloudgate.wire.resources.infrastructure import CreateRepositorySpec, Repository

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"


def test_every_route_of_a_module_of_handlers_is_in_the_table_once() -> None:
    said = {
        (route.verb, route.path, route.action)
        for module in modules.below(handlers)
        for named in vars(module).values()
        if isinstance(named, Routes)
        for route in named
    }
    listed = Counter((route.verb, route.path, route.action) for route in ROUTES)
    assert not said - set(listed), "call its routes ROUTES, or name them in api/table.py"
    assert listed.total() == len(listed), "a route is there twice: leave one out"


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
    missing = members - told
    assert not missing, "name it in docs/sdk.md"


def extensions(bodies: Iterable[type[ResourceType]]) -> dict[str, str]:
    """What this product has added to published bodies: the fields, with their names in the API."""
    return {
        part.field: part.name
        for body in bodies
        if not body.EXTENSION
        for part in parts(body)
        if part.extension
    }


ADDED = set(extensions(body for route in ROUTES for body in route.bodies).values())


def test_what_was_added_to_a_published_body_is_in_a_document() -> None:
    pages = [each for each in DOCS.rglob("*.md") if each.name != "contract.md"]
    told = set(re.findall(r"\w+", "".join(each.read_text("utf-8") for each in pages)))
    assert "ProxyProtocolNetworks" in ADDED
    missing = ADDED - told
    assert not missing, "tell what it does in docs/api.md, or in the page of its subject"


def test_what_was_added_to_a_published_body_is_an_option_of_the_command_line() -> None:
    sources = (REPOSITORY / "src/cloudgate/cli/resources").rglob("*.py")
    text = "".join(each.read_text("utf-8") for each in sources)
    said = {word for pair in re.findall(r'\b(\w+)=|"(\w+)":', text) for word in pair}
    missing = ADDED - said
    assert not missing, (
        "give each an option in cli/resources: of the commands that make and change it"
    )


def test_what_was_added_to_a_published_body_is_in_a_form_of_the_console() -> None:
    sources = (REPOSITORY / "src/cloudgate/console/operator").rglob("*.py")
    said = set(re.findall(r"\w+", "".join(each.read_text("utf-8") for each in sources)))
    missing = ADDED - said
    assert not missing, "give each a Field in console/operator: of the form that changes it"


MODULES = {
    "gateway": (CreateCloudGatewaySpec, CloudGateway),
    "pool": (CreateCloudGatewayPoolSpec, CloudGatewayPool),
    "repository": (CreateRepositorySpec, Repository),
    "tenant": (CreateCloudTenantSpec, CloudTenant),
}
"""Modules of Ansible, with the published bodies that they send."""
NOT_BY_ANSIBLE = {"backup_protection": "the manager proves it, by a secret that it never shows"}


@pytest.mark.parametrize("module", MODULES)
def test_what_was_added_to_a_published_body_is_an_option_of_its_ansible_module(
    module: str,
) -> None:
    text = (REPOSITORY / "ansible/plugins/modules" / f"{module}.py").read_text("utf-8")
    missing = {
        each
        for each in extensions(MODULES[module])
        if f'"{each}"' not in text and each not in NOT_BY_ANSIBLE
    }
    assert not missing, f"give it an option in ansible/plugins/modules/{module}.py"


SAID_BESIDES = {
    "gateway_id",
    "certificate_chain_pem",
    "private_key_pem",
    "client_authorities",
    "pool_id",
}
"""What a gateway's host is told that is none of its settings."""


def test_hosts_know_all_that_they_are_told_and_are_told_all_that_they_know() -> None:
    said = {*GatewaySettings().host_fields} | SAID_BESIDES
    assert said == set(protocol.Gateway.model_fields), (
        "a setting: in `host_fields` of manager/gateways/rules.py, and in Gateway of"
        " protocol/assignment.py; what is none: in SAID_BESIDES"
    )
    assert set(Limits().to_message.model_fields_set) == set(protocol.Limits.model_fields), (
        "in `to_message` of manager/tenants/limits.py and in Limits of protocol/directory.py"
    )
