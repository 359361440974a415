"""Ansible collection: what does Galaxy's format have of it, byte for byte the same each time?

``ansible-galaxy collection build`` makes the same of the same files, but for their order and dates.
"""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from delivery.tools import ROOT

SOURCE = ROOT / "ansible"
_DESCRIBED = "galaxy.yml"
_READ = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"


def described(python: Path) -> dict[str, Any]:
    """What galaxy.yml says. `python`: one that has PyYAML."""
    with (SOURCE / _DESCRIBED).open("rb") as file:
        said = subprocess.run([python, "-c", _READ], stdin=file, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def pack(galaxy: dict[str, Any], version: str, folder: Path, seconds: int) -> Path:
    """Put it into a folder, dated as the commit is (Unix).

    Raises:
        SystemExit: it says that it is of another version.
    """
    if galaxy["version"] != version:
        raise SystemExit(f"ansible/{_DESCRIBED} says {galaxy['version']}, and this is {version}.")
    made = folder / f"{galaxy['namespace']}-{galaxy['name']}-{version}.tar.gz"
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in _members(galaxy):
            member = tarfile.TarInfo(name)
            member.mtime, member.mode = seconds, 0o644
            if content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            else:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content or b""))
    made.write_bytes(gzip.compress(written.getvalue(), mtime=seconds))
    return made


def _members(galaxy: dict[str, Any]) -> Iterator[tuple[str, bytes | None]]:
    """Names and contents, None for a folder; the two lists of them first, as the format wants."""
    files = {
        str(each.relative_to(SOURCE)): each.read_bytes() if each.is_file() else None
        for each in sorted(SOURCE.rglob("*"))
        if "__pycache__" not in each.parts and not each.name.startswith(".")
        if each.name != _DESCRIBED
    }
    listed = [_entry(".", None), *(_entry(name, content) for name, content in files.items())]
    all_files = _json({"files": listed, "format": 1})
    information = {"license_file": None, **galaxy}
    manifest = {
        "collection_info": information,
        "file_manifest_file": _entry("FILES.json", all_files),
        "format": 1,
    }
    yield "MANIFEST.json", _json(manifest)
    yield "FILES.json", all_files
    yield from files.items()


def _entry(name: str, content: bytes | None) -> dict[str, Any]:
    found = None if content is None else hashlib.sha256(content).hexdigest()
    return {
        "name": name,
        "ftype": "dir" if content is None else "file",
        "chksum_type": None if content is None else "sha256",
        "chksum_sha256": found,
        "format": 1,
    }


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()
