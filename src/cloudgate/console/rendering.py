"""Rendering: how do answers of the API become pages? By templates that escape what they show."""

import hashlib
from collections.abc import Iterator
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import ChainableUndefined, Environment, PackageLoader
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup
from starlette.responses import Response

from cloudgate import __version__
from cloudgate.console import declarations, texts
from cloudgate.console.api import Json
from cloudgate.console.languages import LANGUAGES, Language
from cloudgate.console.sendings import new_word
from cloudgate.values.units import MB

ASSETS = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "passkeys.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_TEXT = ["name", "lparen", "string", "rparen"]
"""How a text stands in a template."""


@cache
def asset(name: str) -> bytes:
    """What a page loads besides itself."""
    return files("cloudgate.console").joinpath("assets", name).read_bytes()


@cache
def asset_version() -> str:
    """Changes with what any of them holds, so that browsers may keep them for ever."""
    together = b"".join(asset(name) for name in ASSETS)
    return hashlib.sha256(together).hexdigest()[:12]


class _Translation(Extension):
    """Has texts in the page's language where a template is compiled, once: a page has hundreds."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Put what ``_('text')`` says in its place."""
        language: Any = self.environment.globals["language"]
        tokens, place = list(stream), 0
        while place < len(tokens):
            name, text = tokens[place], tokens[place + 2 : place + 3]
            kinds = [each.type for each in tokens[place : place + 4]]
            if kinds == _TEXT and name.value == "_":
                yield Token(name.lineno, "string", language.text(text[0].value))
                place += len(_TEXT)
            else:
                yield name
                place += 1


@cache
def _environment(language: Language) -> Environment:
    made = Environment(
        loader=PackageLoader("cloudgate.console"),
        autoescape=True,
        undefined=ChainableUndefined,  # the API leaves out what is not known
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", _Translation],
        auto_reload=False,
    )
    made.install_gettext_callables(language.text, language.catalogue.ngettext, newstyle=False)  # type: ignore[attr-defined]
    for figure in (texts.size, texts.count, texts.moment, texts.month, texts.day, texts.duration):
        made.filters[figure.__name__] = partial(figure, style=language.style)
    made.filters.update(qr=_qr, tone=texts.tone, id=declarations.id_of, at_port=texts.at_port)
    made.globals.update(
        percent=texts.percent,
        version=__version__,
        assets=asset_version,
        MB=MB,
        language=language,
        known_languages=tuple(LANGUAGES.values()),
        new_word=new_word,
    )
    made.tests["at_all"] = texts.is_at_all
    made.tests["over"] = texts.is_over
    made.globals["parts"] = made.get_template("parts.html").module
    return made


def _qr(text: str) -> Markup:
    """A QR code as part of a page."""
    import segno  # noqa: PLC0415  one page in a thousand needs it

    made = segno.make(text, error="m").svg_inline(scale=5, dark="black", light="white")
    return Markup(made)  # noqa: S704  drawn here, of squares alone


def rendered(template: str, context: Json, language: Language) -> str:
    """A whole page, as a text."""
    return _environment(language).get_template(template).render(context)


def page(template: str, context: Json, language: Language, status: int = 200) -> Response:
    """A whole page."""
    return Response(
        rendered(template, context, language),
        status,
        headers={"Content-Language": language.tag, "Vary": "Accept-Language, Cookie"},
        media_type="text/html",
    )


def live_part(template: str, context: Json, language: Language) -> str:
    """What of a page changes while one looks at it."""
    found = _environment(language).get_template(template)
    block: Any = found.blocks["live"]
    return "".join(block(found.new_context(context)))
