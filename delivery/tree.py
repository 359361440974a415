"""Tree: what lies below /usr/lib/cloudgate? A virtual environment with all that Cloudgate needs.

It is put together, not made by the Python that it is for: so it is made for any, anywhere.
"""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from delivery.tools import TOOLS

PLACE = Path("/usr/lib/cloudgate")
PLATFORM = "x86_64-manylinux_2_36"
"""For the C library of Debian 12, and newer ones."""
_PROGRAM = f"""#!{PLACE}/bin/python3
import sys

from cloudgate.__main__ import main

sys.exit(main())
"""


def put_together(folder: Path, python: str, lock: Path, wheel: Path) -> Path:
    """Make the tree that is to lie at `PLACE` in a folder; where its packages are.

    Args:
        folder: that is made.
        python: its version, such as ``3.11``.
        lock: what is installed, each with its hash.
        wheel: of Cloudgate itself.
    """
    packages = folder / "lib" / f"python{python}" / "site-packages"
    install = (TOOLS / "uv", "pip", "install", "--quiet", "--no-progress")
    whither = ("--target", packages, "--python-version", python, "--python-platform", PLATFORM)
    how = ("--only-binary", ":all:", "--link-mode", "copy", "--require-hashes", "--no-config")
    # Some wheels have files of one name: of two at once, either would win, another each time.
    one_by_one = {**os.environ, "UV_CONCURRENT_INSTALLS": "1"}
    command = (*install, *whither, *how, "--requirement", lock)
    subprocess.run(command, env=one_by_one, check=True)
    for each in ("bin", ".lock"):
        _remove(packages / each)
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(packages)
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(f"/usr/bin/python{python}")
    (folder / "bin" / "cloudgate").write_text(_PROGRAM, "utf-8")
    (folder / "bin" / "cloudgate").chmod(0o755)
    settings = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n"
    (folder / "pyvenv.cfg").write_text(settings, "utf-8")
    return packages


def make_even(folder: Path, seconds: int) -> None:
    """Give all below a folder that time, and modes that depend on no user's umask."""
    for each in (folder, *folder.rglob("*")):
        if not each.is_symlink():
            runs = each.is_dir() or (os.access(each, os.X_OK) and _is_program(each))
            each.chmod(0o755 if runs else 0o644)
        os.utime(each, (seconds, seconds), follow_symlinks=False)


def _is_program(file: Path) -> bool:
    """Libraries are often executable by mistake, and files of Python that begin as text does."""
    with file.open("rb") as opened:
        beginning = opened.read(4)
    return beginning[:2] == b"#!" or (beginning == b"\x7fELF" and ".so" not in file.suffixes)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
