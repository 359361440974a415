"""Host protocol messages: what do manager and host service say to each other?

Nine calls, made by the host service only, over HTTPS with JSON bodies:

``GET /host/v1/authority``  the manager's certificate authority as PEM. The host asks before it can
                            verify anybody, and compares the fingerprint that its operator gave.
``POST /host/v1/join``    a `JoinRequest`, answered by a `JoinAnswer`, once in a host's life.
``POST /host/v1/poll``    a `PollRequest`, held until there is news or `POLL_SECONDS` are over,
                          answered by an `Update`.
``POST /host/v1/report``  a `Report`, answered by 204.
``POST /host/v1/usage``   a `UsageBatch`, answered by 204.
``POST /host/v1/demand``  a `DemandReport`, answered by `Allowances`; while tenants with a limit of
                          speed or tunnels are there.
``POST /host/v1/answer``  an `Answer` to the `Question` of an `Update`, answered by 204.
``POST /host/v1/here``    nothing, answered by 204: the host sees that it is heard.
``POST /host/v1/own``     an `OwnRequest`, answered by an `OwnAnswer`; a manager of the release
                          before does not know it, and says 404.

All but the first two carry ``Authorization: Bearer <credential>``. A revision is a number that
only grows. Assignment and site are whole; the tenant directory travels as the changes since a
revision.

All that a host says has bounds (`cloudgate.protocol.bounds`); a message that is outside of them
is refused as a whole.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, IPvAnyAddress

from cloudgate.protocol.bounds import (
    LONGEST_SECRET,
    MOST_ADDRESSES,
    MOST_DEMANDS,
    MOST_LINES,
    MOST_TUNNELS,
    Address,
    BatchName,
    Bytes,
    HostName,
    Moment,
    Pem,
    Remark,
    Revision,
    Seconds,
    Service,
    Small,
    Token,
    Word,
)

SERVER_HEADER = "X-Managed-Server"
"""Names the managed server that a host says it is. Nobody is believed by it: where a credential is
unknown, it lets the manager tell its operator who was refused."""

REVOKED = "revoked"
"""Member of a refusal's JSON (401), true where the managed server that the host says it is has been
shut out. A credential that is merely unknown is something else: an older database knows it not."""

PROTOCOL = 1
"""Version of the host protocol. A change that an older side cannot read raises it."""
OLDEST_PROTOCOL = 1
"""The oldest version that is understood: that of the release before this one. Each side says both,
and they talk when there is a version that both understand."""

POLL_SECONDS = 25.0
"""How long the manager holds a poll without news."""


class Document(BaseModel):
    """A message of the host protocol. Unknown members are ignored: a newer side may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


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
    drain_seconds: float = 8 * 3600.0
    """How long tunnels may go on whose tenants may not use their gateway any more."""
    drain: str = ""
    """Names the operator's last word on that; with another name it holds for all such tunnels."""


class Assignment(Document):
    """The state that the manager wants a managed server to be in."""

    revision: int
    gateway: Gateway | None = None
    drain_seconds: float = 8 * 3600.0
    """How long live tunnels may go on after their gateway was closed or taken away."""
    drain: str = ""
    """Names the drain; with another name time and counts begin anew."""


class HostFacts(Document):
    """What a host says of itself."""

    host_name: HostName
    addresses: Annotated[tuple[Address, ...], Field(max_length=MOST_ADDRESSES)]
    """The host's IP addresses; the one that outbound traffic uses comes first, loopback last."""
    platform: Word
    """``Linux`` or ``Windows``."""
    version: Word
    """Of the host service."""
    envoy_version: Word
    public_key_pem: Pem
    """Of the key pair that the gateway's certificate is made for. The private half stays here."""
    machine: Word = ""
    """The same for as long as this machine runs, and another on any other machine."""
    trouble: Remark = ""
    """For the operator: what keeps it from doing all that it should."""
    advice: Remark = ""
    """For the operator: what it could do better, and what to type for that."""


class JoinRequest(Document):
    """A machine asks to become a managed server."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    token: Token
    facts: HostFacts


class JoinAnswer(Document):
    """The machine is managed server `server_id` now and speaks with `credential` from here on."""

    server_id: UUID
    credential: str


class PollRequest(Document):
    """What the host has; the answer comes when the manager has something else."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    assignment_revision: Revision | None = None
    """Of the assignment on the host's disk; None when there is none."""
    directory_revision: Revision = 0
    site_revision: Revision = 0
    machine: Word = ""
    """As in `HostFacts`: tells a copy of this host's disk from this host."""


class Directory(Document):
    """A directory of the host."""

    base: str
    """Absolute."""
    parts: tuple[str, ...]
    """Names below it, each within the one before; symbolic links are not followed here."""
    limit_seconds: float
    """How long measuring it may take."""


class Question(Document):
    """Which tunnels are live right now? Or, with `measure`, how much is in that directory?"""

    question: str
    """Names the question."""
    end_tunnels: tuple[str, ...] = ()
    """These are to end at once."""
    measure: Directory | None = None
    """Takes its time: polls go on meanwhile."""


class LiveTunnel(Document):
    """A tunnel that is going on."""

    tunnel: Word
    """Names the tunnel."""
    tenant_id: UUID
    user_id: UUID | None = None
    target: Service
    client: Service
    """Address and port that it comes from."""
    started_at: Moment
    bytes_up: Bytes
    bytes_down: Bytes


class Measured(Document):
    """How much is in a directory."""

    used_bytes: Bytes | None = None
    """What is allocated for it: hard links count once. None when it is not there, or `reason`."""
    capacity_bytes: Bytes | None = None
    """Of the file system that its base is on; None when that cannot be said."""
    free_bytes: Bytes | None = None
    """There, for those who are not root."""
    reason: Remark = ""
    """For the operator: why it could not be measured, and what to do."""


class Answer(Document):
    """The live tunnels of a host, or how much is in a directory."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    question: Word
    tunnels: Annotated[tuple[LiveTunnel, ...], Field(max_length=MOST_TUNNELS)] = ()
    """As they were before any was ended."""
    ended: Annotated[tuple[Word, ...], Field(max_length=MOST_TUNNELS)] = ()
    """Those of `Question.end_tunnels` that were there, and were ended."""
    reason: Remark = ""
    """Why they were not."""
    measured: Measured | None = None
    """Set when `Question.measure` was."""


class Update(Document):
    """News for a host. A part without news is None."""

    protocol: int = PROTOCOL
    assignment: Assignment | None = None
    directory: DirectoryChange | None = None
    site: Site | None = None
    question: Question | None = None
    """To be answered at once, or as soon as it was measured."""
    demand: bool = False
    """The host is to say at once what it holds of tenants' tunnels."""
    credential: str | None = None
    """From now on; the one in use is good until this one has been used."""
    assignment_trace: str = ""
    """Of the request that the assignment is for, as W3C Trace Context has it; empty for none."""
    directory_trace: str = ""
    figures_seconds: float | None = None
    """How often the manager wants to hear `Report.figures`; a release before does not."""
    managers: tuple[str, ...] | None = None
    """Addresses of all managers, if there may be several; any of them may be asked."""

    def __repr__(self) -> str:
        return f"Update(assignment={self.assignment!r})"

    def __str__(self) -> str:
        return repr(self)


class Usage(Document):
    """What somebody used of a gateway within a minute, by one target."""

    minute: Moment
    """Its beginning."""
    tenant_id: UUID
    user_id: UUID | None = None
    target: Service
    tunnels: Small
    """That began."""
    bytes_up: Bytes
    """From the tenant to the target."""
    bytes_down: Bytes


class UsageBatch(Document):
    """What was used since the batch before. The same batch is sent until it was answered."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    batch: BatchName
    """Names the batch, so that it is counted once however often it is heard."""
    usage: Annotated[tuple[Usage, ...], Field(max_length=MOST_LINES)]


class Demand(Document):
    """What a tenant with a limit sends through one gateway, and how many tunnels it has there."""

    tenant_id: UUID
    sent_bytes: Bytes
    """Each second, in both directions together."""
    tunnels_live: Small = 0
    tunnels_wanted: Small = 0
    """Those that wait to be let in."""
    tunnels_held: Small | None = None
    """The most that the gateway takes for its own right now; never less than `tunnels_live`. None
    where they are not divided between gateways."""


class DemandReport(Document):
    """What a host's tenants with a limit send right now, and how many tunnels they have."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    demands: Annotated[tuple[Demand, ...], Field(max_length=MOST_DEMANDS)]


class Allowance(Document):
    """The part of a tenant's limits that one gateway may use."""

    tenant_id: UUID
    limit_bytes: int | None = None
    """Each second; None where the whole limit holds."""
    tunnels: int | None = None
    """How many it may have there at a time. Live ones go on though they be more. None where the
    gateway keeps what it holds."""


class Allowances(Document):
    """The parts of a host, for the next seconds. Who is not named has its whole limit."""

    allowances: tuple[Allowance, ...] = ()
    tunnels_are_divided: bool = False
    """Whether the manager divides them: one of a release before leaves each gateway the limit."""


Secret = Annotated[str, Field(max_length=LONGEST_SECRET)]


class OwnRequest(Document):
    """What a tenant, or its user, has asked of the manager at a gateway's own port.

    It has proved to the gateway who it is, and proves it to the manager, too: by its password of
    now, or by what the key of its certificate has signed. Of a host nothing is believed by that.
    """

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    tenant_id: UUID
    user_id: UUID | None = None
    address: IPvAnyAddress
    """Where it comes from."""
    password: Secret = ""
    """Of now; empty where it came by a certificate."""
    new_password: Secret | None = None
    """That it wants to have."""
    old_password_seconds: Small | None = None
    """How long the password of now is to be good beside it."""
    certificate_request: Pem | None = None
    """Of a certificate that it wants to have."""
    certificate_id: UUID | None = None
    """Of the one that it came by, which the new one is the successor of."""

    def __repr__(self) -> str:
        return f"OwnRequest({self.tenant_id}, {self.user_id}, ...)"

    def __str__(self) -> str:
        return repr(self)


class OwnAnswer(Document):
    """What became of an `OwnRequest`."""

    status: Small
    """Of HTTP: 200, or why not."""
    message: str = ""
    """Why not, in words for the tenant."""
    certificate_pem: str = ""


class GatewayState(StrEnum):
    """What was read back from the machine."""

    ABSENT = "absent"
    """There is no gateway on this machine, and none is wanted."""
    LISTENING = "listening"
    """Envoy accepts tenants at the wanted addresses."""
    DRAINING = "draining"
    """The port is closed; `Report.live_tunnels` are still going on."""
    CLOSED = "closed"
    """The gateway is there, does not accept tenants, and has no live tunnels."""
    FAILED = "failed"
    """The machine cannot be brought to the assignment; `Report.reason` says why."""


class Misplaced(Document):
    """The tunnels of those who may not use a gateway any more, since there were any."""

    tunnels: Small
    """That are left."""
    finished: Small
    """That have ended by themselves, as far as there were some left all the time."""
    closed: Small
    """That were ended by this host at the deadline."""
    directory_revision: Revision
    """Of the tenants when the newest of them lost its place."""


MOST_GUESSES = 100
"""In one report."""
LONGEST_GUESSED_NAME = 128
"""Characters; what is longer is cut to as many."""


class Guess(Document):
    """Wrong passwords that somebody has tried at a gateway."""

    name: Annotated[str, Field(max_length=LONGEST_GUESSED_NAME)]
    """Of the tenant, or tenant and user, as it was claimed: nobody need have it."""
    address: IPvAnyAddress
    """Where they came from."""
    count: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """So many, with this name and from this address."""
    first_at: Moment
    last_at: Moment


class OldPasswordUse(Document):
    """Somebody was let in by a password that has been replaced."""

    tenant_id: UUID
    user_id: UUID | None = None
    last_at: Moment


class Took(Document):
    """How long it took until the machine was as its assignment says, by the host's own clock."""

    applied_seconds: Seconds
    """From hearing of it until all was written and Envoy ran."""
    read_back_seconds: Seconds
    """From then until Envoy said that it listens as wanted."""


class Refusal(StrEnum):
    """What a refused request is counted as."""

    CHALLENGE = "challenge"
    """No name and password came along: many programs send them when they are asked for."""
    CREDENTIALS = "credentials"
    """Name or password are wrong."""
    CERTIFICATE = "certificate"
    """A tenant's certificate has ended, is good no more, or is of another than the name."""
    PASSWORDS = "passwords"
    """Too many passwords from one address wait to be looked at."""
    DISABLED = "disabled"
    EXPIRED = "expired"
    """The tenant's lease is over."""
    POOL = "pool"
    """The gateway is set apart for others."""
    NETWORK = "network"
    """The tenant comes from an address from which it may not come."""
    TARGET = "target"
    """The tenant has no right to it, or none is named."""
    ADDRESS = "address"
    """The target's address is one that nobody may reach."""
    LOOKUP = "lookup"
    """The target's name cannot be looked up."""
    TUNNELS = "tunnels"
    """The tenant has as many tunnels as it may have."""
    SPEED = "speed"
    """The tenant opens tunnels faster than its speed limit allows."""
    CONNECTIONS = "connections"
    """Too many connections come from one address."""
    MAINTENANCE = "maintenance"
    PROXY = "proxy"
    """Somebody who may not said with PROXY protocol to be another one."""
    QUOTA = "quota"
    """The tenant's quota is exceeded, and it has just sent data."""
    CLOSED = "closed"
    """The gateway is drained or disabled."""
    REVOKED = "revoked"
    """The manager has shut the host out."""
    UNCERTAIN = "uncertain"
    """Who may come in is not known, or not certain."""
    TIMEOUT = "timeout"
    """It could not be decided in time."""
    OTHER = "other"


class Restraint(StrEnum):
    """What holds tunnels back."""

    LIMIT = "limit"
    """The speed that their tenant was sold."""
    SHARE = "share"
    """Their part of a gateway that is full."""


SETUP_BUCKETS_SECONDS = (0.025, 0.1, 0.5, 2.5, 10.0)
"""Upper bounds of what is counted together in a `Distribution`; the last count is of all above."""
MOST_KINDS_COUNTED = 64
MOST_TENANTS_COUNTED = 2000
"""In one report; who is not in it is in the next."""

Counted = Annotated[int, Field(strict=True, ge=0, le=2**62)]
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


class Distribution(Document):
    """How long something took: how many times up to each of `SETUP_BUCKETS_SECONDS`, and longer."""

    counts: Annotated[tuple[Counted, ...], Field(max_length=len(SETUP_BUCKETS_SECONDS) + 1)]
    sum_seconds: Amount


class TenantFigures(Document):
    """What a host has counted of a tenant since its service began."""

    tenant_id: UUID
    tunnels: Small
    """That are live."""
    refused: Counted
    held_back_seconds: Amount


class Figures(Document):
    """What a host has counted since its service began, and what is so now. None is unknown.

    The manager keeps it in memory alone.
    """

    run: Word
    """Names the run of the host service, with which all counts begin at 0."""
    uptime_seconds: Amount
    tunnels_live: Small = 0
    tunnels_opened: Counted = 0
    bytes_up: Counted = 0
    bytes_down: Counted = 0
    refused: Annotated[dict[Word, Counted], Field(max_length=MOST_KINDS_COUNTED)] = {}
    """By `Refusal`."""
    setup: Distribution | None = None
    """From a request's arrival to the beginning of its tunnel."""
    authorization: Distribution | None = None
    authorizing: Small = 0
    """Requests that wait for an answer now."""
    held_back_seconds: Annotated[dict[Word, Amount], Field(max_length=MOST_KINDS_COUNTED)] = {}
    """By `Restraint`: of each tenant that it holds back."""
    handshakes: Counted | None = None
    tls_failures: Counted | None = None
    connections: Small | None = None
    connections_rejected: Counted | None = None
    target_failures: Counted | None = None
    """Connections to targets that could not be made."""
    full: Annotated[dict[Word, Amount], Field(max_length=MOST_KINDS_COUNTED)] = {}
    """What part of each resource is used, 1 for all of it."""
    cpu_seconds: Annotated[dict[Word, Amount], Field(max_length=MOST_KINDS_COUNTED)] = {}
    memory_bytes: Annotated[dict[Word, Amount], Field(max_length=MOST_KINDS_COUNTED)] = {}
    """By process: ``envoy`` or ``host``."""
    disk_free_bytes: Amount | None = None
    clock_ahead_seconds: Annotated[float | None, Field(ge=-1e10, le=1e10, allow_inf_nan=False)] = (
        None
    )
    """Of the manager's clock."""
    certificate_expires_at: Amount | None = None
    """Of the certificate that new tunnels are shown; seconds since 1970."""
    tenants: Annotated[tuple[TenantFigures, ...], Field(max_length=MOST_TENANTS_COUNTED)] = ()
    """Those of which something is otherwise than in the last report that was heard."""


TOLD_ONCE = ("guesses", "outsiders", "old_passwords")
"""Members of `Report` that are told until they were heard, and then no more."""


class Report(Document):
    """How far a host has come."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    assignment_revision: Revision
    """The assignment that this report is about."""
    directory_revision: Revision
    """The tenant directory in force."""
    state: GatewayState
    gateway_id: UUID | None = None
    reason: Remark = ""
    """For the operator: what is in the way, and what to do. Set when FAILED."""
    live_tunnels: Small = 0
    finished_tunnels: Small = 0
    """Of those that were live when the gateway was closed: ended by themselves so far."""
    closed_tunnels: Small = 0
    """Of those that were live when the gateway was closed: ended by this host at the deadline."""
    misplaced: Misplaced | None = None
    took: Took | None = None
    """For the assignment that this report is about; None until it listens, and once it did so
    before this run of the host service."""
    guesses: Annotated[tuple[Guess, ...], Field(max_length=MOST_GUESSES)] = ()
    """Since those of the last report that was answered. Sent again as they were until they are
    heard, so that each is logged once."""
    outsiders: Annotated[tuple[Guess, ...], Field(max_length=MOST_GUESSES)] = ()
    """The same of those whose password was right, and who came from where they may not come
    from."""
    old_passwords: Annotated[tuple[OldPasswordUse, ...], Field(max_length=MOST_GUESSES)] = ()
    """Since those of the last report that was answered; sent again as they were."""
    facts: HostFacts | None = None
    """Sent when the host service starts and when something in it changed."""
    figures: Figures | None = None
    """Sent as often as `Update.figures_seconds` says; none where it says nothing."""
