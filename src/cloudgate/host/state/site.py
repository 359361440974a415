"""Site: which other gateways are there, and is work done on the site?"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudgate.host.state.principal import Principal
from cloudgate.host.state.stored_document import StoredDocument
from cloudgate.host.state.withdrawal_journal import TooLongError, WithdrawalJournal
from cloudgate.network.well_known import CERTIFICATE_PATH, PASSWORD_PATH
from cloudgate.protocol import Maintenance, Peer, Site, Tenant

OWN_METHODS = {CERTIFICATE_PATH: "POST", PASSWORD_PATH: "PUT"}
"""What a tenant may ask of the manager at the gateway's own port."""
_VERSION = 1
_NOTHING = Site(revision=0)
_WAS_KNOWN = "site was known"


@dataclass(frozen=True)
class GatewayOption:
    """A gateway that a tenant may use."""

    peer: Peer
    failover: bool = False
    """Only while all gateways of its pools are down."""


class SiteStore:
    """The newest site document that was heard, and the gateways that a tenant may use by it."""

    def __init__(self, path: Path, journal: WithdrawalJournal | None = None) -> None:
        """`journal` takes what the disk does not."""
        self._journal = journal
        self.kept = StoredDocument(path, Site, journal)
        self._was_known = bool(journal and journal.get(_WAS_KNOWN))
        self._was_heard = False

    @property
    def is_certain(self) -> bool:
        """Whether it is known if work is done there: not where what was heard of it is lost."""
        return self.kept.current is not None or not self._was_known

    @property
    def _site(self) -> Site:
        return self.kept.current or _NOTHING

    @property
    def revision(self) -> int:
        """Of what was heard since the start; 0 when nothing was.

        What was kept may be from another release of this service, which has left out what it did
        not understand: so it is asked for anew.
        """
        return self._site.revision if self._was_heard else 0

    def replace(self, site: Site) -> None:
        """Know another state from now on, and over restarts."""
        self.kept.replace(site)
        self._was_heard = True
        if self._journal is not None and not self._was_known:
            # Where there is no room for that, what is there now is not taken for lost later.
            with suppress(OSError, TooLongError):  # ENOSPC, EDQUOT, EROFS, EIO
                self._journal.put(_WAS_KNOWN, entry=True)
                self._was_known = True

    @property
    def maintenance(self) -> Maintenance | None:
        """What the provider says of its being at work; None when it is not."""
        return self._site.maintenance

    @property
    def drain(self) -> tuple[str, float]:
        """The operator's last word on how many seconds tunnels may go on without a place."""
        return self._site.drain, self._site.drain_seconds

    def in_pools_of(self, tenant: Tenant) -> tuple[Peer, ...]:
        """The gateways of the tenant's pools."""
        return tuple(peer for peer in self._site.gateways if peer.pool_id in tenant.pool_ids)

    def gateways_for(self, tenant: Tenant) -> Iterator[GatewayOption]:
        """By which gateways a tenant may come in."""
        if not tenant.pool_ids:
            yield from (GatewayOption(peer) for peer in self._site.gateways if peer.pool_id is None)
            return
        yield from (GatewayOption(peer) for peer in self.in_pools_of(tenant))
        if tenant.failover_to_others:
            apart = (peer for peer in self._site.gateways if peer.pool_id is None)
            yield from (GatewayOption(peer, failover=True) for peer in apart)


def discovery_document(
    login: Principal,
    ways: Iterable[GatewayOption],
    live_tunnels: int,
    maintenance: Maintenance | None = None,
) -> dict[str, Any]:
    """The document that a tenant's connector reads at `WELL_KNOWN`.

    Args:
        login: who asks.
        ways: by which gateways it may come in.
        live_tunnels: how many this gateway carries.
        maintenance: whether the provider is at work.
    """
    return {
        "Version": _VERSION,
        "Tenant": login.name,
        "Gateways": [
            {
                "Name": way.peer.name,
                "Address": way.peer.address,
                "Port": way.peer.port,
                "Failover": way.failover,
            }
            for way in ways
        ],
        "Targets": [target.endpoint for target in login.targets],
        "LiveTunnels": live_tunnels,
        "Maintenance": maintenance.message if maintenance else None,
    }
