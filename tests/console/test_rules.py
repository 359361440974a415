"""The console's rules: what reads how, what leads where, is what stands beside a form true?"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest
import typer

import cloudgate.console
from cloudgate.api.table import router
from cloudgate.cli.app import app
from cloudgate.console import stream
from cloudgate.console.acting import command_of
from cloudgate.console.api import RefusedError, SignedOutError
from cloudgate.console.declarations import Action, Input, Page, filled
from cloudgate.console.figures.usage_months import chosen_month
from cloudgate.console.operator.audit import condition, differences
from cloudgate.console.operator.common import by_uids
from cloudgate.console.operator.site_map import CONSOLE
from cloudgate.console.rendering import ASSETS, asset
from cloudgate.console.section import Section
from cloudgate.console.stream import MOST_TOGETHER, Streams, pause_seconds
from cloudgate.console.tenant.site_map import PORTAL
from cloudgate.manager.queries.filter import LONGEST, AnyOf, parse

TEMPLATES = Path(cloudgate.console.__file__).parent / "templates"
GUID = "29e5d158-1f58-44bc-bbaa-2752d787a91d"
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
EVERYTHING: list[Page | Action] = [*CONSOLE.pages, *CONSOLE.actions]
CLIENTS = Path(__file__).parents[2] / "docs" / "clients.md"


def test_a_variable_of_a_path_is_one_part_of_it_and_nothing_else() -> None:
    assert filled("/cloud/tenants/{id}", {"id": "../x?y"}) == "/cloud/tenants/..%2Fx%3Fy"


def test_a_name_stands_in_a_command_as_a_shell_takes_it() -> None:
    action = next(each for each in CONSOLE.actions if each.path == "tenants/{id}/edit")
    assert command_of(action, "acme").startswith("tenant edit acme ")
    assert command_of(action, "a'; rm -rf /").startswith("tenant edit 'a'\\''; rm -rf /' ")


@cache
def command_tree() -> Any:
    """All commands."""
    return typer.main.get_command(app)


def command_at(words: list[str]) -> Any:
    """The command that these words name; None when there is none."""
    found: Any = command_tree()
    while words and hasattr(found, "commands"):
        found = found.commands.get(words.pop(0))
    return found


@pytest.mark.parametrize(
    "shown", [each for each in EVERYTHING if each.command], ids=lambda each: each.path
)
def test_each_command_that_is_shown_is_there_with_its_options(shown: Page | Action) -> None:
    words = shown.command.split()
    found = command_at(words)
    assert found is not None, shown.command
    known = {option for each in found.params for option in (*each.opts, *each.secondary_opts)}
    used = set(re.findall(r"(?<!\S)(--?[A-Za-z][\w-]*)", shown.command))
    assert used <= known, shown.command


@pytest.mark.parametrize("section", [CONSOLE, PORTAL], ids=lambda each: each.name)
def test_something_leads_to_each_page(section: Section) -> None:
    in_navigation = {path for _, group in section.navigation for path, _ in group}
    templates = "".join(each.read_text("utf-8") for each in TEMPLATES.glob("*.html"))
    linked = set(re.findall(r"\{\{ root \}\}([a-z.-]+)", templates))
    # What is of one thing is led to by its list.
    pages = {each.path for each in section.pages if "{" not in each.path}
    assert not pages - in_navigation - linked, "lead to it from the navigation or a page"


SHOWN_WITH_OTHERS = {
    "account identity": "accounts",
    "account show": "accounts",
    "backup-server show": "sites",
    "certificate show": "certificates",
    "gateway show": "gateways/{id}",
    "notification log": "notifications",
    "notification show": "notifications",
    "tenant certificate list": "tenants/{id}",
    "tenant gateways": "tenants/{id}/connect",
    "tenant held-back": "tenants/{id}",
    "tenant password list": "tenants/{id}",
    "tenant resource list": "tenants/{id}",
    "tenant tunnels": "tenants/{id}",
    "tenant usage": "tenants/{id}",
    "tenant user list": "tenants/{id}",
    "tenant user show": "tenants/{id}",
    "token show": "tokens",
}
"""Commands that show a part of what a page shows, and the page."""
NO_OPERATORS = {
    "logout": "it forgets the session of the command line; pages have *Sign out*",
    "tenant certificate get": "its key is made at the machine of the tenant, and stays there",
    "tenant password change": "the tenant's own, at the portal",
}


def commands_below(found: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """All commands, by the words that name them."""
    for name, each in getattr(found, "commands", {}).items():
        yield from commands_below(each, (*words, name))
    if not hasattr(found, "commands"):
        yield " ".join(words), found


def test_what_the_command_line_can_do_by_the_api_the_console_can() -> None:
    named = dict(commands_below(command_tree()))
    calling = {
        name
        for name, each in named.items()
        if {"url", "user", "output"} <= {parameter.name for parameter in each.params}
    }
    words = [each.command.split() for each in EVERYTHING if each.command]
    of_pages = {
        " ".join(each[:count]) for each in words for count in range(1, len(each) + 1)
    } & calling
    missing = calling - of_pages - SHOWN_WITH_OTHERS.keys() - NO_OPERATORS.keys()
    assert missing == set(), (
        "give each a Page or an Action of console/operator that names it as its command; or name"
        " it in SHOWN_WITH_OTHERS, with the page that shows it, or in NO_OPERATORS, with why not"
    )
    assert not of_pages & (SHOWN_WITH_OTHERS.keys() | NO_OPERATORS.keys())
    assert calling >= SHOWN_WITH_OTHERS.keys() | NO_OPERATORS.keys()
    assert set(SHOWN_WITH_OTHERS.values()) <= {each.path for each in CONSOLE.pages}


@pytest.mark.parametrize("shown", EVERYTHING, ids=lambda each: each.path)
def test_each_request_that_is_shown_is_a_call_of_the_api(shown: Page | Action) -> None:
    verb, said = (shown.verb, shown.target) if isinstance(shown, Action) else ("GET", shown.request)
    if not said:
        return
    path, _, query = said.partition("?")
    match = router().match(re.sub(r"\{\w+\}", GUID, path))
    assert match is not None, said
    actions = {each.action for each in match.routes[verb]}
    named = re.search(r"action=(\w+)", query)
    assert not named or named[1].lower() in {str(each).lower() for each in actions}


@pytest.mark.parametrize("action", CONSOLE.actions, ids=lambda each: each.path)
def test_whoever_thinks_better_of_it_comes_to_a_page(action: Action) -> None:
    back = re.sub(r"\{\w+\}", GUID, action.back)
    found = CONSOLE.match(back)
    assert found is not None
    assert isinstance(found[0], Page)


def test_the_audit_log_is_asked_for_what_was_filled_in_and_nothing_breaks_out() -> None:
    said = {
        "account": 'a"b',
        "operation": "",
        "object": "",
        "result": "false",
        "from": "2026-01-31",
    }
    assert condition(said) == 'Account=="a""b";Success==false;Time>="2026-01-31T00:00:00Z"'


def test_each_day_that_is_asked_for_is_said_to_be_one_of_utc() -> None:
    templates = "".join(each.read_text("utf-8") for each in TEMPLATES.glob("*.html"))
    asked = re.findall(r'id="(\w+)" name="\w+" type="(?:date|month)"', templates)
    labels = dict(re.findall(r'<label for="(\w+)">\{\{ _\(\'([^\']*)', templates))
    said = [labels[each] for each in asked]
    said += [
        each.label + each.hint
        for action in (*CONSOLE.actions, *PORTAL.actions)
        for each in action.fields
        if each.kind is Input.DATE
    ]
    assert len(said) > 1
    assert all("UTC" in each for each in said), said


def test_what_differed_is_shown_by_name_before_and_after() -> None:
    found = differences('{"Enabled": true, "Name": "a"}', '{"Enabled": false}')
    assert found == [("Enabled", "true", "false"), ("Name", "a", "\N{EN DASH}")]
    assert differences(None, None) == []


@pytest.mark.parametrize(
    ("named", "month"),
    [("2025-12", "2025-12"), ("2027-01", "2026-03"), ("x", "2026-03"), ("", "2026-03")],
)
def test_a_month_is_one_of_utc_and_never_one_to_come(named: str, month: str) -> None:
    assert chosen_month(named, NOW) == month


def test_a_page_that_takes_long_to_make_is_made_less_often() -> None:
    assert pause_seconds(0.1) == pytest.approx(0.9), "it is made once a second"
    assert pause_seconds(3.0) == pytest.approx(12.0), "it takes a fifth of a processor at most"


def heard(render: Callable[[], Awaitable[str]]) -> list[str]:
    """What a stream says until it ends."""

    async def listen() -> list[str]:
        return [each async for each in Streams().events(render)]

    return asyncio.run(listen())


@pytest.mark.anyio
async def test_who_opens_many_live_pages_at_once_gets_no_more_than_one_after_the_other() -> None:
    async def render() -> str:
        return "page"

    streams = Streams()
    assert all(streams.has_room(f"session-{number}", "acme") for number in range(30))
    opened = [streams.events(render, f"session-{number}", "acme") for number in range(30)]
    first = [await anext(each) for each in opened]
    assert first == ["retry: 1000\n\n"] * MOST_TOGETHER + ['event: again\ndata: ""\n\n'] * 10
    assert streams.has_room("another", "globex")
    for each in opened:
        await each.aclose()  # type: ignore[attr-defined]
    assert streams.has_room("session-1", "acme")


def test_a_stream_ends_with_its_session_and_says_so() -> None:
    async def render() -> str:
        raise SignedOutError(401, "ended")

    assert heard(render) == ["retry: 1000\n\n", 'event: signed-out\ndata: ""\n\n']


def test_what_can_be_opened_on_a_live_page_has_an_id_by_which_it_stays_open() -> None:
    pages = {each.template for each in (*CONSOLE.pages, *PORTAL.pages) if each.live}
    found = [
        tag
        for name in sorted(pages)
        for block in re.findall(
            r"{% block live %}(.*?){% endblock %}", (TEMPLATES / name).read_text("utf-8"), re.DOTALL
        )
        for tag in re.findall(r"<details[^>]*><summary[^>]*>", block)
    ]
    assert len(found) >= 2
    assert [each for each in found if each.count(" id=") != 2] == []


@pytest.mark.anyio
async def test_an_open_page_waits_while_the_api_does_not_answer_and_is_never_emptied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "EVERY_SECONDS", 0.01)
    said: list[str | int] = [503, 503, "page", "page", 429, "page", 500, 404]

    async def render() -> str:
        now = said.pop(0)
        if isinstance(now, int):
            raise RefusedError(now, "refused")
        return now

    waiting, live = 'event: waiting\ndata: ""\n\n', 'event: live\ndata: "page"\n\n'
    assert [each async for each in Streams().events(render)] == [
        "retry: 1000\n\n", waiting, live, waiting, live, waiting, 'event: gone\ndata: "refused"\n\n'
    ]  # fmt: skip


def test_a_stream_that_was_long_enough_has_the_browser_ask_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "LONGEST_SECONDS", 0.0)
    monkeypatch.setattr(stream, "EVERY_SECONDS", 0.01)

    async def render() -> str:
        return "<p>a line\nand another</p>"

    first, shown, last = heard(render)
    assert first == "retry: 1000\n\n"
    assert shown == 'event: live\ndata: "<p>a line\\nand another</p>"\n\n'
    assert last == 'event: again\ndata: ""\n\n'


def test_what_others_wrote_is_named_with_licence_version_and_hash() -> None:
    said = (Path(__file__).parents[2] / "src/cloudgate/console/assets/README.md").read_text("utf-8")
    digest = hashlib.sha256(asset("htmx.min.js")).hexdigest()
    assert digest in said
    assert "4.0.1" in said
    assert "Zero-Clause BSD" in said
    assert sum(len(asset(each)) for each in ASSETS) < 64 * 1024


def test_things_are_found_by_any_number_of_uids_in_filters_that_the_api_takes() -> None:
    uids = [f"urn:veeam:CloudTenant:{UUID(int=number)}" for number in range(1000)]
    filters = [parse_qs(each)["filter"][0] for each in by_uids(uids)]
    assert max(map(len, filters)) <= LONGEST
    conditions = [parse(each) for each in filters]
    assert all(isinstance(each, AnyOf) for each in conditions)
    assert ",".join(filters) == ",".join(f"UID=={each.rpartition(':')[2]}" for each in uids)
