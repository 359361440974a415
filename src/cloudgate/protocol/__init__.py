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

from cloudgate.protocol.assignment import Assignment, Gateway, Maintenance, Peer, Site
from cloudgate.protocol.base import (
    OLDEST_PROTOCOL,
    POLL_SECONDS,
    PROTOCOL,
    REVOKED,
    SERVER_HEADER,
    Document,
)
from cloudgate.protocol.bounds import MOST_KINDS_COUNTED
from cloudgate.protocol.demand import Allowance, Allowances, Demand, DemandReport
from cloudgate.protocol.directory import (
    DirectoryChange,
    EndedCertificate,
    EndedTarget,
    Limits,
    OldPassword,
    Origin,
    Target,
    Tenant,
    User,
)
from cloudgate.protocol.enrolment import HostFacts, JoinAnswer, JoinRequest
from cloudgate.protocol.figures import (
    FURTHEST_CLOCK_SECONDS,
    MOST_AMOUNT,
    MOST_COUNTED,
    MOST_TENANTS_COUNTED,
    SETUP_BUCKETS_SECONDS,
    Amount,
    Counted,
    Distribution,
    Figures,
    Refusal,
    Restraint,
    TenantFigures,
)
from cloudgate.protocol.own import OwnAnswer, OwnRequest, Secret
from cloudgate.protocol.polling import (
    Answer,
    DirectoryProbe,
    DirectorySize,
    LiveTunnel,
    PollRequest,
    Question,
    Update,
)
from cloudgate.protocol.reports import (
    LONGEST_GUESSED_NAME,
    MOST_GUESSES,
    TOLD_ONCE,
    ApplyDuration,
    EvictionProgress,
    GatewayState,
    Guess,
    OldPasswordUse,
    Report,
)
from cloudgate.protocol.usage import Usage, UsageBatch

__all__ = [
    "FURTHEST_CLOCK_SECONDS",
    "LONGEST_GUESSED_NAME",
    "MOST_AMOUNT",
    "MOST_COUNTED",
    "MOST_GUESSES",
    "MOST_KINDS_COUNTED",
    "MOST_TENANTS_COUNTED",
    "OLDEST_PROTOCOL",
    "POLL_SECONDS",
    "PROTOCOL",
    "REVOKED",
    "SERVER_HEADER",
    "SETUP_BUCKETS_SECONDS",
    "TOLD_ONCE",
    "Allowance",
    "Allowances",
    "Amount",
    "Answer",
    "ApplyDuration",
    "Assignment",
    "Counted",
    "Demand",
    "DemandReport",
    "DirectoryChange",
    "DirectoryProbe",
    "DirectorySize",
    "Distribution",
    "Document",
    "EndedCertificate",
    "EndedTarget",
    "EvictionProgress",
    "Figures",
    "Gateway",
    "GatewayState",
    "Guess",
    "HostFacts",
    "JoinAnswer",
    "JoinRequest",
    "Limits",
    "LiveTunnel",
    "Maintenance",
    "OldPassword",
    "OldPasswordUse",
    "Origin",
    "OwnAnswer",
    "OwnRequest",
    "Peer",
    "PollRequest",
    "Question",
    "Refusal",
    "Report",
    "Restraint",
    "Secret",
    "Site",
    "Target",
    "Tenant",
    "TenantFigures",
    "Update",
    "Usage",
    "UsageBatch",
    "User",
]
