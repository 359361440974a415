"""API tokens, as a call makes them, and a program with one."""

from typing import Any

import httpx2

from tests.support.running.manager import RunningManager

PATH = "/security/tokens"


def make(client: httpx2.Client, name: str, role: str = "Portal User", **more: Any) -> Any:
    answer = client.post(PATH, json={"Name": name, "Role": role, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def shows(running: RunningManager, secret: str) -> httpx2.Client:
    """A program with a token."""
    return running.client(Accept="application/json", Authorization=f"Bearer {secret}")
