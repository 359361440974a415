"""Is a new part named wherever the recipes of CONTRIBUTING say that it has to be?"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import typer

from cloudgate import protocol
from cloudgate.api import handlers
from cloudgate.api.http.router import Routes
from cloudgate.api.table import ROUTES
from cloudgate.cli import resources
from cloudgate.cli.app import app
from cloudgate.manager.audit import events
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.tenants.limits import Limits

MANAGER = Path(events.__file__).parent.parent
RECORDED = re.compile(r'change_to\(\s*[^,()]+,\s*[^,()]+,\s*"(\w+)"')


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Those below a package."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def test_every_route_of_a_module_of_handlers_is_in_the_table() -> None:
    known = {(route.verb, route.path, route.action) for route in ROUTES}
    missing = {
        f"{module.__name__}: {route.verb} {route.path}"
        for module in modules(handlers)
        for named in vars(module).values()
        if isinstance(named, Routes)
        for route in named
        if (route.verb, route.path, route.action) not in known
    }
    assert not missing, "name the module in api/table.py"


def ids_below(group: typer.Typer) -> Iterator[int]:
    for each in group.registered_groups:
        if each.typer_instance is not None:
            yield id(each.typer_instance)
            yield from ids_below(each.typer_instance)


def test_every_group_of_commands_is_in_the_command_line() -> None:
    known = set(ids_below(app))
    missing = {
        module.__name__
        for module in modules(resources)
        for named in vars(module).values()
        if isinstance(named, typer.Typer) and id(named) not in known
    }
    assert not missing, "name the module in cli/app.py"


def test_every_change_that_is_recorded_has_its_words_in_the_audit_log() -> None:
    said = {
        found
        for file in MANAGER.rglob("*.py")
        for found in RECORDED.findall(file.read_text("utf-8"))
    }
    assert len(said) > 20
    missing = said - set(events.EVENTS)
    assert not missing, "say in manager/audit/events.py what the change is called"


def test_hosts_know_all_that_they_are_told() -> None:
    assert set(GatewaySettings().told) <= set(protocol.Gateway.model_fields)
    assert set(Limits().told.model_fields_set) == set(protocol.Limits.model_fields)
