"""Portal: what can a tenant do in a browser? Change its password, where it is let."""

import base64

from starlette.requests import Request
from starlette.responses import Response

from cloudgate.console import forms
from cloudgate.console.api import Api, Json, RefusedError
from cloudgate.console.rendering import page
from cloudgate.console.texts import words as _

NAME = "portal"
"""The first part of the path."""
CALL = "/cloud/password"
_FOUND, _WRONG, _NOT_FOUND, _NO_SUCH_VERB, _TOO_LARGE = 200, 400, 404, 405, 413


async def respond(api: Api, request: Request, path: str) -> Response:
    """The answer to one request; there is no session, each form shows name and password."""
    if path:
        return _page(_NOT_FOUND, problem=_("There is no such page."))
    safe = await forms.came_over_tls(api)
    if request.method in ("GET", "HEAD"):
        return _page(_FOUND, safe=safe)
    if request.method != "POST" or not safe:
        return _page(
            _NO_SUCH_VERB, safe=safe, problem=_("Pages are looked at, and forms are sent.")
        )
    form = await forms.read_form(request, forms.STRANGERS_LIMIT_BYTES)
    if form is None:
        return _page(_TOO_LARGE, problem=_("That is more than a form may hold."))
    said = {name: values[-1] for name, values in form.items()}
    return await _change(api, said)


async def _change(api: Api, said: dict[str, str]) -> Response:
    name, new = said.get("name", "").strip(), said.get("password", "")
    if not name or not new:
        return _page(_WRONG, name=name, problem=_("Fill in all of it."))
    if new != said.get("again", ""):
        return _page(_WRONG, name=name, problem=_("The new password was typed in two ways."))
    shown = base64.b64encode(f"{name}:{said.get('current', '')}".encode()).decode()
    try:
        await api.ask("PUT", CALL, {"Password": new}, {"authorization": f"Basic {shown}"})
    except RefusedError as problem:
        text = f"{problem.message} {problem.advice}".strip()
        return _page(problem.status, name=name, problem=text)
    return _page(_FOUND, name=name, done=True)


def _page(
    status: int, *, safe: bool = True, name: str = "", problem: str = "", done: bool = False
) -> Response:
    context: Json = {
        "root": "./",
        "session": "",
        "page": None,
        "safe": safe,
        "name": name,
        "problem": problem,
        "done": done,
    }
    return Response(page("portal.html", context), status, media_type="text/html")
