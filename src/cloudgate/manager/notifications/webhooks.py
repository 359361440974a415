"""Webhooks: how is a program told, so that it knows who tells it? Standard Webhooks 1.0.0.

Where its name leads is looked at when it is dialled, so that no other address can take its place
in between (DNS rebinding); redirects are not followed.
"""

import base64
import hmac
import json
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx2

from cloudgate import __version__
from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.notifications.outbox import identifier_of
from cloudgate.manager.settings.outgoing import OutgoingSettings
from cloudgate.network.destinations import is_own_name
from cloudgate.network.happy_eyeballs import NoAllowedAddressError
from cloudgate.network.http_transport import DiallingTransport

ANSWER_SECONDS = 10.0
"""How long a call may take, from dialling to the head of the answer."""
_PREFIX = "whsec_"
_SECRET_BYTES = 32
_INSIDE = (
    "is an address inside of the provider's own network, or of the manager's machine. Name one"
    " outside, or start the manager with --hook-network for that network."
)


def new_secret() -> str:
    """What calls of one receiver are signed with, as its program is given it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def check_url(url: str, outgoing: OutgoingSettings) -> str:
    """The address of a program, if it may be called.

    Raises:
        InvalidRequestError: it is none, or inside of the provider's own network.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  raises where it is none
    except ValueError:
        host = ""
    is_plain = all(" " < each < "\x7f" for each in url)
    if not host or parts.scheme != "https" or parts.username is not None or not is_plain:
        raise InvalidRequestError(
            f"Address: found {url[:200]!r}, expected the HTTPS address of a program, such as"
            " https://hooks.provider.example/cloudgate."
        )
    if is_own_name(host) and not outgoing.may_be_called("127.0.0.1"):
        raise InvalidRequestError(f"Address: {host} {_INSIDE}")
    try:
        ip_address(host)
    except ValueError:
        return url  # a name: where it leads is seen when it is dialled
    if not outgoing.may_be_called(host):
        raise InvalidRequestError(f"Address: {host} {_INSIDE}")
    return url


def signature(secret: str, identifier: str, timestamp: int, body: bytes) -> str:
    """What shows that a call is of this manager, and when it was made."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


@dataclass(frozen=True)
class Hook:
    """A program that is called, and how."""

    url: str
    secret: str = field(repr=False)
    authority_pem: str
    allows: Callable[[str], bool]
    """Whether an IP address may be dialled."""


def call(hook: Hook, events: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Tell a program.

    Raises:
        UnavailableError: it was not reached, or did not say that it has taken it.
    """
    identifier = f"msg_{identifier_of(events)}"
    body = json.dumps({"Events": [dict(each) for each in events]}, ensure_ascii=False).encode()
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Cloudgate/{__version__}",
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(hook.secret, identifier, timestamp, body),
    }
    try:
        context = ssl.create_default_context(cadata=hook.authority_pem or None)
        with (
            httpx2.Client(
                transport=DiallingTransport(context, hook.allows, ANSWER_SECONDS),
                timeout=ANSWER_SECONDS,
                trust_env=False,
                follow_redirects=False,
            ) as client,
            client.stream("POST", hook.url, content=body, headers=headers) as answer,
        ):
            status = answer.status_code
    except NoAllowedAddressError:
        host = urlsplit(hook.url).hostname
        raise UnavailableError(f"{host} leads to what {_INSIDE}") from None
    except ssl.SSLError:
        raise UnavailableError("The authority that was given is no certificate.") from None
    except httpx2.TimeoutException:
        raise UnavailableError(f"It did not answer within {ANSWER_SECONDS:.0f} seconds.") from None
    except (httpx2.TransportError, httpx2.InvalidURL) as problem:
        raise UnavailableError(f"It cannot be reached: {str(problem)[:300]}.") from None
    if not 200 <= status < 300:  # noqa: PLR2004  a success
        raise UnavailableError(f"It answered with status {status}, and not with 200 to 299.")
