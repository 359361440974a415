"""OpenID provider: whom does it say has come, and is that to be believed?

The authorization code flow of OpenID Connect Core 1.0 with PKCE (RFC 7636), by what the provider
says of itself (OpenID Connect Discovery 1.0). It is asked for a bounded time and number of bytes.
"""

import asyncio
import base64
import contextlib
import hashlib
import re
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx2
import structlog

from cloudgate import __version__
from cloudgate.errors import NotAuthenticatedError, NotOfferedError, UnavailableError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.registries.openid_cache import CachedDocument, OpenIdCache
from cloudgate.manager.sessions.openid_keys import public_keys
from cloudgate.manager.settings.signing_in import SingleSignOn
from cloudgate.network.http_transport import AsyncDiallingTransport
from cloudgate.values import json_texts

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 5.0
"""How long the provider has for a whole answer."""
_MOST_BYTES = 256 * 1024
_KEPT_SECONDS = 3600.0
_KEYS_AGAIN_SECONDS = 10.0
"""New keys are looked for at most this often, whatever key somebody names."""
_FAILED_SECONDS = 5.0
"""How long a provider that did not answer is not asked again."""
_LEEWAY_SECONDS = 60
_ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
"""With keys of two parts alone: neither ``none``, nor one for which what is public would do."""
_URL = re.compile(r"https://[!-\"$-~]{1,1000}")
"""Without blanks, and without a fragment."""
_PLAIN = re.compile(r"[a-z_]{1,60}")
LONGEST_SUBJECT = 255
"""Characters: OpenID Connect Core, 2."""
_ELSEWHERE = "Those who have a password here sign in by that meanwhile."


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What the provider says of itself."""

    authorization_url: str
    token_url: str
    keys_url: str
    sign_out_url: str
    """Empty where it has none."""
    names_itself: bool
    """Whether what it leads back always says who it is (RFC 9207)."""
    takes_basic: bool
    """Whether the client shows its secret as a password is shown, or in the form."""


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """What one who signs in was sent to the provider with."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)


def metadata(settings: SingleSignOn, memory: OpenIdCache) -> Metadata:
    """What the provider says of itself, at most an hour ago.

    Raises:
        UnavailableError: it does not say so, or nothing that can be used.
    """
    url = f"{settings.issuer}/.well-known/openid-configuration"
    return _metadata(settings, _document(settings, memory, url, _KEPT_SECONDS))


def known_metadata(settings: SingleSignOn, memory: OpenIdCache) -> Metadata | None:
    """The same without asking it; None where it was not asked lately."""
    url = f"{settings.issuer}/.well-known/openid-configuration"
    with memory.lock:
        known = memory.documents.get(url)
    return _metadata(settings, known.value) if known and known.value is not None else None


def _metadata(settings: SingleSignOn, said: Mapping[str, Any]) -> Metadata:
    if said.get("issuer") not in (settings.issuer, f"{settings.issuer}/"):
        raise UnavailableError(
            f"The provider says to be {str(said.get('issuer'))[:200]!r}, and not {settings.issuer}:"
            " --sso-issuer has to be its own name, letter by letter."
        )
    urls = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        urls[name] = said.get(name)
        if not isinstance(urls[name], str) or not _URL.fullmatch(str(urls[name])):
            raise UnavailableError(f"The provider names no address of HTTPS as {name}.")
    ending = said.get("end_session_endpoint")
    ways = said.get("token_endpoint_auth_methods_supported")
    return Metadata(
        authorization_url=str(urls["authorization_endpoint"]),
        token_url=str(urls["token_endpoint"]),
        keys_url=str(urls["jwks_uri"]),
        sign_out_url=ending if isinstance(ending, str) and _URL.fullmatch(ending) else "",
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
        takes_basic=not isinstance(ways, list) or "client_secret_basic" in ways,
    )


def authorization_url(
    settings: SingleSignOn, found: Metadata, callback_url: str, asked: AuthorizationRequest
) -> str:
    """Where the browser is sent: OpenID Connect Core, 3.1.2.1; RFC 7636, 4.3."""
    hashed = hashlib.sha256(asked.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": callback_url,
        "scope": settings.scopes,
        "state": asked.state,
        "nonce": asked.nonce,
        "code_challenge": base64.urlsafe_b64encode(hashed).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return _with_query(found.authorization_url, query)


def sign_out_url(settings: SingleSignOn, found: Metadata, back: str) -> str:
    """Where somebody signs out at the provider, too (RP-Initiated Logout 1.0, 2)."""
    query = {"client_id": settings.client_id, "post_logout_redirect_uri": back}
    return _with_query(found.sign_out_url, query) if found.sign_out_url else ""


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def claims_of(
    manager: Manager, settings: SingleSignOn, code: str, asked: AuthorizationRequest
) -> dict[str, Any]:
    """What the provider vouches for of the person whose code it is.

    Raises:
        NotAuthenticatedError: it vouches for nothing, or not in a way that can be believed.
        UnavailableError: it does not answer, or refuses this manager.
        NotOfferedError: the manager was installed without what is needed.
    """
    found = metadata(settings, manager.openid)
    token = _token(settings, found, manager.signing_in.callback_url, code, asked)
    claims = _believed(manager, settings, found, token, asked.nonce)
    _check_meant(settings, claims)
    return claims


def _token(
    settings: SingleSignOn,
    found: Metadata,
    callback_url: str,
    code: str,
    asked: AuthorizationRequest,
) -> str:
    """The ID token for a code: RFC 6749, 4.1.3."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback_url,
        "code_verifier": asked.verifier,
    }
    basic = None
    if settings.client_secret and found.takes_basic:
        shown = urlencode({settings.client_id: settings.client_secret}).partition("=")
        basic = httpx2.BasicAuth(shown[0], shown[2])  # RFC 6749, 2.3.1: encoded as in a form
    else:
        form["client_id"] = settings.client_id
        if settings.client_secret:
            form["client_secret"] = settings.client_secret
    status, said = _json_answer(settings, found.token_url, form, basic)
    if status == HTTPStatus.OK and isinstance(said.get("id_token"), str):
        return str(said["id_token"])
    reason = str(said.get("error", ""))
    if reason == "invalid_grant":
        raise NotAuthenticatedError(
            "The provider does not know this way of signing in any more. Begin anew."
        )
    told = reason if _PLAIN.fullmatch(reason) else f"status {status}"
    log.warning("the provider of single sign-on refuses this manager", reason=told)
    raise UnavailableError(
        f"The provider gives no ID token, but {told}. Its entry for this client, --sso-client-id"
        f" and --sso-client-secret-file have to agree. {_ELSEWHERE}"
    )


def _believed(
    manager: Manager, settings: SingleSignOn, found: Metadata, token: str, nonce: str
) -> dict[str, Any]:
    """The claims of an ID token, if its signature and they are good."""
    jose = _jose()
    memory, now = manager.openid, int(manager.clock().timestamp())
    try:
        try:
            keys = _document(settings, memory, found.keys_url, _KEPT_SECONDS)
            decoded = jose.decode(token, keys)
        except jose.unknown_key:
            keys = _document(settings, memory, found.keys_url, _KEYS_AGAIN_SECONDS)
            decoded = jose.decode(token, keys)
        claims: dict[str, Any] = decoded.claims
        jose.claims(
            now=now,
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "values": [settings.issuer, f"{settings.issuer}/"]},
            sub={"essential": True},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
    except (jose.error, ValueError, TypeError, KeyError) as problem:
        log.warning("an ID token was not believed", reason=str(problem)[:200])
        raise NotAuthenticatedError(
            f"What the provider says cannot be believed: {str(problem)[:200]}. Begin anew; if it"
            " goes on, the operator looks at the provider's entry for this client."
        ) from None
    return claims


def _check_meant(settings: SingleSignOn, claims: Mapping[str, Any]) -> None:
    """See whether a token is for this client alone, and of somebody."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else settings.client_id) != settings.client_id:
        raise NotAuthenticatedError("The provider's ID token is for another client.")
    subject = claims["sub"]
    is_text = subject.isascii() and subject.isprintable()
    if not is_text or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise NotAuthenticatedError("The provider's ID token names nobody.")


@dataclass(frozen=True)
class _Jose:
    """What of joserfc is used."""

    decode: Any
    claims: Any
    error: type[Exception]
    unknown_key: type[Exception]


def _jose() -> _Jose:
    """Signatures and claims are the business of a library, which is an extra."""
    try:
        from joserfc import errors, jwt  # noqa: PLC0415
        from joserfc.jwk import JWKRegistry, KeySet  # noqa: PLC0415
    except ImportError:
        raise NotOfferedError(
            "Single sign-on needs more to be installed: add sso to the release's wheel, as"
            " docs/install.md says."
        ) from None

    def decode(token: str, said: Mapping[str, Any]) -> Any:
        keys: list[Any] = []
        for each in public_keys(said):
            # One that cannot be read is as one that is not there (RFC 7517, 5).
            with contextlib.suppress(errors.JoseError, ValueError, TypeError, KeyError):
                keys.append(JWKRegistry.import_key(each))  # type: ignore[arg-type]
        if not keys:
            raise errors.MissingKeyError("The provider shows no key that signatures are checked by")
        return jwt.decode(token, KeySet(keys), _ALGORITHMS)

    return _Jose(decode, jwt.JWTClaimsRegistry, errors.JoseError, errors.InvalidKeyIdError)


def check_installed() -> None:
    """See whether what is needed is there.

    Raises:
        NotOfferedError: it is not.
    """
    _jose()


def _document(
    settings: SingleSignOn, memory: OpenIdCache, url: str, good_for_seconds: float
) -> Mapping[str, Any]:
    """A document of the provider, as old as it may be; failures are kept for a moment, too."""
    now = time.monotonic()
    with memory.lock:
        known = memory.documents.get(url)
    if known is not None:
        age_seconds = now - known.at_seconds
        if known.value is not None and age_seconds < good_for_seconds:
            return known.value
        if known.problem and age_seconds < _FAILED_SECONDS:
            raise UnavailableError(known.problem)
    try:
        said = _found(settings, url)
    except UnavailableError as problem:
        with memory.lock:
            memory.documents[url] = CachedDocument(
                problem=problem.message, at_seconds=time.monotonic()
            )
        raise
    with memory.lock:
        memory.documents[url] = CachedDocument(value=said, at_seconds=now)
    return said


def _found(settings: SingleSignOn, url: str) -> Mapping[str, Any]:
    status, said = _json_answer(settings, url)
    if status != HTTPStatus.OK:
        raise UnavailableError(_failed(settings, f"it answers {url} with status {status}"))
    return said


def _failed(settings: SingleSignOn, why: str) -> str:
    return f"Signing in by {settings.name} is not possible now: {why}. {_ELSEWHERE}"


def _json_answer(
    settings: SingleSignOn,
    url: str,
    form: Mapping[str, str] | None = None,
    basic: httpx2.BasicAuth | None = None,
) -> tuple[int, Mapping[str, Any]]:
    """Status and JSON of an answer.

    Raises:
        UnavailableError: there is none that can be read, in time.
    """
    try:
        status, content = asyncio.run(_answer(settings, url, form, basic))
        said = json_texts.read(content)
    except (TimeoutError, httpx2.TimeoutException):
        why = f"the provider does not answer within {ANSWER_SECONDS:.0f} seconds"
        raise UnavailableError(_failed(settings, why)) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as problem:
        why = f"the provider is not reached: {str(problem)[:200]}"
        raise UnavailableError(_failed(settings, why)) from None
    except ValueError:
        raise UnavailableError(_failed(settings, f"{url} is not what it should be")) from None
    if not isinstance(said, dict):
        raise UnavailableError(_failed(settings, f"{url} is not what it should be"))
    return status, said


async def _answer(
    settings: SingleSignOn,
    url: str,
    form: Mapping[str, str] | None,
    basic: httpx2.BasicAuth | None,
) -> tuple[int, bytes]:
    context = ssl.create_default_context(cadata=settings.authority_pem or None)
    headers = {"User-Agent": f"Cloudgate/{__version__}", "Accept": "application/json"}
    content = b""
    async with (
        asyncio.timeout(ANSWER_SECONDS),
        httpx2.AsyncClient(
            transport=AsyncDiallingTransport(context),
            timeout=ANSWER_SECONDS,
            trust_env=False,
            follow_redirects=False,
            headers=headers,
        ) as client,
        client.stream(
            "GET" if form is None else "POST", url, data=form and dict(form), auth=basic
        ) as answer,
    ):
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > _MOST_BYTES:
                raise ValueError("too long")
    return answer.status_code, content
