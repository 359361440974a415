"""Browser rules: what may a browser load, keep, and say who it is by? Pure.

Sessions are those of the REST API. Their token is in a cookie that no script reads, no other site
sends with a form, and no plain HTTP carries (RFC 6265bis, 4.1.3.2: ``__Host-``).
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

SESSION_SECONDS = 12 * 3600
"""How long a browser keeps the cookie at most; the API ends sessions that nobody uses before."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every page. Nothing is kept: what is on it is gone when its reader has signed out."""
TOKEN = "token"  # noqa: S105  the name of a field
_TOKEN_FOR = b"cloudgate form"
_INSIDE = re.compile(r"[a-z][a-z0-9-]*(?:/[A-Za-z0-9-]+)*(?:\?[A-Za-z0-9=&%+._-]*)?")


@dataclass(frozen=True)
class Cookie:
    """The cookie that says who uses one of the two: the console, or the portal."""

    name: str

    def keep(self, session: str) -> str:
        """The Set-Cookie of a session that has begun."""
        return (
            f"{self.name}={session}; Path=/; Secure; HttpOnly; SameSite=Lax;"
            f" Max-Age={SESSION_SECONDS}"
        )

    def forget(self) -> str:
        """The Set-Cookie of one that has ended."""
        return f"{self.name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


FROM_HERE = "same-origin"
"""Sec-Fetch-Site of what a page of the manager's own sends."""


def form_token(session: str) -> str:
    """What each form of a session carries. It tells nothing of the session, and needs no memory."""
    made = hmac.digest(session.encode(), _TOKEN_FOR, hashlib.sha256)
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def is_token_of(session: str, shown: str) -> bool:
    """Whether a form is one of this session's."""
    return hmac.compare_digest(form_token(session).encode(), shown.encode())


def inside(wanted: str) -> str:
    """Where to go after signing in: a page of the console, and nothing that leads out of it."""
    return wanted if _INSIDE.fullmatch(wanted) else ""


def wants_a_page(accept: str) -> bool:
    """Whether it is a person's browser that asks: programs that use the API never name HTML."""
    kinds = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    return "text/html" in kinds


def is_from_elsewhere(site: str) -> bool:
    """Whether a page of another site sends it, by Sec-Fetch-Site; old browsers say none."""
    return site not in ("", "none", FROM_HERE)
