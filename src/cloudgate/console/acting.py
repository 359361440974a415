"""Acting: how does a form become a call of the API, and its answer something to read?"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cloudgate.console.api import Answer, Json, RefusedError, SignedOutError, basic
from cloudgate.console.declarations import (
    Action,
    Field,
    Input,
    Offer,
    Visit,
    WrongInputError,
    filled,
)
from cloudgate.console.languages import LocalizedText
from cloudgate.console.texts import words as _

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
_PASSWORD_BYTES = 18
TAG = "etag"
"""The field of a form that says what the thing was like when it was filled in."""
_TAG = re.compile(r'"[A-Za-z0-9._-]{1,100}"')
_WRONG, _CHANGED = 400, 412
_CHOSEN = (Input.CHOICE, Input.SEVERAL)


@dataclass(frozen=True, kw_only=True)
class ResultPage:
    """A page that comes of it."""

    template: str
    context: Json
    status: int = 200


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """Where to go on, below the section."""

    to: str


async def form_page(
    action: Action, visit: Visit, problem: tuple[LocalizedText, ...] = (), status: int = 200
) -> ResultPage:
    """The form of an action, filled with what is so now, or with what was sent.

    Raises:
        RefusedError: the API does not show the thing that it is done to.
    """
    subject, tag = await _subject(action, visit)
    if visit.form and status != _CHANGED:
        tag = (visit.form.get(TAG) or [""])[-1]
    name = str(subject.get("Name") or "")
    return ResultPage(
        template="form.html",
        status=status,
        context={
            "action": action,
            "fields": [await _field(each, visit, subject) for each in action.fields],
            "subject": subject,
            "tag": tag,
            "problem": problem,
            "command": command_of(action, name),
            "request": filled(action.target, visit.path),
            "back": filled(action.back, visit.path),
        },
    )


async def _subject(action: Action, visit: Visit) -> tuple[Json, str]:
    """What it is done to, and the tag by which one sees later whether that is so still."""
    if not action.subject:
        return {}, ""
    path = filled(action.subject, visit.path)
    answer = await visit.api.ask("GET", path)
    is_edited = action.verb == "PUT" and action.target == action.subject.partition("?")[0]
    return action.pick(answer.body), answer.headers.get("etag", "") if is_edited else ""


async def act(action: Action, visit: Visit) -> ResultPage | Redirect:
    """Do it; the form again, with the reason, where it is refused.

    Raises:
        SignedOutError: the session has ended.
    """
    values = form_values(action, visit.form)
    made = ""
    if action.makes_password and "password" not in values:
        made = values["password"] = secrets.token_urlsafe(_PASSWORD_BYTES)
    missing = [each for each in action.fields if each.required and each.name not in values]
    if missing:
        told = visit.language.text(_("Fill in: %s")) % visit.language.text(missing[0].label)
        return await form_page(action, visit, (LocalizedText(text=told),), _WRONG)
    try:
        answer = await _call(action, visit, values)
    except RefusedError as problem:
        if isinstance(problem, SignedOutError) and not action.by_own_password:
            raise
        said = tuple(visit.language.translate(each) for each in problem.sentences)
        return await form_page(action, visit, said, problem.status)
    except WrongInputError as problem:
        told = problem.message_in(visit.language)
        return await form_page(action, visit, (LocalizedText(text=told),), _WRONG)
    except ValueError:  # a browser that sends what its form does not offer
        told = visit.language.text(_("That cannot be chosen here."))
        return await form_page(action, visit, (LocalizedText(text=told),), _WRONG)
    made = made or str(answer.body.get("NewPassword") or "")
    back = filled(action.back, visit.path)
    if action.shown or made:
        context = {
            "action": action,
            "answer": answer.body,
            "made": made,
            "name": values.get("name", ""),
            "task": answer.task,
            "back": back,
        }
        return ResultPage(template=action.shown or "once.html", context=context)
    return Redirect(to=f"tasks/{answer.task}" if answer.task and action.by_task else back)


async def _call(action: Action, visit: Visit, values: Mapping[str, str]) -> Answer:
    target = filled(action.target, visit.path)
    asked = urlencode(action.query(values))
    if asked:
        target += f"{'&' if '?' in target else '?'}{asked}"
    tag = (visit.form.get(TAG) or [""])[-1]
    condition = {"if-match": tag} if _TAG.fullmatch(tag) else {}
    if action.by_own_password:
        name = str((await visit.api.get(filled(action.subject, visit.path)))["Name"])
        condition |= {"authorization": basic(name, values["password"])}
    return await visit.api.ask(action.verb, target, action.body(visit, values), condition)


def form_values(action: Action, form: Mapping[str, list[str]]) -> dict[str, str]:
    """What a form was filled with. Blanks around a value do not count, but in passwords."""
    as_they_are = {each.name for each in action.fields if each.kind is Input.PASSWORD}
    known = {name: each[-1] for name, each in form.items() if each}
    values = {
        name: value if name in as_they_are else value.strip() for name, value in known.items()
    }
    return {name: value for name, value in values.items() if value}


def command_of(action: Action, name: str) -> str:
    """The command that does the same, with the name of the thing as a shell takes it."""
    quoted = name if _PLAIN.fullmatch(name) else "'" + name.replace("'", "'\\''") + "'"
    return action.command.replace("{Name}", quoted)


async def _field(said: Field, visit: Visit, subject: Json) -> Json:
    current = _as_list(said.value(subject) if callable(said.value) else said.value)
    is_own = isinstance(said.choices, tuple)
    offer = (
        Offer(said.choices)
        if isinstance(said.choices, tuple)
        else await said.choices(visit, current)
    )
    # Names of things are no words, but what stands for none of them is.
    text = visit.language.text
    shown = [(each, text(label) if is_own or not each else label) for each, label in offer.choices]
    if said.kind in _CHOSEN:
        # What is so now must not go by another field's change, though nobody knows its name.
        offered = {each for each, _label in shown}
        shown += [(each, each) for each in current if each and each not in offered]
    if said.kind is Input.PASSWORD:
        values: list[str] = []
    elif visit.form:
        values = visit.form.get(said.name) or []
    else:
        values = current
    return {"is": said, "choices": shown, "first": offer.first, "values": values}


def _as_list(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return [] if value is None else [str(value)]
