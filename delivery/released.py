"""Releases before: of which commit is each, and what did it deliver? That is built from it again.

Started as a program, it builds what the newest of them delivered, if that is not there yet.
"""

import os
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

from cloudgate import __version__
from delivery.tools import ROOT

BUILT = ROOT / "build" / "released"
_LIST = Path(__file__).with_name("releases.toml")


def commits() -> dict[str, str]:
    """Each release's commit."""
    found: dict[str, str] = tomllib.loads(_LIST.read_text("utf-8"))
    return found


def before() -> str:
    """The newest release that is not what the sources are now."""
    return max((each for each in commits() if each != __version__), key=_numbers)


def delivered(version: str) -> Path:
    """The folder with what a release delivered, once it is built."""
    return BUILT / f"{version}-{commits()[version][:12]}"


def build(version: str) -> Path:
    """Build what a release delivered, with its own tools, unless it is there; where it is.

    Raises:
        SystemExit: this clone has not its commit.
    """
    folder, commit = delivered(version), commits()[version]
    if folder.exists():
        return folder
    if _git("cat-file", "-e", f"{commit}^{{commit}}") != 0:
        raise SystemExit(
            f"Release {version} was made of commit {commit}, which this clone has not."
            " It comes by: git fetch --unshallow"
        )
    BUILT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as work:
        sources = Path(work) / "sources"
        commands: tuple[tuple[str | Path, ...], ...] = (
            ("git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, sources),
            ("git", "-C", sources, "checkout", "--quiet", "--detach", commit),
            ("make", "--no-print-directory", "-C", sources, "dist"),
        )
        for words in commands:
            subprocess.run(words, env=_clean(), check=True)
        shutil.move(sources / "dist", folder)
    return folder


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split("."))


def _git(*words: str) -> int:
    command: tuple[str | Path, ...] = ("git", "-C", ROOT, *words)
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode


def _clean() -> dict[str, str]:
    """This environment, without what the make that has started this tells those that it starts."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


if __name__ == "__main__":
    print(build(before()))
