"""Build: where does the module for Envoy go, from the sources? ``make`` runs it."""

import sys
from pathlib import Path

from data_path.build import HERE, build

FOLDER = Path("src", "cloudgate", "host", "envoy", "data_path")

if __name__ == "__main__":
    reason = build(HERE.parent / FOLDER)
    if reason:
        sys.stderr.write(f"Gateways do without their module for Envoy: {reason}.\n")
