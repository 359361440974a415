"""Transport: how do requests reach the manager? Over HTTPS, verified, always."""

import ipaddress
import ssl
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2

from cloudgate.cli.client import Reply, Request
from cloudgate.cli.settings import Connection
from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.network.http_transport import DiallingTransport
from cloudgate.trust.certificate_roles import WrongRoleError, client_context, only_a_manager

TOKEN_HEADER = "X-RestSvcSessionId"  # noqa: S105  the name of a header
TIMEOUT_SECONDS = 30.0


class Transport:
    """A `Sender` on the network. Connects with the first request.

    Raises:
        InvalidRequestError: the address or the certificate authority cannot be used.
    """

    def __init__(self, connection: Connection) -> None:
        self._url = connection.url
        trusted = _trust(connection)
        try:
            self._http = httpx2.Client(
                base_url=f"{connection.url}/api",
                verify=trusted,
                transport=_dialling(connection.url, trusted),
                headers={"Accept": "application/json"},
                timeout=TIMEOUT_SECONDS,
                trust_env=not _on_this_machine(connection.url),
            )
        except httpx2.InvalidURL as problem:
            raise InvalidRequestError(f"{connection.url} is no address: {problem}.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def send(self, request: Request) -> Reply:
        """Send a request; see `Sender`."""
        self._http.cookies.clear()  # a cookie would outdo the header
        headers = {TOKEN_HEADER: request.logon.token} if request.logon else {}
        if request.token:
            headers["Authorization"] = f"Bearer {request.token}"
        try:
            response = self._http.request(
                request.verb,
                request.path,
                json=request.body,
                headers=headers,
                auth=request.user,
            )
        except (httpx2.TransportError, httpx2.InvalidURL) as problem:
            raise _unavailable(self._url, problem) from None
        text = response.content.decode(errors="replace")
        return Reply(response.status_code, text, response.headers.get("Location", ""))


def _on_this_machine(url: str) -> bool:
    """Whether no proxy lies between, whatever the environment says.

    Whoever has just sent a backup through a gateway still has it as ``HTTPS_PROXY``.
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _dialling(url: str, trusted: ssl.SSLContext) -> DiallingTransport | None:
    """How to connect; None where a proxy of the environment does so."""
    return DiallingTransport(trusted) if _on_this_machine(url) or not getproxies() else None


def _trust(connection: Connection) -> ssl.SSLContext:
    try:
        return client_context(only_a_manager, file=connection.ca)
    except ssl.SSLError:
        raise InvalidRequestError(f"{connection.ca} holds no certificates in PEM format.") from None
    except OSError as problem:
        raise InvalidRequestError(f"Cannot read {connection.ca}: {problem.strerror}.") from None


def _unavailable(url: str, problem: Exception) -> UnavailableError:
    untrusted = _certificate_problem(problem)
    if isinstance(untrusted, WrongRoleError):
        return UnavailableError(
            f"What answers at {url} does not show a manager's certificate:"
            f" {untrusted.verify_message}. Nothing was sent to it. Check the address with --url; a"
            " manager of the release before has to be brought to this one."
        )
    if untrusted is not None:
        return UnavailableError(
            f"The certificate of {url} is not trusted ({untrusted.verify_message}). Give the"
            " certificate authority of the manager, its tls/ca.pem, with --ca."
        )
    if isinstance(problem, httpx2.TimeoutException):
        return UnavailableError(f"{url} did not answer within {TIMEOUT_SECONDS:.0f} seconds.")
    return UnavailableError(
        f"Cannot reach {url}: {problem}. Check that the manager runs, and the address with --url."
    )


def _certificate_problem(problem: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while problem is not None:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return problem
        problem = problem.__cause__ or problem.__context__
    return None
