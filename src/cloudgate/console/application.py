"""Console application: how does a browser's request become a page? A part of the API's port."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import parse_qs, quote, urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from cloudgate.console import browser, forms
from cloudgate.console.acting import (
    OF_ANOTHER_SESSION,
    Redirect,
    act,
    form_again,
    form_page,
    sent_before,
)
from cloudgate.console.api import Answer, Api, Json, RefusedError, SignedOutError
from cloudgate.console.brand import Brand
from cloudgate.console.declarations import Action, Page, Visit
from cloudgate.console.entrance import own_password, passkeys, single_sign_on
from cloudgate.console.languages import CHOOSE, COOKIE, LANGUAGES, Language, keep, language_of
from cloudgate.console.operator.site_map import CONSOLE
from cloudgate.console.rendering import ASSETS, asset, asset_version, live_part, page
from cloudgate.console.section import Refusals, Rights, Section
from cloudgate.console.sendings import Sendings
from cloudgate.console.stream import Streams, event, only, refusal
from cloudgate.console.tenant.site_map import PORTAL
from cloudgate.console.texts import words as _

SECTIONS: Mapping[str, Section] = {each.name: each for each in (CONSOLE, PORTAL)}
SIGN_IN, SIGN_OUT, EVENTS, ASSETS_BELOW = "sign-in", "sign-out", "events", "assets/"
_FOR_EVER = "public, max-age=31536000, immutable"
_BY_PROVIDER = (single_sign_on.BEGIN, single_sign_on.BACK)
_FORBIDDEN, _NOT_FOUND, _NO_SUCH_VERB, _TOO_LARGE = 403, 404, 405, 413


class Console:
    """Answers what is asked for below the paths of its sections."""

    def __init__(
        self,
        api: ASGIApp,
        clock: Callable[[], datetime],
        brand: Brand | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        """Serve pages.

        Args:
            api: the application that answers at ``/api``.
            clock: that of the manager.
            brand: what tenants see.
            refusals: what who is signed in may not do; None has each call tell it.
        """
        self._api = api
        self._clock = clock
        self._brand = brand or Brand()
        self._refusals = refusals
        self._streams = {name: Streams() for name in SECTIONS}
        self._sendings = {name: Sendings() for name in SECTIONS}

    def stop(self) -> None:
        """Let nobody wait any more."""
        for each in self._streams.values():
            each.stop()

    @staticmethod
    def is_one(first: str) -> bool:
        """Whether the first part of a path is that of a section."""
        return first in SECTIONS

    @staticmethod
    def way_in(request: Request) -> Response | None:
        """Where a person's browser is led that comes to the manager's own address."""
        if request.method != "GET" or not browser.wants_a_page(request.headers.get("accept", "")):
            return None
        return _to(f"{CONSOLE.name}/")

    async def respond(self, request: Request, first: str, rest: str) -> Response:
        """The answer to one request; `rest` is what follows the section's name in the path."""
        path = rest.removeprefix("/")
        if path.startswith(ASSETS_BELOW):
            brand = self._brand_of(SECTIONS[first])
            return _asset(request, path.removeprefix(ASSETS_BELOW), brand)
        if not rest:
            response = _to(f"{first}/")
        else:
            response = await self._of(SECTIONS[first], request, path)
        for name, value in browser.HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _brand_of(self, section: Section) -> Brand:
        is_dressed = section.has_brand or self._brand.is_for_console
        return self._brand if is_dressed else Brand()

    async def _of(self, section: Section, request: Request, path: str) -> Response:
        brand = self._brand_of(section)
        accepted = request.headers.get("accept-language", "")
        language = language_of(request.cookies.get(COOKIE, ""), accepted)
        if path == CHOOSE and request.method == "POST":
            return await _choose(request)
        if path and path == section.own_password:
            return await own_password.respond(Api(self._api, request, ""), request, brand, language)
        api = Api(self._api, request, request.cookies.get(section.cookie.name, ""))
        streams = self._streams[section.name]
        sendings = self._sendings[section.name]
        asked = _Request(
            api, self._clock, streams, sendings, section, brand, language, request, path
        )
        if section.has_roles and api.session and self._refusals:
            refusal = await self._refusals(request, api.session)
            asked.rights = Rights(section, refusal) if refusal else asked.rights
        return await asked.respond()


@dataclass
class _Request:
    """One request for a page of a section."""

    api: Api
    clock: Callable[[], datetime]
    streams: Streams
    sendings: Sendings
    section: Section
    brand: Brand
    language: Language
    request: Request
    path: str
    """Below the section."""
    form: dict[str, list[str]] = field(default_factory=dict)
    rights: Rights = field(init=False)

    def __post_init__(self) -> None:
        """Until more is known, the API says of each call whether it may be made."""
        self.rights = Rights(self.section)

    async def respond(self) -> Response:
        """Every answer, also when the API refuses."""
        try:
            if self.request.method in ("GET", "HEAD"):
                return await self._shown()
            if self.request.method == "POST":
                return await self._sent()
        except SignedOutError:
            return self._to_sign_in()
        except RefusedError as problem:
            return self._problem(problem.status, *problem.sentences)
        return self._problem(_NO_SUCH_VERB, _("Pages are looked at, and forms are sent."))

    async def _shown(self) -> Response:
        if self.path == SIGN_IN:
            return await self._sign_in_page()
        if self.section.has_providers and self.path in _BY_PROVIDER:
            return await self._by_provider()
        if self.path == EVENTS:
            return StreamingResponse(
                await self._events(),
                media_type="text/event-stream",
                headers={"X-Accel-Buffering": "no"},
            )
        if not self.api.session:
            return self._to_sign_in()
        found = self.section.match(self.path)
        if found is None:
            return self._problem(_NOT_FOUND, _("There is no such page."))
        return await self._of(*found)

    async def _of(self, is_of: Page | Action, variables: Mapping[str, str]) -> Response:
        asked = dict(self.request.query_params)
        visit = self._visit(variables, asked)
        if isinstance(is_of, Action):
            self.rights.check(is_of)
            form = await form_page(is_of, visit)
            return self._page(form.template, form.context)
        shown = await is_of.load(visit)
        if "download" in shown:
            return _download(shown)
        return self._page(is_of.template, {**shown, "page": is_of}, here=is_of.section)

    async def _sent(self) -> Response:
        limit = forms.LIMIT_BYTES if self.api.session else forms.STRANGERS_LIMIT_BYTES
        form = await forms.read_form(self.request, limit)
        if form is None:
            return self._problem(_TOO_LARGE, _("That is more than a form may hold."))
        self.form = form
        if self.path == SIGN_IN:
            return await self._sign_in()
        if not self.api.session:
            return self._to_sign_in()
        if not browser.is_token_of(self.api.session, self._value(browser.TOKEN)):
            return await self._of_another_session()
        return await (self._sign_out() if self.path == SIGN_OUT else self._act())

    async def _of_another_session(self) -> Response:
        """Nothing is done; what was filled in before somebody signed in anew is there to be sent.

        Nothing is filled in of what another site sends: whoever reads it would take it for theirs.
        """
        found = self.section.match(self.path)
        site = self.request.headers.get("sec-fetch-site", "")
        if site == browser.FROM_HERE and found is not None and isinstance(found[0], Action):
            self.rights.check(found[0])
            again = await form_again(found[0], self._visit(found[1], {}))
            return self._page(again.template, again.context, status=again.status)
        return self._problem(
            _FORBIDDEN,
            OF_ANOTHER_SESSION,
            _("Go back, load the page again, and send it once more."),
        )

    async def _act(self) -> Response:
        found = self.section.match(self.path)
        if found is None or not isinstance(found[0], Action):
            return self._problem(_NOT_FOUND, _("There is no such form."))
        action, visit = found[0], self._visit(found[1], {})
        sent = self.api.session, self.path, self.form
        came_of_it = await self.sendings.once(*sent, lambda: act(action, visit))
        done = came_of_it or sent_before(action, visit)
        if isinstance(done, Redirect):
            return _to(self._root + done.to)
        host = self.request.headers.get("host", "")
        return self._page(done.template, {**done.context, "host": host}, status=done.status)

    async def _by_provider(self) -> Response:
        """The way to the provider, or back from it. What fails is said where one signs in."""
        self.api.session = ""
        asked = self.request.query_params
        try:
            if not await forms.came_over_tls(self.api):
                return await self._sign_in_page(status=_FORBIDDEN)
            if self.path == single_sign_on.BEGIN:
                return await single_sign_on.begin(self.api, asked.get("next", ""))
            begun, page = await single_sign_on.completed(self.api, self.request)
        except RefusedError as problem:
            response = await self._sign_in_page(problem.sentences, problem.status)
        else:
            response = self._signed_in(begun, page)
        response.headers.append("Set-Cookie", single_sign_on.forget())
        return response

    def _signed_in(self, begun: Answer, page: str) -> Response:
        response = _to(browser.inside(page) or "./")
        session = begun.headers.get("x-restsvcsessionid", "")
        response.headers.append("Set-Cookie", self.section.cookie.keep(session))
        return response

    async def _sign_in_page(self, problem: tuple[str, ...] = (), status: int = 200) -> Response:
        wanted = self.request.query_params.get("next") or self._value("next")
        context = {
            "problem": [self.language.translate(each) for each in problem],
            "safe": await forms.came_over_tls(self.api),
            "name": self._value("name"),
            "next": browser.inside(wanted),
            "signed_out": "out" in self.request.query_params,
            "provider": None,
            "passkey": None,
        }
        if self.section.has_providers:
            context["provider"] = await single_sign_on.offered(self.api)
            context["passkey"] = await passkeys.challenge(self.api)
        return self._page("sign_in.html", context, status=status)

    async def _sign_in(self) -> Response:
        if not await forms.came_over_tls(self.api):
            return await self._sign_in_page(status=_FORBIDDEN)
        try:
            begun = await self._begun()
        except RefusedError as problem:
            return await self._sign_in_page(self._why_not(problem), problem.status)
        return self._signed_in(begun, self._value("next"))

    def _why_not(self, problem: RefusedError) -> tuple[str, ...]:
        """The API's words, but for how programs show a code."""
        if isinstance(problem, SignedOutError) and self.section.has_providers:
            more = _("Where the account has a second factor, its code or passkey is needed, too.")
            return (problem.message, more)
        return problem.sentences

    async def _begun(self) -> Answer:
        """A session, by a passkey alone or by name and password, with or without more beside."""
        kept, credential = self._value("kept"), self._value("credential")
        if credential and not self._value("name") and self.section.has_providers:
            return await passkeys.sign_in(self.api, kept, credential)
        typed = self._value("code").encode("ascii", "replace").decode().strip()[:100]
        self.api.code = passkeys.code_of(kept, credential) if credential else typed
        return await self.section.sign_in(self.api, self._value("name"), self._value("password"))

    async def _sign_out(self) -> Response:
        await self.section.sign_out(self.api)
        response = _to(f"{SIGN_IN}?out")
        response.headers.append("Set-Cookie", self.section.cookie.forget())
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    def _to_sign_in(self) -> Response:
        asked, found = self.request.url.query, self.section.match(self.path)
        where = self.path + (f"?{asked}" if asked else "")
        is_form = found is not None and isinstance(found[0], Action)
        # A form that was sent is led back to: it is a page, too.
        back = browser.inside(where) if self.request.method == "GET" or is_form else ""
        next_ = f"?{urlencode({'next': back})}" if back else ""
        response = _to(f"{self._root}{SIGN_IN}{next_}")
        if self.api.session:
            response.headers.append("Set-Cookie", self.section.cookie.forget())
        return response

    async def _events(self) -> AsyncIterator[str]:
        """The news of a page; where there are none, why."""
        path, _sep, query = self.request.query_params.get("page", "").partition("?")
        found = self.section.match(path)
        if found is None or not isinstance(found[0], Page) or not found[0].live:
            return self._gone(_("There is nothing live at that page."))
        if not self.api.session:
            return only(event("signed-out"))
        try:
            whose = await self.section.whose(self.api) if self.section.whose else ""
        except RefusedError as problem:
            return only(refusal(problem))
        if not self.streams.has_room(self.api.session, whose):
            said = _("Too many pages are open; this one shows no news.")
            return only(event("full", self.language.text(said)))
        shown, variables = found[0], found[1]
        asked = {name: values[-1] for name, values in parse_qs(query).items()}

        async def render() -> str:
            visit = replace(self._visit(variables, asked), is_news=True)
            known = {
                "now": visit.now,
                "page": shown,
                "root": _root_of(path),
                "may": self.rights.may,
            }
            context = {**await shown.load(visit), **known}
            return live_part(shown.template, context, self.language)

        return self.streams.events(render, self.api.session, whose)

    def _gone(self, why: str) -> AsyncIterator[str]:
        return only(event("gone", self.language.text(why)))

    def _visit(self, variables: Mapping[str, str], asked: Mapping[str, str]) -> Visit:
        return Visit(
            api=self.api,
            now=self.clock(),
            path=variables,
            query=asked,
            form=self.form,
            language=self.language,
        )

    @property
    def _root(self) -> str:
        return _root_of(self.path)

    def _value(self, name: str) -> str:
        return (self.form.get(name) or [""])[-1]

    def _page(self, template: str, context: Json, *, status: int = 200, here: str = "") -> Response:
        asked, session = self.request.url.query, self.api.session
        whole = {
            "section": self.section,
            "navigation": self.rights.navigation,
            "may": self.rights.may,
            "brand": self.brand,
            "here": (here or self.path).partition("/")[0],
            "root": self._root,
            "session": session,
            "token": browser.form_token(session) if session else "",
            "path": self.path + (f"?{asked}" if asked else ""),
            "page": None,
            "now": self.clock(),
            **context,
        }
        return page(template, whole, self.language, status)

    def _problem(self, status: int, *sentences: str) -> Response:
        problem = [self.language.translate(each) for each in sentences]
        context = {"status": status, "problem": problem}
        return self._page("problem.html", context, status=status)


async def _choose(request: Request) -> Response:
    """Keep the language that a reader has chosen, and lead back to where it was chosen."""
    form = await forms.read_form(request, forms.STRANGERS_LIMIT_BYTES) or {}
    language = LANGUAGES.get((form.get(CHOOSE) or [""])[-1])
    response = _to(browser.inside((form.get("back") or [""])[-1]) or "./")
    if language and not browser.is_from_elsewhere(request.headers.get("sec-fetch-site", "")):
        response.headers.append("Set-Cookie", keep(language))
    return response


def _root_of(path: str) -> str:
    """The way from a page to the beginning of its section; wherever a proxy has put that."""
    return "../" * path.count("/") or "./"


def _to(where: str) -> Response:
    return Response(status_code=303, headers={"Location": quote(where, safe="/?=&%+.:~-_")})


def _asset(request: Request, path: str, brand: Brand) -> Response:
    version, _sep, name = path.partition("/")
    own = brand.part(name)
    found = (asset(name), ASSETS[name]) if name in ASSETS else own
    if found is None or request.method not in ("GET", "HEAD"):
        return Response("There is nothing here.\n", _NOT_FOUND, media_type="text/plain")
    content, kind = found
    kept = _FOR_EVER if version == (brand.version if own else asset_version()) else "no-store"
    headers = {**browser.HEADERS, "Cache-Control": kept, "Content-Type": kind}
    return Response(content, headers=headers)


def _download(shown: Json) -> Response:
    disposition = f'attachment; filename="{shown["file"]}"'
    headers = {"Content-Type": shown["media_type"], "Content-Disposition": disposition}
    content: str | AsyncIterator[str] = shown["download"]
    if isinstance(content, str):
        return Response(content, headers=headers)
    return StreamingResponse(content, headers=headers)
