"""Assignment messages: what is a host to be, and who is beside it?"""

from uuid import UUID

from cloudgate.protocol.base import Document

USUAL_DRAIN_SECONDS = 8 * 3600.0
"""How long tunnels may go on that have no place any more, where nobody has said how long."""


class Gateway(Document):
    """The cloud gateway that a managed server is wanted to be."""

    gateway_id: UUID
    addresses: tuple[str, ...] = ()
    """IP addresses of the host to listen on; none means all."""
    port: int
    pool_id: UUID | None = None
    """The gateway pool that it is in."""
    accepting: bool = True
    """False: the port is closed, live tunnels finish."""
    certificate_chain_pem: str
    """Leaf first. Signed for the public key that the host reported, unless a key comes with it."""
    private_key_pem: str | None = None
    """The key of a certificate that an operator brought."""
    proxy_networks: tuple[str, ...] = ()
    """Of load balancers: their connections may say with PROXY protocol whom they are for. Hosts of
    the release before hang up on those that do."""
    client_authorities: tuple[str, ...] = ()
    """Who signs tenants' certificates, in PEM. None of them means that none is asked for, as hosts
    of the release before do."""

    def __repr__(self) -> str:
        return f"Gateway({self.gateway_id}, port={self.port})"

    def __str__(self) -> str:
        return repr(self)


class Peer(Document):
    """A cloud gateway of a site, as the other gateways and the connectors see it."""

    gateway_id: UUID
    name: str
    address: str
    """Address or DNS name under which tenants reach it."""
    port: int
    pool_id: UUID | None = None
    inside_addresses: tuple[str, ...] = ()
    """IP addresses at which it listens in the provider's network, on `inside_port`."""
    inside_port: int = 0


class Maintenance(Document):
    """The provider is at work: tunnels that are live go on."""

    message: str
    """For tenants."""
    restores: bool = True
    """New tunnels may begin, to bring data back only; else none may."""


class Site(Document):
    """What all gateways of a site have to know besides the tenants. Always whole."""

    revision: int
    gateways: tuple[Peer, ...] = ()
    """Those that accept tenants."""
    maintenance: Maintenance | None = None
    drain_seconds: float = USUAL_DRAIN_SECONDS
    """How long tunnels may go on whose tenants may not use their gateway any more."""
    drain: str = ""
    """Names the operator's last word on that; with another name it holds for all such tunnels."""


class Assignment(Document):
    """The state that the manager wants a managed server to be in."""

    revision: int
    gateway: Gateway | None = None
    drain_seconds: float = USUAL_DRAIN_SECONDS
    """How long live tunnels may go on after their gateway was closed or taken away."""
    drain: str = ""
    """Names the drain; with another name time and counts begin anew."""
