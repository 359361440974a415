"""Is each page of an answer found by the one before?"""

import pytest

from cloudgate.client.core.kinds import Json
from cloudgate.client.core.pages import following


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ""),
        ({"PagingInfo": None}, ""),
        ({"PagingInfo": {}}, ""),
        ({"PagingInfo": {"Links": None}}, ""),
        ({"PagingInfo": {"Links": [{"Rel": "Prev", "Href": "https://m:1/api/a?page=1"}]}}, ""),
        (
            {
                "PagingInfo": {
                    "Links": [
                        {"Rel": "First", "Href": "https://m:1/api/a?page=1"},
                        {"Rel": "Next", "Href": "https://m:1/api/a?page=3&filter=x/api/y"},
                    ]
                }
            },
            "/a?page=3&filter=x/api/y",
        ),
        ({"PagingInfo": {"Links": [{"Rel": "Next", "Href": "/a?page=2"}]}}, "/a?page=2"),
    ],
)
def test_the_next_page_is_below_the_manager_that_was_asked(body: Json, path: str) -> None:
    assert following(body) == path


def test_whoever_else_a_page_names_is_not_asked() -> None:
    elsewhere = {"PagingInfo": {"Links": [{"Rel": "Next", "Href": "https://evil.example/api/a"}]}}
    assert following(elsewhere) == "/a"
