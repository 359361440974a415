"""The console, as a browser without scripts sees it: pages, forms, and a cookie."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx2
import pytest

from tests.support.running.manager import PASSWORD, RunningManager
from tests.support.waiting import PATIENCE_SECONDS

COOKIE = "__Host-cloudgate"


@dataclass
class Visitor:
    """Somebody with a browser that takes cookies and sends forms."""

    http: httpx2.Client

    def get(self, path: str = "") -> httpx2.Response:
        """Look at a page of the console; where it leads is not followed."""
        return self.http.get(path)

    def send(self, path: str, **fields: Any) -> httpx2.Response:
        """Fill in the form of a page, and send it."""
        return self.http.post(path, data={"token": self.token(path), **fields})

    def token(self, path: str) -> str:
        """What the forms of a page carry."""
        found = re.search(r'name="token" value="([^"]+)"', self.http.get(path).text)
        assert found, path
        return found[1]


def visitor(running: RunningManager, section: str = "console", **headers: str) -> Visitor:
    """Somebody who has not signed in; with more headers, such as ``Accept_Language``."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    client = running.clients.enter_context(
        httpx2.Client(
            base_url=f"{running.url}/{section}/",
            verify=running.context,
            headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin", **more},
            timeout=PATIENCE_SECONDS,
        )
    )
    return Visitor(client)


def signed_in(
    running: RunningManager,
    name: str = "admin",
    password: str = PASSWORD,
    section: str = "console",
    **headers: str,
) -> Visitor:
    """An operator; or a tenant, at the portal."""
    came = visitor(running, section, **headers)
    answer = came.http.post("sign-in", data={"name": name, "password": password})
    assert answer.status_code == 303, answer.text
    return came


def operator_of_module() -> object:
    """A fixture: an operator at the console of the module's `running`."""

    @pytest.fixture(scope="module")
    def operator(running: RunningManager) -> Visitor:
        return signed_in(running)

    return operator


def text_of(page: str) -> str:
    """What a page says, without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", page))
