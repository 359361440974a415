"""Packages of distributions: what do Debian's and RPM's have in them? One description for both."""

import gzip
import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from cloudgate.cli.service.manager import systemd_unit
from cloudgate.cli.settings import PACKAGED_DATA, PACKAGED_HOST_DATA
from cloudgate.host.platform import linux
from delivery import manuals
from delivery.tools import TOOLS
from delivery.tree import PLACE, make_even

MANAGER_UNIT, HOST_UNIT = "cloudgate-manager", "cloudgate-host"
UNITS = frozenset({MANAGER_UNIT, HOST_UNIT})
"""The units of systemd that a package has, by their names."""
MANAGER_DATA, HOST_DATA = PACKAGED_DATA, PACKAGED_HOST_DATA
SETTINGS = Path("/etc/cloudgate")
MAINTAINER = "The Cloudgate maintainers <maintainers@cloudgate.example>"
_FILES = Path(__file__).parent / "files"
_LINES = """cloud gateway for backup service providers
 Customers' backup servers reach a provider's repositories through one port,
 over TLS, and see nothing else of its network. This package has the manager
 with its REST API, the host service of gateways, which runs Envoy, the command
 line, and the connector of tenants. Neither service runs before it is enabled."""
_SHARED_BY_BOTH = ("ca-certificates",)
_OF_DEBIAN = (
    "libc6 (>= 2.36)",
    "systemd | systemd-standalone-sysusers",
    "systemd | systemd-standalone-tmpfiles",
)
_OF_RPM = ("glibc >= 2.34", "systemd")
_AT_ONCE = "install-and-renew"
"""Debian's one script for both: it installs when the files of the release before are gone."""


@dataclass(frozen=True)
class Target:
    """A distribution's release, and what is of its own there."""

    kind: str
    """``deb`` or ``rpm``, as nfpm has it."""
    release: str
    """What stands behind the version of the package."""
    python: str


TARGETS = (
    Target("deb", "1~deb12", "3.11"),
    Target("deb", "1~deb13", "3.13"),
    Target("rpm", "1", "3.11"),
)


def stage(folder: Path, version: str, components: list[Any], seconds: int) -> None:
    """Put into a folder what does not depend on the distribution, as it lies on a machine.

    Beside it comes the script that Debian runs when it is installed.

    Args:
        folder: what is to be ``/``.
        version: of Cloudgate.
        components: of the installation, as the list of them has it (CycloneDX).
        seconds: the time of all that is written (Unix).
    """
    day = datetime.fromtimestamp(seconds, UTC)
    share = folder / "usr" / "share"
    manuals.write(share, day)
    documents = share / "doc" / "cloudgate"
    documents.mkdir(parents=True)
    (documents / "copyright").write_text(_copyright(components), "utf-8")
    history = (
        f"cloudgate ({version}) unstable; urgency=medium\n\n  * What has changed: CHANGELOG.md"
        f" of the sources.\n\n -- {MAINTAINER}  {format_datetime(day)}\n"
    )
    packed = gzip.compress(history.encode(), 9, mtime=0)
    (documents / "changelog.Debian.gz").write_bytes(packed)
    for place, text in {**_units(), **_copied()}.items():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    (folder / "usr" / "bin").mkdir()
    (folder / "usr" / "bin" / "cloudgate").symlink_to("../lib/cloudgate/bin/cloudgate")
    make_even(folder, seconds)
    install, renew = (
        (_FILES / each).read_text("utf-8") for each in ("after-install", "renew-services")
    )
    folder.with_name(_AT_ONCE).write_text(f"{install}\n{renew.partition(chr(10))[2]}", "utf-8")


def _units() -> dict[str, str]:
    program = "/usr/bin/cloudgate"
    serve = [program, "serve", "--config", str(SETTINGS / "manager.toml")]
    manager = systemd_unit.unit(serve, "cloudgate", [MANAGER_DATA])
    host = linux.unit_of([program], HOST_DATA, "cloudgate-host", SETTINGS / "host.toml")
    folder = "usr/lib/systemd/system"
    texts = {MANAGER_UNIT: manager, HOST_UNIT: host}
    return {f"{folder}/{name}.service": text for name, text in texts.items()}


def _copied() -> dict[str, str]:
    places = {
        "manager.toml": "etc/cloudgate",
        "host.toml": "etc/cloudgate",
        "sysusers": "usr/lib/sysusers.d/cloudgate.conf",
        "tmpfiles": "usr/lib/tmpfiles.d/cloudgate.conf",
        "lintian-overrides": "usr/share/lintian/overrides/cloudgate",
    }
    return {
        (f"{place}/{name}" if place.startswith("etc") else place): (_FILES / name).read_text(
            "utf-8"
        )
        for name, place in places.items()
    }


def _copyright(components: list[Any]) -> str:
    """What it consists of, and under which licences; their texts lie beside the parts."""
    rows = []
    for each in components:
        named = [
            one.get("expression") or one["license"].get("id") or one["license"].get("name")
            for one in each.get("licenses", [])
        ]
        rows.append(f" {each['name']} {each['version']}: {', '.join(named) or 'see its folder'}\n")
    return (
        "Cloudgate is licensed under the Apache License, Version 2.0:\n"
        " /usr/share/common-licenses/Apache-2.0\n\n"
        "Copyright 2026 the Cloudgate authors.\n\n"
        f"Below {PLACE} are these parts of others, each with the text of its licence in its\n"
        f"folder *.dist-info:\n\n{''.join(sorted(rows))}"
    )


def described(target: Target, version: str, staged: Path, tree: Path) -> dict[str, Any]:
    """What nfpm makes a package of (nfpm.goreleaser.com/docs/configuration)."""
    is_debian = target.kind == "deb"
    depends = [f"python{target.python}", *_SHARED_BY_BOTH]
    if is_debian:
        older, newer = target.python, f"3.{int(target.python.partition('.')[2]) + 1}"
        depends += [f"python3 (>= {older}~)", f"python3 (<< {newer}~)", *_OF_DEBIAN]
    else:
        depends += _OF_RPM
    return {
        "name": "cloudgate",
        "arch": "amd64",
        "platform": "linux",
        "version": version.replace(".dev", "~dev"),
        "version_schema": "none",
        "release": target.release,
        "section": "net",
        "priority": "optional",
        "maintainer": MAINTAINER,
        "homepage": "https://cloudgate.example/",
        "license": "Apache-2.0",
        "description": _LINES,
        "depends": depends,
        "contents": [
            *_contents(staged, is_debian=is_debian),
            {"src": str(tree), "dst": str(PLACE), "type": "tree"},
        ],
        "scripts": {
            "postinstall": str(
                staged.with_name(_AT_ONCE) if is_debian else _FILES / "after-install"
            ),
            "preremove": str(_FILES / "before-remove"),
            "postremove": str(_FILES / "after-remove"),
        },
        "deb": {"compression": "gzip"},
        "rpm": {
            "compression": "zstd",
            "summary": _LINES.splitlines()[0],
            "group": "System",
            "scripts": {"posttrans": str(_FILES / "renew-services")},
        },
    }


def _contents(staged: Path, *, is_debian: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if not is_debian:
        # RPM takes away no folder that no package has.
        found.append({"dst": "/usr/share/doc/cloudgate", "type": "dir"})
    for each in sorted(staged.rglob("*")):
        place = f"/{each.relative_to(staged)}"
        if each.is_symlink():
            found.append({"src": str(each.readlink()), "dst": place, "type": "symlink"})
        elif each.is_file() and (is_debian or "lintian" not in place):
            kind = {"type": "config|noreplace"} if place.startswith(f"{SETTINGS}/") else {}
            found.append({"src": str(each), "dst": place, **kind})
    return found


def pack(description: dict[str, Any], kind: str, target: Path, seconds: int) -> Path:
    """Make a package in a folder; where it is. Equal bytes for equal files."""
    file = target / f"{kind}.json"
    file.write_text(json.dumps(description), "utf-8")
    said = subprocess.run(
        (TOOLS / "nfpm", "package", "--config", file, "--packager", kind, "--target", target),
        env={**os.environ, "SOURCE_DATE_EPOCH": str(seconds)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    file.unlink()
    return Path(said.strip().rpartition("created package: ")[2])
