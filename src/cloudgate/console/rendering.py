"""Rendering: how do answers of the API become pages? By templates that escape what they show."""

import hashlib
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup
from starlette.responses import Response

from cloudgate import __version__
from cloudgate.console import declarations, texts
from cloudgate.console.api import Json
from cloudgate.console.languages import LANGUAGES, Language

ASSETS = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "passkeys.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@cache
def asset(name: str) -> bytes:
    """What a page loads besides itself."""
    return files("cloudgate.console").joinpath("assets", name).read_bytes()


@cache
def asset_version() -> str:
    """Changes with what any of them holds, so that browsers may keep them for ever."""
    together = b"".join(asset(name) for name in ASSETS)
    return hashlib.sha256(together).hexdigest()[:12]


@cache
def _environment(language: Language) -> Environment:
    made = Environment(
        loader=PackageLoader("cloudgate.console"),
        autoescape=True,
        undefined=ChainableUndefined,  # the API leaves out what is not known
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    made.install_gettext_callables(language.text, language.catalogue.ngettext, newstyle=False)  # type: ignore[attr-defined]
    for figure in (texts.size, texts.count, texts.moment, texts.month, texts.day, texts.duration):
        made.filters[figure.__name__] = partial(figure, style=language.style)
    made.filters.update(qr=_qr, tone=texts.tone, id=declarations.id_of)
    made.globals.update(
        percent=texts.percent,
        version=__version__,
        assets=asset_version,
        MB=texts.MB,
        language=language,
        known_languages=tuple(LANGUAGES.values()),
    )
    made.tests["at_all"] = texts.is_at_all
    made.tests["over"] = lambda text: texts.is_over(text, datetime.now(UTC))
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
