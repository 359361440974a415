"""Providers of OpenID Connect: a conformant one, and one that says what the test says. Over TLS."""

import base64
import hashlib
import json
import ssl
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.settings.signing_in import SigningInSettings, SingleSignOn
from tests.support.certificates.brought import Made, pem_of
from tests.support.serving import answering

CLIENT, SECRET = "cloudgate-console", "s3cret of the client & more"
ROLES = {"admins": Role.PORTAL_ADMINISTRATOR.id, "staff": Role.PORTAL_USER.id}
CERTIFICATE = Made("localhost")


def settings(console_url: str, issuer: str, **more: Any) -> SigningInSettings:
    """What an operator sets to have people come by a provider."""
    said: dict[str, Any] = {
        "issuer": issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "name": "Example ID",
        "scopes": "openid profile email",
        "role_claim": "groups",
        "roles": ROLES,
        "authority_pem": pem_of(CERTIFICATE.issuer),
    }
    return SigningInSettings(console_url=console_url, single_sign_on=SingleSignOn(**(said | more)))


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(CERTIFICATE.pem_in_order)
        file.flush()
        context.load_cert_chain(Path(file.name))
    return context


@contextmanager
def conformant_provider(people: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """A provider of PyPI, with these people and claims by subject; gives its issuer."""
    import werkzeug.serving  # noqa: PLC0415  these alone take half a second
    from authlib.deprecate import AuthlibDeprecationWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)
        from oidc_provider_mock import User, app  # noqa: PLC0415

    users = [User(sub=name, claims=dict(claims)) for name, claims in people.items()]
    server = werkzeug.serving.make_server(
        "localhost",
        0,
        app(user_claims=users, require_nonce=True),
        ssl_context=_tls(),
        threaded=True,
    )
    with answering(server):
        yield f"https://localhost:{server.server_port}"


Signed = Callable[[dict[str, Any], RSAKey], str]


def honest(claims: dict[str, Any], key: RSAKey) -> str:
    """A token as it should be."""
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


@dataclass
class ScriptedProvider:
    """A provider that says what a test says."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, auto_kid=True))
    claims: dict[str, Any] = field(default_factory=dict)
    """What it says besides, or otherwise."""
    sign: Signed = honest
    metadata: dict[str, Any] = field(default_factory=dict)
    """Of itself, the same; `deep` is nested as deep."""
    keys: list[Any] = field(default_factory=list)
    """That it shows before its own."""
    silent: threading.Event = field(default_factory=threading.Event)
    """Whether it answers nothing; until `spoken` is set."""
    spoken: threading.Event = field(default_factory=threading.Event)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The paths that it was asked for."""

    def authorize(self, url: str, code: str = "code-1") -> dict[str, str]:
        """What a browser is led back with that was sent to `url`."""
        sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.codes[code] = sent
        return {"code": code, "state": sent["state"]}

    def token(self, form: Mapping[str, str], basic: str) -> tuple[int, dict[str, Any]]:
        """The answer to a client that has a code (RFC 6749, 4.1.3; RFC 7636, 4.6)."""
        expected = "cloudgate-console:s3cret+of+the+client+%26+more"
        if base64.b64decode(basic.partition(" ")[2]).decode() != expected:
            return 401, {"error": "invalid_client"}
        sent = self.codes.pop(form.get("code", ""), None)
        if sent is None or sent["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(hashed).decode().rstrip("=") != sent["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "person-1",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": sent["nonce"],
            "preferred_username": "ann",
            "groups": ["staff"],
        } | self.claims
        said = {name: value for name, value in claims.items() if value is not None}
        return 200, {
            "access_token": "x",
            "token_type": "Bearer",
            "id_token": self.sign(said, self.key),
        }

    def document(self, path: str) -> dict[str, Any] | None:
        """What it says of itself."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "end_session_endpoint": f"{self.issuer}/out",
            } | self.metadata
        own = KeySet([self.key]).as_dict()["keys"]
        return {"keys": [*self.keys, *own]} if path == "/keys" else None


@contextmanager
def scripted_provider() -> Iterator[ScriptedProvider]:
    """One that answers."""
    script = ScriptedProvider()

    class Handler(BaseHTTPRequestHandler):
        def _say(self, status: int, said: object) -> None:
            script.asked.append(self.path)
            if script.silent.is_set():
                script.spoken.wait()
            depth = script.metadata.get("deep", 0)
            body = b"[" * depth + json.dumps(said).encode() + b"]" * depth
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            found = script.document(self.path)
            self._say(200 if found else 404, found or {})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            self._say(*script.token(form, self.headers.get("Authorization", "")))

        def log_message(self, *_args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: object) -> None:
            pass  # who was silent is left before it speaks

        def finish_request(self, request: Any, client_address: Any) -> None:
            with context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)

    context = _tls()
    server = Server(("127.0.0.1", 0), Handler)
    script.issuer = f"https://localhost:{server.server_port}"
    with answering(server):
        yield script
        script.spoken.set()
