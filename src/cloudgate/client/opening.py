"""Opening: what is a client made with? Addresses, who asks, and whom to take for the manager."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cloudgate.client.core.addresses import manager_url
from cloudgate.client.core.conversation import Conversation
from cloudgate.client.core.logons import LogonIdentity, LogonMemory
from cloudgate.client.core.retries import Retries
from cloudgate.client.verification import Trust
from cloudgate.errors import InvalidRequestError

Secret = str | Callable[[], str]
"""A secret, or what is called for it when it is needed."""


def conversation(
    url: str | Sequence[str], who: LogonIdentity, retries: Retries | None = None
) -> Conversation:
    """With the managers at one address, or at several of one installation.

    Raises:
        InvalidRequestError: there is none, or one is not of HTTPS.
    """
    urls = [manager_url(each) for each in ([url] if isinstance(url, str) else url)]
    if not urls:
        raise InvalidRequestError(
            "url names no manager; give its address, such as https://HOST:9398."
        )
    return Conversation(urls, who, LogonMemory(), retries or Retries())


def operator(
    user: str, password: Secret | None, token: Secret | None, code: Secret | None
) -> LogonIdentity:
    """An account of the provider's.

    Raises:
        InvalidRequestError: nothing says that it is the one.
    """
    if (password is None) == (token is None):
        raise InvalidRequestError("Give a password or an API token (token), and not both.")
    return LogonIdentity(
        user,
        password=_secret_source(password or ""),
        token=_secret_source(token) if token is not None else lambda: None,
        code=_secret_source(code) if code is not None else lambda: None,
    )


def tenant(name: str, password: Secret) -> LogonIdentity:
    r"""A tenant (``acme``), or its user (``acme\ann``), as it logs in at a gateway."""
    return LogonIdentity(name, password=_secret_source(password), is_tenant=True)


def trust(ca: str | Path | None, fingerprint: str | None) -> Trust:
    """Whom to take for the manager."""
    return Trust(Path(ca) if ca is not None else None, fingerprint)


def _secret_source(secret: Secret) -> Callable[[], str]:
    return (lambda: secret) if isinstance(secret, str) else secret
