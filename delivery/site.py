"""Documents as a site: what does `make docs` make of the pages, into site/?

Pages lie in it as they lie in the sources, so their links are true in both; the README is where
it begins. What the code says of itself, its commands and its calls, is written beside them. All
that it needs is in it: it is read from a disk, too, and asks nobody for a font or a script.
"""

import gzip
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from cloudgate import __version__
from cloudgate.api.openapi.document import document
from cloudgate.api.openapi.page import page
from cloudgate.api.table import ROUTES
from cloudgate.console.rendering import ASSETS, asset, asset_version
from delivery.tools import ROOT

SITE = ROOT / "site"
SETTINGS = ROOT / "zensical.toml"
TOOLS = ROOT / ".venv" / "docs" / "bin"
PARTS = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("docs", "deploy", "monitoring"),
)
"""What of the sources is in the site, in the same places."""
_OWN = ROOT / "delivery" / "files" / "site"
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOK = '%%{init: {"theme": "neutral"}}%%\n'
_MEASURED, _SHOWN = "font-size:16px", "font-size:14px"
"""A reader may not have the font that widths were measured with, and a wider one in its place."""
_REFERENCE = f"""# Reference

What the code of Cloudgate {__version__} says of itself:

- [each command, each option](command-line.md);
- [each call of the REST API](api.html), its [OpenAPI](openapi.json) and its [XML schema](schema);
- [where the published contract contradicts itself, each call and element](../docs/contract.md).

Elsewhere: [settings](../docs/commands.md#settings-in-a-file), [metrics](../docs/monitoring.md),
[reasons of refusals](../docs/refusals.md).
"""


def run(*command: str | Path, given: str | None = None) -> str:
    """What a command prints; it ends all when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, check=False, input=given, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def put_together(folder: Path) -> None:
    """Lay into an empty folder what the site is made of."""
    folder.mkdir(parents=True)
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, folder / part)
    shutil.copytree(_OWN, folder / "assets")
    for file in folder.rglob("*.md"):
        draw(file)
    reference = folder / "reference"
    reference.mkdir()
    described = document(ROUTES)
    (reference / "README.md").write_text(_REFERENCE, "utf-8")
    (reference / "command-line.md").write_text(command_line(), "utf-8")
    # A folder is no page where the site is read from a disk.
    described_page = page(described, "./").replace('href="./"', 'href="index.html"')
    (reference / "api.html").write_text(described_page, "utf-8")
    assets = reference / "assets" / asset_version()
    assets.mkdir(parents=True)
    for name in ASSETS:
        (assets / name).write_bytes(asset(name))
    (reference / "openapi.json").write_text(json.dumps(described, indent=1), "utf-8")
    schema = files("cloudgate.wire").joinpath("schema.xsd").read_bytes()
    (reference / "schema").write_bytes(schema)


def command_line() -> str:
    """Each command with its options, as a page."""
    words = ("typer", "cloudgate.cli.app", "utils", "docs", "--name", "cloudgate")
    return run(sys.executable, "-m", *words)


def draw(file: Path) -> None:
    """Put pictures beside a page in place of its diagrams."""
    text = file.read_text("utf-8")
    for number, found in enumerate(_DIAGRAM.finditer(text), 1):
        picture = file.with_name(f"{file.stem}-{number}.svg")
        run(TOOLS / "mmdr", "-i", "-", "-o", picture, given=_LOOK + found[1])
        drawn = picture.read_text("utf-8").replace(_MEASURED, _SHOWN)
        picture.write_text(drawn, "utf-8")
        text = text.replace(found[0], f"[![Diagram {number}]({picture.name})]({picture.name})", 1)
    file.write_text(text, "utf-8")


class Found(NamedTuple):
    """What a page of the site has."""

    anchors: set[str]
    links: set[str]
    loaded: set[str]
    """What a browser fetches with it, without being asked to."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = Found(set(), set(), set())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.found.anchors.update(said[each] for each in ("id", "name") if each in said)
        if "href" in said:
            (self.found.links if tag == "a" else self.found.loaded).add(said["href"])
        if "src" in said:
            self.found.loaded.add(said["src"])


def found_in(html: str) -> Found:
    """What a page has."""
    reader = _Reader()
    reader.feed(html)
    return reader.found


def faults(site: Path) -> Iterator[str]:
    """What leads nowhere in a site, and what it would fetch from elsewhere."""
    pages = {file: found_in(file.read_text("utf-8")) for file in sorted(site.rglob("*.html"))}
    for file, found in pages.items():
        where = file.relative_to(site)
        for link in sorted(found.links | found.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in found.loaded and parts.scheme != "data":
                    yield f"{where} fetches {link}"
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchors = pages[target].anchors if target in pages else {parts.fragment}
            # What begins with two underscores is the theme's own, for its scripts.
            if not target.is_file() or (parts.fragment or "__") not in anchors | {"__"}:
                yield f"{where} leads to {link}"


def build() -> None:
    """Make the site anew.

    Raises:
        SystemExit: a link or an anchor leads nowhere.
    """
    work = ROOT / "build" / "docs"
    for each in (work, SITE):
        shutil.rmtree(each, ignore_errors=True)
    put_together(work / "pages")
    settings = work / SETTINGS.name
    settings.write_text(SETTINGS.read_text("utf-8").replace("VERSION", __version__), "utf-8")
    run(TOOLS / "zensical", "build", "--clean", "--strict", "--config-file", settings)
    shutil.move(work / "site", SITE)
    # Both are for a web server that is set up for this site, whose address nobody knows here.
    for name in ("404.html", "sitemap.xml"):
        (SITE / name).unlink()
    wrong = list(faults(SITE))
    if wrong:
        raise SystemExit("\n".join(("The site is not whole:", *wrong)))


def pack(folder: Path, seconds: int) -> Path:
    """Put the site into a folder as one file, dated as the commit is (Unix)."""
    name = f"cloudgate-docs-{__version__}"
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(each for each in SITE.rglob("*") if each.is_file()):
            member = tarfile.TarInfo(f"{name}/{file.relative_to(SITE)}")
            content = file.read_bytes()
            member.mtime, member.mode, member.size = seconds, 0o644, len(content)
            archive.addfile(member, io.BytesIO(content))
    made = folder / f"{name}.tar.gz"
    made.write_bytes(gzip.compress(written.getvalue(), mtime=seconds))
    return made


if __name__ == "__main__":
    build()
    print(f"{SITE / 'index.html'}")
