"""Debian's Chromium, as a person uses it: one for all tests of a process."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.running.product import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is missing: sudo apt-get install chromium"
)
WIDE = {"width": 1200, "height": 860}
NARROW = {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  half a second, for these alone

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


def is_too_wide(page: Any) -> bool:
    """Whether one would have to scroll sideways."""
    return bool(
        page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    )


def has_broken_buttons(page: Any) -> bool:
    """Whether the words of a button in a row do not stand in one line."""
    return bool(
        page.evaluate(
            "[...document.querySelectorAll('td.acts .button')].some((each) =>"
            " each.offsetHeight > 2 * parseFloat(getComputedStyle(each).lineHeight))"
        )
    )


class Person:
    """Somebody at a window, signed in."""

    def __init__(
        self,
        browser: Any,
        url: str,
        name: str = "admin",
        password: str = PASSWORD,
        section: str = "console",
        **options: Any,
    ) -> None:
        self.context = browser.new_context(
            ignore_https_errors=True, viewport=WIDE, reduced_motion="reduce", **options
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE_SECONDS)
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda problem: self.complaints.append(str(problem)))
        self.url = f"{url}/{section}/"
        self.page.goto(f"{url}/" if section == "console" else self.url)
        self.signs_in(name, password)

    def signs_in(self, name: str, password: str) -> None:
        """On the page for that, which is open."""
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("button.main")

    def _hear(self, said: Any) -> None:
        if said.type in ("error", "warning") and "ERR_" not in said.text:
            self.complaints.append(said.text)

    def goes(self, path: str) -> None:
        """To a page of the console."""
        self.page.goto(self.url + path)

    def clicks(self, text: str) -> None:
        """On a link or a button that says so."""
        main = self.page.locator("main")
        named = main.get_by_role("link", name=text, exact=True)
        named.or_(main.get_by_role("button", name=text, exact=True)).first.click()

    def wait_until_live(self) -> None:
        """Wait until the page hears what is new."""
        self.page.wait_for_selector("#live[data-state=live]", state="attached")

    def sees(self, selector: str, text: str) -> None:
        """Wait until it says so."""
        self.page.locator(selector, has_text=re.compile(text)).first.wait_for()
