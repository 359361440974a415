"""Is the address of a manager understood as it was typed, and what is none said to be that?"""

import pytest

from cloudgate.client.core.addresses import manager_url
from cloudgate.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        (" https://manager.example:9398/api/ ", "https://manager.example:9398"),
        ("HTTPS://manager.example", "HTTPS://manager.example"),
        ("https://[2001:db8::1]:9398", "https://[2001:db8::1]:9398"),
    ],
)
def test_an_address_is_taken_without_what_stands_below_it(typed: str, url: str) -> None:
    assert manager_url(typed) == url


@pytest.mark.parametrize(
    "typed",
    [
        *("https://[::1", "https://[manager]", "https://:9398", "https://manager:port"),
        *("https://manager:99999", "https://manager:0", f"https://manager:{'1' * 4400}"),
        "https://mana\u2100ger",
    ],
)
def test_what_is_no_address_is_said_to_be_none(typed: str) -> None:
    with pytest.raises(InvalidRequestError, match="is no address of a manager; write https://HOST"):
        manager_url(typed)
