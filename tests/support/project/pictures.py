"""The pictures of docs/console.md and docs/portal.md: taken of a whole product with real tunnels.

``make pictures`` takes them anew. They are of few colours, so that they stay small.
"""

import secrets
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cloudgate.values.units import MB
from tests.support.ports import free_port
from tests.support.programs.browser import chromium
from tests.support.running.product import PASSWORD, Client, product
from tests.support.running.tunnel import open_tunnel, repository
from tests.support.waiting import looks

FOLDER = Path(__file__).parents[3] / "docs" / "pictures"
TENANTS = ("acme", "Blue Harbour Ltd", "Contoso", "Müller & Söhne", "Nordwind", "Zephyr Labs")


def _filled(client: Client, port: int, storage: str) -> dict[str, str]:
    """Tenants with a quota each, and their passwords."""
    assert client.create_gateway(port)["Result"]["Success"]
    uid = client.add_repository("vault", "vault.example:8443", storage)
    client.add_repository("cold", "cold.example:9000", storage)
    made = {name: secrets.token_urlsafe(12) for name in TENANTS}
    for name, password in made.items():
        assert client.add_tenant(name, password, uid)["Result"]["Success"]
    for each in client.http.get("/cloud/tenants?format=Entity").json()["CloudTenants"]:
        change: dict[str, Any] = {}
        if each["Name"] == "acme":
            change = {
                "Description": "Accounting and file server",
                "ThrottlingEnabled": True,
                "ThrottlingSpeedLimit": 200,
                "ThrottlingSpeedUnit": "Mbps",
                "MaxConcurrentTasks": 4,
                "EgressQuotaMb": 500 * 1024,
            }
        if each["Name"] == "Nordwind":
            change = {"Enabled": False}
        if change:
            client.done(client.http.put(f"/cloud/tenants/{each['UID']}", json=change))
    return made


def _take(
    page: Any, url: str, name: str, path: str, *, theme: str = "light", section: str = "console"
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{url}/{section}/{path}")
    if page.locator("#live").count():
        page.wait_for_selector("#live[data-state=live]", state="attached")
    page.screenshot(path=FOLDER / f"{name}.png")


def take() -> None:
    """Take all of them."""
    FOLDER.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp())
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        storage = stack.enter_context(repository())
        running = stack.enter_context(product(folder / "data"))
        client = stack.enter_context(running.client())
        port = free_port()
        passwords = _filled(client, port, storage)
        for name in (*TENANTS[:4], "acme"):
            tunnel = open_tunnel(
                port, running.ca_file, "vault.example:8443", f"{name}:{passwords[name]}"
            )
            assert tunnel.status == 200, tunnel.reason
            stack.callback(tunnel.close)
            tunnel.exchange((len(name) + 3) * 3 * MB, MB)
        for _ in looks():
            if client.gateway()["LiveTunnels"] == 5:
                break
        browser = stack.enter_context(chromium())
        context = browser.new_context(
            ignore_https_errors=True,
            viewport={"width": 1000, "height": 640},
            reduced_motion="reduce",
            timezone_id="UTC",
            locale="en-GB",
        )
        page = context.new_page()
        page.goto(f"{running.url}/console/sign-in")
        page.fill("#name", "admin")
        page.fill("#password", PASSWORD)
        page.click("button.main")
        _take(page, running.url, "console-overview", "")
        _take(page, running.url, "console-tenants", "tenants", theme="dark")
        page.goto(f"{running.url}/console/tenants?search=acme")
        acme = str(page.locator("a.thing").first.get_attribute("href")).removeprefix("./")
        _take(page, running.url, "console-tenant", acme)
        _take(page, running.url, "console-connect", f"{acme}/connect")
        page.goto(f"{running.url}/portal/")
        page.fill("#name", "acme")
        page.fill("#password", passwords["acme"])
        page.click("button.main")
        _take(page, running.url, "portal-overview", "", section="portal")


if __name__ == "__main__":
    take()
    sys.stdout.write(f"{FOLDER}: {len(list(FOLDER.glob('*.png')))} pictures\n")
