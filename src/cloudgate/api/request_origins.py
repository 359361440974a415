"""Request origins: by which address did the client of a request come, and from where?"""

from starlette.requests import Request

from cloudgate.api.http.proxies import Network, Origin, is_host, origin, own_host
from cloudgate.values import ip_addresses


class RequestOrigins:
    """Believes the proxies that were configured, and nobody else."""

    def __init__(self, trusted_proxies: tuple[Network, ...] = ()) -> None:
        """`trusted_proxies`: who may say for whom it asks."""
        self._trusted_proxies = trusted_proxies

    def of(self, request: Request) -> Origin:
        """By which address the client came, and from where.

        Raises:
            InvalidRequestError: proxies and their client contradict each other.
        """
        host = request.headers.get("host", "")
        if not is_host(host):
            server = request.scope.get("server") or ("localhost", 9398)
            host = own_host(*server)
        peer = ip_addresses.plain(request.client.host) if request.client else ""
        direct = Origin(request.scope["scheme"], host, peer)
        if not self._trusted_proxies:
            return direct
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        return origin(direct, headers, self._trusted_proxies)

    def address_of(self, request: Request) -> str:
        """The client's IP address.

        Raises:
            InvalidRequestError: as `of`.
        """
        return self.of(request).address

    def prefix_of(self, request: Request) -> str:
        """What a proxy says to have taken from the beginning of the path.

        Raises:
            InvalidRequestError: as `of`.
        """
        return self.of(request).prefix if self._trusted_proxies else ""
