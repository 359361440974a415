"""Is each page of the documents in the site, and is a site that is not whole found out?"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from delivery.site import SETTINGS, faults
from delivery.tools import ROOT

CHECKED = '<a href="two.html#there">b</a><a href="https://example.org/">c</a><img src="a.svg">'


def pages_in(navigation: Any) -> Iterator[str]:
    """The pages that a navigation leads to, in its order."""
    if isinstance(navigation, str):
        yield navigation
    else:
        below = navigation.values() if isinstance(navigation, dict) else navigation
        for each in below:
            yield from pages_in(each)


def test_each_page_stands_in_the_sites_navigation_once() -> None:
    listed = list(pages_in(tomllib.loads(SETTINGS.read_text("utf-8"))["project"]["nav"]))
    at_the_top = {page.name for page in ROOT.glob("*.md")}
    below = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
    own = {each for each in listed if each.startswith("reference/")}
    assert sorted(listed) == sorted({*at_the_top, *below, *own, "docs/decisions/README.md"})


def test_the_readme_and_the_site_lead_to_the_same_pages() -> None:
    readme = set(re.findall(r"\]\((docs/[\w/.-]+\.md)", (ROOT / "README.md").read_text("utf-8")))
    listed = pages_in(tomllib.loads(SETTINGS.read_text("utf-8"))["project"]["nav"])
    assert {each for each in listed if each.startswith("docs/")} == readme


def test_a_site_in_which_all_is_there_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text(CHECKED)
    (tmp_path / "two.html").write_text('<h2 id="there">There</h2>')
    (tmp_path / "a.svg").write_text("<svg/>")
    assert not list(faults(tmp_path))


def test_links_that_lead_nowhere_and_what_comes_from_elsewhere_are_faults(tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text(
        f'{CHECKED}<script src="https://example.org/a.js"></script><a href="#gone">d</a>'
    )
    (tmp_path / "two.html").write_text("<h2>Elsewhere</h2>")
    assert list(faults(tmp_path)) == [
        "one.html leads to #gone",
        "one.html leads to a.svg",
        "one.html fetches https://example.org/a.js",
        "one.html leads to two.html#there",
    ]
