"""Build hook: what is built beside the Python code when this is installed? The module for Envoy."""

import importlib.util
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DataPathHook(BuildHookInterface[Any]):
    """Builds the module where there is a C compiler; without, the same Python code is installed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is put together, or an editable installation is."""
        root = Path(self.root)
        spec = importlib.util.spec_from_file_location("build", root / "data_path" / "build.py")
        if spec is None or spec.loader is None:
            raise FileNotFoundError(root / "data_path" / "build.py")
        builder = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(builder)
        folder = root / "src" / "cloudgate" / "host" / "envoy" / "data_path"
        reason = builder.build(folder)
        if reason:
            self.app.display_warning(f"The module for Envoy is not built: {reason}.")
        elif version == "standard":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"
            built = ("libcloudgate_*.so", builder.DESCRIPTION)
            build_data["artifacts"] += [
                f"src/cloudgate/host/envoy/data_path/{each}" for each in built
            ]
