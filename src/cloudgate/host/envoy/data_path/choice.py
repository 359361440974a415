"""Choice of the data path: does this installation have a module for its Envoy, and is it wanted?

The module (``data_path`` in the sources) is made for one version of Envoy and one kind of machine,
and only where there was a compiler. Where it fits, tunnels go by it, unless the operator wants them
to go by HTTP; wherever it does not fit, gateways work without it.
"""

import json
import os
import platform
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cloudgate.errors import InvalidRequestError
from cloudgate.host.envoy import process

VARIABLE = "CLOUDGATE_DATA_PATH"
"""Environment: which way tunnels go; `DataPathKind`."""
SEARCH_VARIABLE = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH"
"""In Envoy's environment: where it looks for modules."""
FOLDER = Path(__file__).parent
"""Where the module is, if it was built."""
_DESCRIPTION = "module.json"


class DataPathKind(StrEnum):
    """A way of tunnels through Envoy."""

    MODULE = "module"
    HTTP = "http"


_MACHINES = ("x86_64", "aarch64")
"""On which Linux there is a module, as it is built (``data_path/build.py``)."""


@dataclass(frozen=True)
class DataPath:
    """Which way tunnels go."""

    module: str = ""
    """Name of the module; empty where they go by HTTP alone."""
    folder: Path = FOLDER
    """Where it is."""
    reason: str = ""
    """Why there is none although there could be one, or one was asked for."""

    @property
    def way(self) -> DataPathKind:
        """What it is called in the environment."""
        return DataPathKind.MODULE if self.module else DataPathKind.HTTP

    @property
    def advice(self) -> str:
        """For the operator: why each tunnel costs more than it could; empty when it does not."""
        if not self.reason:
            return ""
        return (
            "Its tunnels go without the module for Envoy, which costs twice the memory:"
            f" {self.reason} To keep it so, set {VARIABLE}={DataPathKind.HTTP}."
        )

    @property
    def environment(self) -> dict[str, str]:
        """What Envoy has to know for it."""
        return {SEARCH_VARIABLE: str(self.folder)} if self.module else {}


BY_HTTP = DataPath()


def chosen_data_path(folder: Path = FOLDER) -> DataPath:
    """The module where this installation has it, unless the environment asks for HTTP alone.

    Raises:
        InvalidRequestError: the environment asks for another.
    """
    said = os.environ.get(VARIABLE, "")
    try:
        wanted = DataPathKind(said) if said else None
    except ValueError:
        raise InvalidRequestError(
            f"{VARIABLE} is {said[:50]!r}; expected {' or '.join(DataPathKind)}."
        ) from None
    if wanted is DataPathKind.HTTP:
        return BY_HTTP
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        here = f"{platform.system()} on {platform.machine()}"
        return DataPath(reason=f"There is none for {here}.") if wanted else BY_HTTP
    try:
        built = json.loads((folder / _DESCRIPTION).read_text())
        module, envoy, machine = built["name"], built["envoy"], built["machine"]
    except FileNotFoundError:
        return DataPath(reason="It was not built. Install a C compiler, then Cloudgate anew.")
    except (OSError, ValueError, KeyError, TypeError) as problem:
        return DataPath(reason=f"What was built cannot be read ({problem!r}). Install anew.")
    return _fitting(folder, module, envoy, machine)


def _fitting(folder: Path, module: str, envoy: str, machine: str) -> DataPath:
    installed = process.installed_version()
    if envoy != installed:
        return DataPath(reason=f"It is made for Envoy {envoy}, and {installed} is installed.")
    if machine != platform.machine():
        return DataPath(reason=f"It is made for Linux on {machine}.")
    if not (folder / f"lib{module}.so").is_file():
        return DataPath(reason=f"{folder / f'lib{module}.so'} is missing.")
    return DataPath(module, folder)
