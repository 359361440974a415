"""Directory messages: whom may a gateway let in, and where to?"""

from uuid import UUID

from pydantic import AwareDatetime

from cloudgate.protocol.base import Document


class Target(Document):
    """A service that a tenant may reach. Both members are ``host:port``."""

    endpoint: str
    """As tenants name it in CONNECT; lower case."""
    address: str
    """Where the gateway connects to."""
    full: str = ""
    """Why new tunnels may only bring data back, for the tenant: its quota is exceeded. Hosts of the
    release before let them do all."""
    full_until: AwareDatetime | None = None
    """That holds until then: what was measured long ago bars nobody."""


class Origin(Document):
    """Where somebody may come from. These are members of `Tenant` and `User` on the wire."""

    networks: tuple[str, ...] | None = None
    """In CIDR notation; None for anywhere, and none of them for nowhere."""
    outside_end_before: AwareDatetime | None = None
    """Tunnels from elsewhere that were opened before this moment are to end."""


class OldPassword(Document):
    """A password that is good beside the one that took its place.

    These are members of `Tenant` and `User` on the wire. Hosts of the release before let nobody in
    by it.
    """

    old_password_hash: str = ""
    """As `password_hash`; empty when there is none."""
    old_password_until: AwareDatetime | None = None
    """It is good until then."""


class User(Origin, OldPassword):
    """A user of a tenant, with rights inside the tenant's."""

    user_id: UUID
    name: str
    password_hash: str
    """Argon2id in PHC format; empty when the user has no password and cannot log in."""
    enabled: bool = True
    targets: tuple[Target, ...] = ()
    tunnels_end_before: AwareDatetime | None = None
    """Its tunnels that were opened before this moment are to end."""


class Limits(Document):
    """What a tenant may use at a time. These are members of `Tenant` itself on the wire.

    Of each, less is less of a right, and None is no limit: hosts go by that on a full disk.
    """

    speed_limit_bytes: int | None = None
    """Each second, over all its tunnels and in both directions together; None for no limit."""
    concurrent_tunnels: int | None = None
    """How many tunnels it may have at a time; None for no limit."""


class EndedTarget(Document):
    """A target whose tunnels of a tenant were ended."""

    endpoint: str
    before: AwareDatetime
    """Tunnels to it that were opened before this moment are to end."""


class EndedCertificate(Document):
    """A tenant's certificate that is not good any more, though its time is not over."""

    certificate_id: UUID
    """Its serial number, as a number of 128 bits."""
    tunnels_end: bool = False
    """Whether the tunnels that came in by it are to end, too."""


class Tenant(Limits, Origin, OldPassword):
    """What a gateway must know of a tenant to let it in."""

    tenant_id: UUID
    name: str
    password_hash: str
    """Argon2id in PHC format; empty when the tenant has no password and cannot log in."""
    enabled: bool = True
    expires_at: AwareDatetime | None = None
    targets: tuple[Target, ...] = ()
    pool_ids: tuple[UUID, ...] = ()
    """The gateway pools that it may use; none means the gateways that are in no pool."""
    failover_to_others: bool = False
    """With pools: when all gateways of its pools are down, it may also use those in no pool."""
    users: tuple[User, ...] = ()
    tunnels_end_before: AwareDatetime | None = None
    """Tunnels that were opened before this moment are to end; all of them, to a host that does not
    know the two members below."""
    ended_targets: tuple[EndedTarget, ...] = ()
    """When there are any, only tunnels to these end, and those of `all_end_before`."""
    egress_full: str = ""
    """Why new tunnels may only send data: what it may bring back in a month is used up. Hosts of
    the release before let them do all."""
    egress_full_until: AwareDatetime | None = None
    """That holds until then, the end of the month."""
    all_end_before: AwareDatetime | None = None
    """With `ended_targets`: tunnels to anywhere that were opened before this moment are to end."""
    ended_certificates: tuple[EndedCertificate, ...] = ()
    """Of the tenant and its users. Hosts of the release before let nobody in by certificates."""


class DirectoryChange(Document):
    """What makes a directory of `from_revision` one of `revision`.

    With `from_revision` 0 it is the whole directory: whatever was known before is dropped.
    """

    from_revision: int
    revision: int
    tenants: tuple[Tenant, ...] = ()
    removed: tuple[UUID, ...] = ()
