"""Verification: how is it seen that who answers is the manager, and what is said when it is not?"""

import ipaddress
import re
import ssl
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2

from cloudgate.client.core.conversation import MessageTerms
from cloudgate.client.core.exchange import Reply, Request
from cloudgate.client.core.retries import UnreachedError, UntrustedError
from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.network.api_headers import CODE, SESSION_ID
from cloudgate.trust.certificate_roles import WrongRoleError, client_context, only_a_manager
from cloudgate.trust.pinned_authority import AnotherAuthorityError, pinned_authority

TIMEOUT_SECONDS = 30.0
AUTHORITY_PATH = "/host/v1/authority"
"""Where a manager shows its certificate authority to everybody, outside of ``/api``."""
_DIGITS = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Trust:
    """Whom to take for the manager: what an authority has signed; the system's if none is said."""

    ca: Path | None = None
    """File with the manager's certificate authority, in PEM."""
    fingerprint: str | None = None
    """SHA-256 of that authority in hexadecimal digits: it is asked for, and compared."""

    def pin(self) -> str | None:
        """The fingerprint in the form that `check_authority` compares.

        Raises:
            InvalidRequestError: it is none.
        """
        if self.fingerprint is None:
            return None
        digits = self.fingerprint.replace(":", "").strip().lower()
        if not _DIGITS.fullmatch(digits):
            raise InvalidRequestError("A fingerprint is a SHA-256 of 64 hexadecimal digits.")
        return digits

    def context(self, authority: str | None = None) -> ssl.SSLContext:
        """What verifies a connection. `authority`: in PEM, once its fingerprint was compared.

        Raises:
            InvalidRequestError: the file cannot be used.
        """
        try:
            return client_context(only_a_manager, file=self.ca, pem=authority)
        except ssl.SSLError:
            raise InvalidRequestError(f"{self.ca} holds no certificates in PEM format.") from None
        except OSError as problem:
            raise InvalidRequestError(f"Cannot read {self.ca}: {problem.strerror}.") from None


def unverified_context() -> ssl.SSLContext:
    """For asking whoever answers for an authority that is compared then, and for nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def check_authority(url: str, pem: str, pin: str) -> str:
    """The authority that somebody has shown, if it is the one that is meant, and nothing beside it.

    Raises:
        UntrustedError: it is not.
    """
    try:
        return pinned_authority(pem, pin)
    except AnotherAuthorityError as problem:
        raise UntrustedError(
            f"The manager at {url} is not the one that is meant: the fingerprint of its authority"
            f" is {problem.found}. Nothing was sent to it."
        ) from None
    except ValueError:
        raise UntrustedError(f"{url} answers, but not as a manager does.") from None


def on_this_machine(url: str) -> bool:
    """Whether no proxy lies between, whatever the environment says.

    Whoever has just sent a backup through a gateway still has it as ``HTTPS_PROXY``.
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def dials_itself(url: str) -> bool:
    """Whether all addresses of the name are tried here; not where a proxy of the environment is."""
    return on_this_machine(url) or not getproxies()


def settings_of_client(url: str, verify: ssl.SSLContext, timeout_seconds: float) -> dict[str, Any]:
    """What `httpx2.Client` and `httpx2.AsyncClient` are made with for a manager."""
    return {
        "base_url": f"{url}/api",
        "verify": verify,
        "headers": {"Accept": "application/json"},
        "timeout": timeout_seconds,
        "trust_env": not on_this_machine(url),
        # A cookie would outdo the header, so none is kept.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    }


def as_sent(request: Request, timeout_seconds: float) -> dict[str, Any]:
    """A request as `httpx2.Client.request` takes it."""
    headers = {SESSION_ID: request.logon.token} if request.logon else {}
    if request.token:
        headers["Authorization"] = f"Bearer {request.token}"
    if request.code:
        headers[CODE] = request.code
    if request.tag:
        headers["If-Match"] = request.tag
    return {
        "method": request.verb,
        "url": request.path,
        "json": request.body,
        "headers": headers,
        "auth": request.user,
        "timeout": request.patience_seconds(timeout_seconds),
    }


def reply_of(response: httpx2.Response) -> Reply:
    """An answer as it came."""
    return Reply(
        response.status_code,
        response.content.decode(errors="replace"),
        response.headers.get("Location", ""),
        response.headers.get("ETag", ""),
        response.headers.get("Retry-After", ""),
    )


_UNASKED = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.InvalidURL,
    httpx2.PoolTimeout,
)
"""What has come of a request that nobody was sent."""


def unavailable(
    url: str, problem: Exception, words: MessageTerms, timeout_seconds: float
) -> UnavailableError:
    """Why there is no answer, for whoever asked."""
    untrusted = _certificate_problem(problem)
    if isinstance(untrusted, WrongRoleError):
        return UntrustedError(
            f"What answers at {url} does not show a manager's certificate:"
            f" {untrusted.verify_message}. Nothing was sent to it. Check the address with"
            f" {words.url}; a manager of the release before has to be brought to this one."
        )
    if untrusted is not None:
        return UntrustedError(
            f"The certificate of {url} is not trusted ({untrusted.verify_message}). Give the"
            f" certificate authority of the manager, its tls/ca.pem, with {words.ca}."
        )
    unasked = isinstance(problem, _UNASKED)
    kind = UnreachedError if unasked else UnavailableError
    if isinstance(problem, httpx2.TimeoutException):
        return kind(f"{url} did not answer within {timeout_seconds:.0f} seconds.")
    return kind(
        f"Cannot reach {url}: {problem}. Check that the manager runs, and the address with"
        f" {words.url}."
    )


def _certificate_problem(problem: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while problem is not None:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return problem
        problem = problem.__cause__ or problem.__context__
    return None
