"""The API describes itself, to programs and to people, and says what it does."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator
from lxml import etree

from cloudgate.api.handlers.common import PAGED
from cloudgate.api.table import ROUTES
from cloudgate.manager.queries.pages import LARGEST_PAGE
from tests.support.running.manager import RunningManager, manager_of_module

running = manager_of_module()


@pytest.fixture(scope="module")
def openapi(running: RunningManager) -> dict[str, Any]:
    answer = running.client().get("/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    document: dict[str, Any] = answer.json()
    return document


def everything(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict):
        yield document
    for inner in document.values() if isinstance(document, dict) else document:
        if isinstance(inner, dict | list):
            yield from everything(inner)


def test_every_call_is_described_with_its_answer(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"] == "3.1.0"
    for route in ROUTES:
        operation = openapi["paths"][route.path][route.verb.lower()]
        assert operation["summary"].endswith(".")
        assert route.answers is not None, f"{route.verb} {route.path} does not say what it answers"
        assert str(route.answers.status) in operation["responses"]
        if route.bodies:
            assert str(route.bodies[0].__name__) in str(operation["requestBody"])
        if route.action:
            action = next(each for each in operation["parameters"] if each["name"] == "action")
            assert route.action in action["schema"]["enum"]


def test_operations_have_names_of_their_own(openapi: dict[str, Any]) -> None:
    names = [each["operationId"] for each in everything(openapi) if "operationId" in each]
    assert sorted(names) == sorted(set(names))


def test_all_references_lead_somewhere(openapi: dict[str, Any]) -> None:
    found = {str(each["$ref"]) for each in everything(openapi) if "$ref" in each}
    for reference in found:
        _, _, kind, name = reference.split("/")
        assert name in openapi["components"][kind]
    for schema in openapi["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_logon_is_by_basic_and_all_else_by_session_or_token(openapi: dict[str, Any]) -> None:
    assert openapi["security"] == [{"sessionHeader": []}, {"sessionCookie": []}, {"token": []}]
    own_password = openapi["paths"]["/security/password"]["put"]["security"]
    assert own_password == [{"sessionHeader": []}, {"sessionCookie": []}]
    assert openapi["paths"]["/sessionMngr"]["post"]["security"] == [{"logon": []}]
    assert openapi["paths"]["/"]["get"]["security"] == []
    assert "security" not in openapi["paths"]["/cloud/gateways"]["get"]


def test_the_page_is_made_of_what_the_manager_has(running: RunningManager) -> None:
    client = running.client()
    answer = client.get("/docs")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert re.findall(r"<(?:style|iframe)|https?://| style=| on\w+=|<script>", answer.text) == []
    loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) == 4
    for each in loaded:
        assert client.get(str(client.base_url.join(each))).status_code == 200


def test_the_page_shows_every_call_and_every_type(
    running: RunningManager, openapi: dict[str, Any]
) -> None:
    page = etree.HTML(running.client().get("/docs").text)
    found = {str(each.get("id")) for each in page.iter() if each.get("id")}
    names = {each["operationId"] for each in everything(openapi) if "operationId" in each}
    types = {f"type-{name}" for name in openapi["components"]["schemas"]}
    assert names | types <= found
    for link in page.iter("a"):
        target = str(link.get("href"))
        assert target.removeprefix("#") in found or target in {
            "openapi.json",
            "schema",
            "/console/",
        }


def test_the_page_is_searched_without_scripts(
    running: RunningManager, openapi: dict[str, Any]
) -> None:
    def found(words: str) -> list[str]:
        page = etree.HTML(running.client().get("/docs", params={"search": words}).text)
        return [str(each.get("href")) for each in page.iter("a") if each.get("class") == "thing"]

    rotate = openapi["paths"]["/cloud/tenants/{id}"]["get"]["operationId"]
    assert f"/api/docs#{rotate}" in found("GET tenants")
    assert len(found("tenant")) > len(found("tenant post")) > 0
    assert found("<script>alert(1)</script>") == []


def test_neither_needs_a_logon_session(running: RunningManager) -> None:
    client: httpx2.Client = running.client()
    assert client.get("/Docs/").status_code == 200
    assert client.head("/openapi.json").status_code == 200


def test_pages_that_the_description_allows_are_those_that_are_taken() -> None:
    (size,) = (each for each in PAGED if each.name == "pageSize")
    sizes = (1, 9999, LARGEST_PAGE, LARGEST_PAGE + 1)
    taken = [each for each in sizes if re.search(size.pattern, str(each))]
    assert taken == [1, 9999, LARGEST_PAGE]
