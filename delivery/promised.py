"""Promised names: what does a release have that programs of others rely on?

Started as a program, it prints them. `tests/released` keeps what each release has printed.
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import cloudgate
from cloudgate.api.table import ROUTES
from cloudgate.client import Client, TenantClient, surface
from cloudgate.client.blocking_collections import ReadableCollection
from delivery import manuals

OWN_VARIABLES = frozenset({"CLOUDGATE_ENVOY", "CLOUDGATE_AUTHORIZER_SOCKET"})
"""What one process of the product tells another one."""


def names() -> dict[str, list[str]]:
    """Them by what they are of, in order."""
    found = {
        "calls": {f"{route.verb} {route.path}" for route in ROUTES},
        "commands": {*_commands()},
        "options": {*_options()},
        "sdk": {*surface.__all__, *_of_clients()},
        "variables": variables(Path(cloudgate.__file__).parent) - OWN_VARIABLES,
    }
    return {kind: sorted(each) for kind, each in found.items()}


def _commands() -> set[str]:
    return {words for words, each in manuals.commands().items() if not hasattr(each, "commands")}


def _options() -> set[str]:
    """Each behind its command: ``cloudgate serve --data``."""
    return {
        f"{words} {typed}"
        for words, command in manuals.commands().items()
        for each in command.params
        if each.param_type_name == "option" and not each.hidden
        for typed in (*each.opts, *each.secondary_opts)
    }


def _of_clients() -> Iterator[str]:
    """What the clients have, and what each of it takes: ``Client.tenants.create(spec)``."""
    unconnected = Client("https://localhost", token=lambda: "")
    kept = {
        name: type(each)
        for name, each in vars(unconnected).items()
        if isinstance(each, ReadableCollection)
    }
    members = {f"Client.{name}": kind for name, kind in kept.items()}
    for what, kind in {**members, "Client": Client, "TenantClient": TenantClient}.items():
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") or (name == "__init__" and what not in members):
                taken = list(inspect.signature(method).parameters)[1:]
                yield f"{what}.{name}()"
                yield from (f"{what}.{name}({parameter})" for parameter in taken)


def variables(source: Path) -> set[str]:
    """The variables of the environment that are named below a folder."""
    texts = (file.read_text("utf-8") for file in source.rglob("*.py"))
    return {name for text in texts for name in re.findall(r'"(CLOUDGATE_\w+)"', text)}


if __name__ == "__main__":
    print(json.dumps(names(), indent=1))
