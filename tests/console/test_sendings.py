"""Is what a form says done once, however often its browser sends it? By the real application."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cloudgate.console import rendering, sendings
from cloudgate.console.acting import Redirect, ResultPage
from cloudgate.console.api import RefusedError
from cloudgate.console.sendings import MOST, MOST_EACH, WORD, Result, Sendings, new_word
from cloudgate.manager.storage.tables import CloudTenant, Subtenant
from cloudgate.manager.tenants import passwords
from tests.support.running.console import Visitor, signed_in, text_of
from tests.support.running.customers import SECRET, Customer, add_vault, listening_host
from tests.support.running.manager import (
    RunningManager,
    client_of_module,
    finished,
    manager_of_module,
)

MADE = ResultPage(template="once.html", context={"made": "secret"})
DONE = Redirect(to="tenants")

running = manager_of_module()
client = client_of_module()


@pytest.fixture(scope="module")
def vault(running: RunningManager, client: httpx2.Client) -> Iterator[str]:
    with listening_host(running, client):
        yield add_vault(client)


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second click may come late: machines of tests have much to do."""
    monkeypatch.setattr(sendings, "ANSWER_SECONDS", 600.0)


def form_at(visitor: Visitor, path: str) -> dict[str, str]:
    """What a browser sends of a form in which nobody has typed anything."""
    hidden = re.findall(
        r'<input type="hidden" name="(\w+)" value="([^"]*)">', visitor.get(path).text
    )
    return dict(hidden)


def made_by(answer: httpx2.Response) -> str:
    """The password that a page shows."""
    found = re.search(r'id="made"><code>([^<]+)<', answer.text)
    return found[1] if found else ""


def rotating(
    running: RunningManager, client: httpx2.Client, vault: str, whose: str, name: str
) -> tuple[Visitor, str, Any]:
    """Who gives somebody a new password, by which form, and whose it is."""
    made = Customer(client, name, vault)
    finished(client, client.put(made.path, json={"MayChangePassword": True}).json())
    ann = made.user_id("ann")
    if whose == "tenant":
        return signed_in(running), f"tenants/{made.id}/password", (CloudTenant, made.id)
    if whose == "user":
        return signed_in(running), f"tenants/{made.id}/users/{ann}/password", (Subtenant, ann)
    came = signed_in(running, name, SECRET, "portal")
    return came, f"users/{ann}/password", (Subtenant, ann)


def is_good(running: RunningManager, who: Any, password: str) -> bool:
    """Whether somebody may come in at gateways by a password."""
    with running.manager.reading() as work:
        found = work.session.get(*who)
        assert found is not None
        return passwords.is_good(found, password, work.now)


WHOSE = ["tenant", "user", "user at the portal"]


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize("whose", WHOSE)
def test_a_form_that_is_sent_twice_makes_one_password_and_the_old_one_stays_good(
    running: RunningManager, client: httpx2.Client, vault: str, whose: str
) -> None:
    came, path, who = rotating(running, client, vault, whose, f"twice-{WHOSE.index(whose)}")
    form = form_at(came, path)
    first, second = (came.http.post(path, data=form) for _ in range(2))
    assert made_by(first) == made_by(second) != ""
    assert is_good(running, who, made_by(first))
    assert is_good(running, who, SECRET), "tonight's backup has it"


@pytest.mark.parametrize("whose", WHOSE)
def test_a_password_is_replaced_by_no_form_of_before_it_was_made(
    running: RunningManager, client: httpx2.Client, vault: str, whose: str
) -> None:
    came, path, who = rotating(running, client, vault, whose, f"elsewhere-{WHOSE.index(whose)}")
    form = form_at(came, path)
    made = made_by(came.http.post(path, data=form))
    # As a manager sees it that was started since, or another one of the same database.
    again = came.http.post(path, data={**form, WORD: new_word()})
    assert again.status_code == 412
    assert "A new password was made since" in text_of(again.text)
    assert is_good(running, who, made)
    assert is_good(running, who, SECRET)
    assert made_by(came.http.post(path, data=form_at(came, path))), "who wants one more gets it"


def test_a_page_that_is_loaded_anew_later_says_that_it_was_done_and_shows_no_password(
    running: RunningManager, client: httpx2.Client, vault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sendings, "ANSWER_SECONDS", 0)
    came, path, who = rotating(running, client, vault, "tenant", "reloaded")
    form = form_at(came, path)
    made = made_by(came.http.post(path, data=form))
    again = came.http.post(path, data=form)
    assert again.status_code == 409
    assert "sent before, and is not done again. What was made then" in text_of(again.text)
    assert made not in again.text
    assert is_good(running, who, made)


@pytest.mark.usefixtures("slowly")
def test_one_token_is_made_by_a_form_that_is_sent_twice_and_another_by_what_else_is_typed(
    running: RunningManager,
) -> None:
    came = signed_in(running)
    typed = {"name": "scraper", "role": "Portal User", "days": "30"}
    form = {**form_at(came, "tokens/create"), **typed}
    first, second = (came.http.post("tokens/create", data=form) for _ in range(2))
    assert made_by(first) == made_by(second) != ""
    other = came.http.post("tokens/create", data={**form, "name": "other"})
    assert made_by(other) not in ("", made_by(first))
    assert len(re.findall(r"/revoke\"", came.get("tokens").text)) == 2


def test_each_form_has_a_word_but_that_to_sign_out() -> None:
    templates = Path(rendering.__file__).parent / "templates"
    found = "".join(each.read_text("utf-8") for each in templates.iterdir())
    carried = re.findall(r'name="token" value="{{ token }}">(<\w+)', found)
    assert sorted(carried) == ["<button", "<input"]


class Deed:
    """What a form says, which waits until it may be done; how often it was."""

    def __init__(self, result: Result | Exception = MADE) -> None:
        self.result, self.count, self.may = result, 0, asyncio.Event()

    async def do(self) -> Result:
        """Do it."""
        self.count += 1
        await self.may.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def form(word: str = "word", **typed: str) -> dict[str, list[str]]:
    return {WORD: [word], **{name: [value] for name, value in typed.items()}}


@pytest.mark.anyio
async def test_what_comes_while_it_is_done_waits_for_the_same_answer() -> None:
    sent, deed = Sendings(), Deed()
    both = [asyncio.ensure_future(sent.once("ann", "p", form(), deed.do)) for _ in range(2)]
    await asyncio.sleep(0)
    deed.may.set()
    assert await asyncio.gather(*both) == [MADE, MADE]
    assert deed.count == 1


@pytest.mark.anyio
async def test_whose_browser_has_hung_up_takes_the_answer_from_nobody_else() -> None:
    sent, deed = Sendings(), Deed()
    first, second, third = (
        asyncio.ensure_future(sent.once("ann", "p", form(), deed.do)) for _ in range(3)
    )
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    deed.may.set()
    assert (await first, await third, deed.count) == (MADE, MADE, 1)


@pytest.mark.anyio
async def test_what_was_broken_off_half_way_is_not_done_again() -> None:
    sent, deed = Sendings(), Deed()
    first, second = (
        asyncio.ensure_future(sent.once("ann", "p", form(), deed.do)) for _ in range(2)
    )
    await asyncio.sleep(0)
    first.cancel()
    assert await second is None
    assert (await sent.once("ann", "p", form(), deed.do), deed.count) == (None, 1)


@pytest.mark.parametrize(
    "refused",
    [RefusedError(404, "gone"), ResultPage(template="form.html", context={}, status=400)],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.anyio
async def test_what_was_refused_may_be_sent_again(refused: Result | Exception) -> None:
    sent, deed = Sendings(), Deed(refused)
    deed.may.set()
    for _ in range(2):
        sending = sent.once("ann", "p", form(), deed.do)
        (came_of_it,) = await asyncio.gather(sending, return_exceptions=True)
        assert came_of_it is refused
    assert deed.count == 2


@pytest.mark.parametrize(
    "other",
    [("bob", "p", form()), ("ann", "q", form()), ("ann", "p", form("another")),
     ("ann", "p", form(name="x")), ("ann", "p", {})],
    ids=["session", "form", "time it is shown", "words", "page of the release before"],
)  # fmt: skip
@pytest.mark.anyio
async def test_another_one_is_no_repetition(other: tuple[str, str, dict[str, list[str]]]) -> None:
    sent, deed = Sendings(), Deed(DONE)
    deed.may.set()
    await sent.once("ann", "p", form(), deed.do)
    await sent.once(*other, deed.do)
    assert deed.count == 2


@pytest.mark.anyio
async def test_so_many_are_remembered_and_no_session_drives_out_those_of_others() -> None:
    sent, deed = Sendings(), Deed(DONE)
    deed.may.set()
    await sent.once("ann", "p", form(), deed.do)
    for number in range(MOST + 1):
        await sent.once("bob", "p", form(str(number)), deed.do)
    assert len(sent._known) == MOST_EACH + 1
    done = deed.count
    assert await sent.once("ann", "p", form(), deed.do) == DONE
    assert deed.count == done
    for number in range(MOST + 1):
        await sent.once(f"session {number}", "p", form(), deed.do)
    assert len(sent._known) == MOST


@pytest.mark.anyio
async def test_after_its_time_nothing_is_known_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sent, deed = Sendings(), Deed(DONE)
    deed.may.set()
    monkeypatch.setattr(sendings, "KEPT_SECONDS", 0.0)
    await sent.once("ann", "p", form(), deed.do)
    await sent.once("ann", "q", form(), deed.do)
    assert len(sent._known) == 1


def test_of_a_form_that_led_on_it_is_said_later_that_it_was_sent_before(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sendings, "ANSWER_SECONDS", 0)
    came = signed_in(running)
    form = {**form_at(came, "repositories/create"), "name": "led-on", "endpoint": "led.example:1"}
    assert came.http.post("repositories/create", data=form).status_code == 303
    again = came.http.post("repositories/create", data=form)
    assert again.status_code == 409
    assert "sent before, and is not done again" in text_of(again.text)
