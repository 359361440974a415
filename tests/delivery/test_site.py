"""Is the site of the documents the same each time, and all there where there is no network?"""

import shutil
from pathlib import Path

import pytest

from delivery import site
from tests.support.programs.browser import chromium, needs_chromium

pytestmark = pytest.mark.delivery
SECONDS = 1_767_225_600


@pytest.fixture(scope="module")
def built() -> Path:
    if not (site.TOOLS / "zensical").exists():
        pytest.skip("needs .venv/docs, which make test-delivery makes")
    site.build()
    return site.SITE


def test_the_same_pages_give_the_same_site(built: Path, tmp_path: Path) -> None:
    first = site.pack(tmp_path, SECONDS).read_bytes()
    shutil.rmtree(built)
    site.build()
    assert site.pack(tmp_path, SECONDS).read_bytes() == first


@needs_chromium
def test_pages_are_read_and_searched_as_files_and_fetch_nothing(built: Path) -> None:
    with chromium() as browser:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((built / "docs" / "architecture.html").as_uri())
        drawn = page.locator("img[alt='Diagram 1']")
        assert drawn.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        page.keyboard.press("/")
        page.keyboard.type("quota")
        page.locator("a[href*='quotas.html']:visible").first.click()
        page.wait_for_url("**/docs/quotas.html*")
    assert not [url for url in asked if not url.startswith("file:")]
