"""Own password page: how does a tenant change its password in a browser, without a session?"""

import base64

from starlette.requests import Request
from starlette.responses import Response

from cloudgate.console import forms
from cloudgate.console.api import Api, Json, RefusedError
from cloudgate.console.brand import Brand
from cloudgate.console.rendering import page
from cloudgate.console.texts import words as _

CALL = "/cloud/password"
_FOUND, _WRONG, _NO_SUCH_VERB, _TOO_LARGE = 200, 400, 405, 413


async def respond(api: Api, request: Request, brand: Brand) -> Response:
    """The answer to one request; there is no session, each form shows name and password."""
    safe = await forms.came_over_tls(api)
    if request.method in ("GET", "HEAD"):
        return _page(brand, _FOUND, safe=safe)
    if request.method != "POST" or not safe:
        told = _("Pages are looked at, and forms are sent.")
        return _page(brand, _NO_SUCH_VERB, safe=safe, problem=told)
    form = await forms.read_form(request, forms.STRANGERS_LIMIT_BYTES)
    if form is None:
        return _page(brand, _TOO_LARGE, problem=_("That is more than a form may hold."))
    said = {name: values[-1] for name, values in form.items()}
    return await _change(brand, api, said)


async def _change(brand: Brand, api: Api, said: dict[str, str]) -> Response:
    name, new = said.get("name", "").strip(), said.get("password", "")
    if not name or not new:
        return _page(brand, _WRONG, name=name, problem=_("Fill in all of it."))
    if new != said.get("again", ""):
        return _page(brand, _WRONG, name=name, problem=_("The new password was typed in two ways."))
    shown = base64.b64encode(f"{name}:{said.get('current', '')}".encode()).decode()
    try:
        await api.ask("PUT", CALL, {"Password": new}, {"authorization": f"Basic {shown}"})
    except RefusedError as problem:
        text = f"{problem.message} {problem.advice}".strip()
        return _page(brand, problem.status, name=name, problem=text)
    return _page(brand, _FOUND, name=name, done=True)


def _page(
    brand: Brand,
    status: int,
    *,
    safe: bool = True,
    name: str = "",
    problem: str = "",
    done: bool = False,
) -> Response:
    context: Json = {
        "root": "./",
        "session": "",
        "page": None,
        "brand": brand,
        "safe": safe,
        "name": name,
        "problem": problem,
        "done": done,
    }
    return Response(page("own_password.html", context), status, media_type="text/html")
