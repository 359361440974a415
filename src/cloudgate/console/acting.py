"""Acting: how does a form become a call of the API, and its answer something to read?"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
OF_ANOTHER_SESSION = _("This form is not from a page of this session.")
REPLACED = "replaced"
"""The field of a form that says until when an old password was good when it was shown."""
_OLD_PASSWORD_UNTIL = "OldPasswordExpirationDate"  # noqa: S105  the name of an element
_WRONG, _FORBIDDEN, _SENT_BEFORE, _CHANGED = 400, 403, 409, 412
_CHOSEN = (Input.CHOICE, Input.SEVERAL)
_NOT_SENT_WHEN_EMPTY = (Input.YES, Input.SEVERAL)
"""What a browser says nothing of where nothing is chosen."""


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
    replaced = _replaced(subject)
    if visit.form and status != _CHANGED:
        tag = (visit.form.get(TAG) or [""])[-1]
        replaced = (visit.form.get(REPLACED) or [replaced])[-1]
    name = str(subject.get("Name") or "")
    return ResultPage(
        template="form.html",
        status=status,
        context={
            "action": action,
            "fields": [await _field(each, visit, subject) for each in action.fields],
            "subject": subject,
            "tag": tag,
            "replaced": replaced if action.rotates else None,
            "problem": problem,
            "command": command_of(action, name),
            "request": filled(action.target, visit.path),
            "back": filled(action.back, visit.path),
        },
    )


async def form_again(action: Action, visit: Visit) -> ResultPage:
    """The form with what was sent from a page of another session: nothing of it is done.

    Raises:
        RefusedError: the API does not show the thing that it would be done to.
    """
    said = [OF_ANOTHER_SESSION, _("Nothing was done. Look through it, and send it once more.")]
    if any(each.kind is Input.PASSWORD for each in action.fields):
        said.append(_("Passwords have to be typed again."))
    problem = tuple(visit.language.translate(each) for each in said)
    return await form_page(action, visit, problem, _FORBIDDEN)


def sent_before(action: Action, visit: Visit) -> ResultPage:
    """What is said to a form that was sent before, when what came of it is not known any more."""
    context = {"action": action, "back": filled(action.back, visit.path)}
    return ResultPage(template="sent_before.html", context=context, status=_SENT_BEFORE)


def _replaced(subject: Json) -> str:
    """Until when the old password of somebody is good: another time with each new password."""
    return str(subject.get(_OLD_PASSWORD_UNTIL) or "")


async def _see_that_none_was_replaced(action: Action, visit: Visit) -> None:
    """The password of now is not one that this very form, or another one, has made meanwhile.

    The old password beside it, which tonight's backup has, would be good no more.

    Raises:
        RefusedError: it is.
    """
    if not action.rotates or REPLACED not in visit.form:
        return
    found = _replaced((await _subject(action, visit))[0])
    if found and found != visit.form[REPLACED][-1]:
        raise RefusedError(
            _CHANGED,
            _("A new password was made since this form was shown, and nothing was done now."),
            _("With one more, the old password that is still good is good no more."),
        )


async def _subject(action: Action, visit: Visit) -> tuple[Json, str]:
    """What it is done to, and the tag by which one sees later whether that is so still."""
    if not action.subject:
        return {}, ""
    path = filled(action.subject, visit.path)
    answer = await visit.api.ask("GET", path)
    is_edited = action.verb == "PUT" and action.target == action.subject.partition("?")[0]
    return action.pick(visit, answer.body), answer.headers.get("etag", "") if is_edited else ""


async def act(action: Action, visit: Visit) -> ResultPage | Redirect:
    """Do it; the form again, with the reason, where it is refused.

    Raises:
        SignedOutError: the session has ended.
    """
    values = form_values(action, visit.form)
    made = ""
    if action.makes_password and "password" not in values:
        made = values["password"] = secrets.token_urlsafe(_PASSWORD_BYTES)
    try:
        for each in action.fields:
            if each.required and each.name not in values:
                raise _missing(each)
        await _see_that_none_was_replaced(action, visit)
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
    said = await _request_body(action, visit, values)
    return await visit.api.ask(action.verb, target, said, condition)


async def _request_body(action: Action, visit: Visit, values: Mapping[str, str]) -> Json | None:
    if not action.edits and not action.keeps:
        return action.body(visit, values)
    subject, _tag = await _subject(action, visit)
    if action.edits:
        return changes(action, visit, subject)
    return _with_what_stays(action, action.body(visit, values) or {}, subject)


def changes(action: Action, visit: Visit, subject: Json) -> Json:
    """What an action that edits says of a subject: what was touched in the form, and nothing else.

    Raises:
        WrongInputError: a field holds what it does not take, or was emptied and means nothing then.
    """
    shown = as_shown(action, subject)
    # What a browser has not sent, nobody has touched.
    left = {
        each.name: shown.get(each.name, [])
        for each in action.fields
        if each.name not in visit.form and each.kind not in _NOT_SENT_WHEN_EMPTY
    }
    sent = {**visit.form, **left}
    before, after = (_body_of(action, visit, each) for each in (shown, sent))
    for each in action.fields:
        is_emptied = _is_filled(shown, each) and not _is_filled(sent, each)
        if is_emptied and each.kind not in _NOT_SENT_WHEN_EMPTY:
            filled_in = _body_of(action, visit, {**sent, each.name: shown[each.name]})
            if filled_in.keys() > after.keys() and filled_in == {**filled_in, **after}:
                raise _missing(each)
    changed = {name for name in after if name not in before or before[name] != after[name]}
    for group in action.together:
        changed |= group if changed & group else set()
    return {name: value for name, value in after.items() if name in changed}


def _with_what_stays(action: Action, said: Json, subject: Json) -> Json:
    for name, parts in action.keeps.items():
        known = subject.get(name) or {}
        if known.get("Method") == said[name].get("Method"):
            kept = {part: known[part] for part in parts if known.get(part)}
            said = {**said, name: {**kept, **said[name]}}
    return said


def as_shown(action: Action, subject: Json) -> dict[str, list[str]]:
    """What a browser sends of the form of an action in which nobody touches anything."""
    found = {}
    for each in action.fields:
        current = [] if each.kind is Input.PASSWORD else _current(each, subject)
        first = current[0] if current else ""
        if each.kind is Input.CHOICE and not first and isinstance(each.choices, tuple):
            first = each.choices[0][0]
        elif each.kind not in (Input.LONG, Input.CHOICE):
            first = re.sub(r"[\r\n]", "", first)
        found[each.name] = current if each.kind is Input.SEVERAL else [first]
    return found


def _body_of(action: Action, visit: Visit, form: Mapping[str, list[str]]) -> Json:
    several = {each.name for each in action.fields if each.kind is Input.SEVERAL}
    ordered = {name: sorted(each) if name in several else each for name, each in form.items()}
    return action.body(replace(visit, form=ordered), form_values(action, ordered)) or {}


def _is_filled(form: Mapping[str, list[str]], field: Field) -> bool:
    return any(each.strip() for each in form.get(field.name, ()))


def _missing(field: Field) -> WrongInputError:
    return WrongInputError(_("Fill in: %(label)s"), label=field.label)


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
    current = _current(said, subject)
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


def _current(said: Field, subject: Json) -> list[str]:
    """What a field is filled with to begin with."""
    return _as_list(said.value(subject) if callable(said.value) else said.value)


def _as_list(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return [] if value is None else [str(value)]
