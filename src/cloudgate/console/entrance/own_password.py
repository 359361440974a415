"""Own password page: how does a tenant change its password in a browser, without a session?"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from cloudgate.console import forms
from cloudgate.console.api import Api, Json, RefusedError, basic
from cloudgate.console.brand import Brand
from cloudgate.console.languages import Language, LocalizedText
from cloudgate.console.rendering import page
from cloudgate.console.texts import words as _

CALL = "/cloud/password"
_FOUND, _WRONG, _NO_SUCH_VERB, _TOO_LARGE = 200, 400, 405, 413


async def respond(api: Api, request: Request, brand: Brand, language: Language) -> Response:
    """The answer to one request; there is no session, each form shows name and password."""
    safe, shown = await forms.came_over_tls(api), _Page(brand, language)
    if request.method in ("GET", "HEAD"):
        return shown.respond(_FOUND, safe=safe)
    if request.method != "POST" or not safe:
        told = _("Pages are looked at, and forms are sent.")
        return shown.respond(_NO_SUCH_VERB, told, safe=safe)
    form = await forms.read_form(request, forms.STRANGERS_LIMIT_BYTES)
    if form is None:
        return shown.respond(_TOO_LARGE, _("That is more than a form may hold."))
    return await _change(shown, api, {name: values[-1] for name, values in form.items()})


async def _change(shown: "_Page", api: Api, said: dict[str, str]) -> Response:
    name, new = said.get("name", "").strip(), said.get("password", "")
    if not name or not new:
        return shown.respond(_WRONG, _("Fill in all of it."), name=name)
    if new != said.get("again", ""):
        return shown.respond(_WRONG, _("The new password was typed in two ways."), name=name)
    known = {"authorization": basic(name, said.get("current", ""))}
    try:
        await api.ask("PUT", CALL, {"Password": new}, known)
    except RefusedError as problem:
        return shown.respond(problem.status, *problem.sentences, name=name)
    return shown.respond(_FOUND, name=name, done=True)


@dataclass(frozen=True)
class _Page:
    """The page, as it is dressed."""

    brand: Brand
    language: Language

    def respond(
        self, status: int, *problem: str, safe: bool = True, name: str = "", done: bool = False
    ) -> Response:
        """The page as an answer; `problem` is what went wrong, in sentences."""
        told: tuple[LocalizedText, ...] = tuple(self.language.translate(each) for each in problem)
        context: Json = {
            "root": "./",
            "path": "password",
            "session": "",
            "page": None,
            "brand": self.brand,
            "safe": safe,
            "name": name,
            "problem": told,
            "done": done,
        }
        return page("own_password.html", context, self.language, status)
