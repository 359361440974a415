"""Modules: which are in a folder of this program? Whoever lists them so, needs no list of them."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType


def below(package: ModuleType) -> Iterator[ModuleType]:
    """All modules of a package, and of packages in it, by their names. They are loaded."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield import_module(found.name)
