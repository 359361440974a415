"""Single sign-on pages: how does a browser go to the provider, and come back with a session?

What it has to bring along when it comes back is in a cookie of ten minutes: no other site can have
it complete what it did not begin. It is left behind once it was used.
"""

import base64
import re

from starlette.requests import Request
from starlette.responses import Response

from cloudgate.console import browser
from cloudgate.console.api import Answer, Api, Json, RefusedError
from cloudgate.console.texts import words as _

BEGIN, BACK = "sso/begin", "sso"
CALL = "/sessionMngr/sso"
COOKIE = "__Host-cloudgate-sso"
_SECONDS = 600
_OURS = {"sec-fetch-site": "same-origin"}
"""The provider's page led the browser here, and is foreign: the cookie says that it began here."""
_SAID = {"state": "State", "code": "Code", "error": "Error", "iss": "Issuer"}
"""What the provider leads back with: RFC 6749, 4.1.2; RFC 9207, 2."""
_PLAIN = re.compile(r"[A-Za-z0-9+/=]{1,4000}")
_LONGEST = 8000


async def offered(api: Api) -> Json | None:
    """The provider that one may sign in by; None for none."""
    found = await api.get_if_there(CALL)
    return found if found and found.get("Name") else None


async def begin(api: Api, wanted: str) -> Response:
    """Send the browser to the provider; it is to go on to the page `wanted` afterwards.

    Raises:
        RefusedError: the provider does not answer.
    """
    begun = (await api.ask("POST", CALL, None, _OURS)).body
    response = Response(status_code=303, headers={"Location": str(begun["Url"])})
    page = base64.urlsafe_b64encode(browser.inside(wanted).encode()).decode().rstrip("=")
    response.headers.append("Set-Cookie", _cookie(f"{begun['Kept']}.{page}", _SECONDS))
    return response


async def completed(api: Api, request: Request) -> tuple[Answer, str]:
    """The session of a browser that has come back, and the page to go on to.

    Raises:
        RefusedError: it may not come in.
    """
    kept, _dot, page = request.cookies.get(COOKIE, "").partition(".")
    if not _PLAIN.fullmatch(kept):
        raise RefusedError(
            401,
            _("This browser has not begun to sign in, or too long ago."),
            _("Begin anew, and have cookies allowed."),
        )
    said = {name: request.query_params.get(name, "")[:_LONGEST] for name in _SAID}
    spec = {_SAID[name]: value for name, value in said.items() if value}
    body = {"Kept": kept, "State": "", **spec}
    answer = await api.ask("POST", f"{CALL}?action=complete", body, _OURS)
    return answer, browser.inside(_page(page))


def forget() -> str:
    """The Set-Cookie by which it is left behind."""
    return _cookie("", 0)


def _cookie(value: str, seconds: int) -> str:
    return f"{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"


def _page(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        return ""
