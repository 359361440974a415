"""Can people sign in without a password? In Debian's Chromium, by a provider and by passkeys."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.programs.browser import NARROW, chromium, is_too_wide, needs_chromium
from tests.support.programs.openid import conformant_provider, settings
from tests.support.running.manager import PASSWORD, RunningManager, running_manager

pytestmark = [
    needs_chromium,
    pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning"),
]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
PEOPLE = {"p-100": {"preferred_username": "olga", "groups": ["admins", "chess"]}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningManager]:
    with conformant_provider(PEOPLE) as issuer:
        folder = tmp_path_factory.mktemp("manager")
        with running_manager(folder, signing_in=lambda url: settings(url, issuer)) as started:
            yield started


@pytest.fixture
def page(browser: Any, running: RunningManager) -> Iterator[Any]:
    """A window on a telephone; pages of the manager complain of nothing."""
    context = browser.new_context(
        ignore_https_errors=True, viewport=NARROW, reduced_motion="reduce"
    )
    complaints: list[str] = []
    shown = context.new_page()
    shown.set_default_timeout(20_000)

    def hear(said: Any) -> None:
        if said.type == "error" and str(said.location.get("url")).startswith(running.url):
            complaints.append(said.text)

    shown.on("console", hear)
    shown.on("pageerror", lambda problem: complaints.append(str(problem)))
    yield shown
    context.close()
    assert not complaints


def check_soundness(page: Any) -> None:
    """No barrier that a program finds, and no scrolling sideways on a telephone."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert not Axe().run(page, options=RULES).response["violations"], (page.url, theme)
    assert not is_too_wide(page), page.url


def test_a_person_comes_by_the_provider_and_goes_out_there_too(
    running: RunningManager, page: Any
) -> None:
    page.goto(f"{running.url}/console/tokens")
    check_soundness(page)
    page.click("text=Sign in by Example ID")
    page.click("button:has-text('p-100')")
    page.wait_for_url("**/console/tokens")
    page.goto(f"{running.url}/console/accounts")
    assert page.locator("td b:has-text('olga')").count() == 1
    check_soundness(page)
    page.locator("a:has-text('Link to a person')").first.click()
    check_soundness(page)
    page.goto(f"{running.url}/console/about")
    page.click(".open-menu")
    page.locator("#menu button:text-is('Sign out')").click()
    page.wait_for_url("**/console/sign-in?out")
    check_soundness(page)
    assert "end_session" in page.get_attribute("text=Sign out there, too", "href")


def test_a_passkey_is_made_shown_alone_and_beside_a_password_and_removed(
    running: RunningManager, page: Any
) -> None:
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    made = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    device.send("WebAuthn.addVirtualAuthenticator", {"options": made})

    def sign_out() -> None:
        page.click(".open-menu")
        page.locator("#menu button:text-is('Sign out')").click()
        page.wait_for_url("**/sign-in?out")

    page.goto(f"{running.url}/console/passkeys")
    assert page.locator("text=Sign in by a passkey").count() == 0  # nobody has one
    page.fill("#name", "admin")
    page.fill("#password", PASSWORD)
    page.click("button:text-is('Sign in')")
    page.wait_for_url("**/console/passkeys")
    page.click("text=New passkey")
    page.fill("#current", PASSWORD)
    page.click("text=Go on")
    page.fill("#name", "this device")
    check_soundness(page)
    page.click("text=Make it")
    page.wait_for_url("**/console/passkeys")
    assert page.locator("td b:has-text('this device')").count() == 1
    check_soundness(page)
    sign_out()
    check_soundness(page)
    page.click("text=Sign in by a passkey")
    page.wait_for_url("**/console/")
    sign_out()
    page.fill("#name", "admin")
    page.fill("#password", PASSWORD)
    page.click("text=Passkey in place of a code")
    page.wait_for_url("**/console/")
    page.goto(f"{running.url}/console/passkeys")
    page.click("text=Remove")
    page.fill("#current", PASSWORD)
    page.click("main form button.main")
    page.wait_for_url("**/console/passkeys")
    assert page.locator("text=You have none").count() == 1
