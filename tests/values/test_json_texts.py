"""JSON of others: is it read where it is nested as deep as nobody means it, and by whom?"""

from pathlib import Path

import pytest

import cloudgate
from cloudgate.host.authorization.own.requests import change_of
from cloudgate.host.authorization.policy import Denial
from cloudgate.values import json_texts

SOURCES = Path(cloudgate.__file__).parent
ROOMS = ("api", "client", "connector", "console", "host/authorization", "manager/sessions")
"""Where what comes was written by others."""
OWN = {
    "console/api.py": "what the API beside it answers",
    "console/operator/audit.py": "what the manager has put into its audit log",
    "manager/sessions/challenges.py": "what it has sealed itself",
}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{", "1" * 10_000, "\xff"])
def test_what_cannot_be_read_is_wrong_and_nothing_worse(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  json has one of its own
        json_texts.read(text)
    assert isinstance(change_of("/password", text), Denial)


def test_where_others_write_it_is_read_as_theirs() -> None:
    found = {
        str(each.relative_to(SOURCES))
        for room in ROOMS
        for each in (SOURCES / room).rglob("*.py")
        if "json.load" in each.read_text()
    }
    assert found == set(OWN)
