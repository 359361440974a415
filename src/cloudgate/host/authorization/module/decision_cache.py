"""Decision cache: what was decided of a request that Envoy asks about a second time?

Envoy's module asks first. Who is refused, and whose target does not answer, it hands over to the
connection manager, which asks again. That one hears what was decided, so that no password is looked
at twice, and no slot given twice.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from cloudgate.host.authorization.authorizer import AuthorizationResult
from cloudgate.host.authorization.policy import RETRY_SECONDS, Denial
from cloudgate.host.envoy.start_rates import to_one
from cloudgate.host.envoy.xds_listener import NO_ANSWER
from cloudgate.host.envoy.xds_resources import CONNECT_SECONDS

REMEMBERED_SECONDS = CONNECT_SECONDS + 3.0
"""How long after the first question the second one may come: when the target was tried."""
MOST_REMEMBERED = 50_000
SILENT = Denial(503, NO_ANSWER.rstrip("\n"), RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """May a CONNECT become a tunnel? With all that the answer depends on."""

    authority: str
    authorization: str | None
    """The value of Proxy-Authorization."""
    address: str
    """IP address that it comes from."""
    port: int
    connection: str = ""
    """Address and port of its connection, where a load balancer's may be for others."""
    certificate: str = ""
    """That it shows, as Envoy says it; the module says none."""

    def __repr__(self) -> str:
        return f"ConnectRequest({self.authority!r}, ..., {self.address!r}, {self.port})"


class DecisionCache:
    """Remembers for seconds what was decided."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._key = secrets.token_bytes(32)
        self._decided: OrderedDict[tuple[str, int], tuple[float, bytes, AuthorizationResult]] = (
            OrderedDict()
        )

    def remember(self, question: ConnectRequest, result: AuthorizationResult) -> None:
        """This was decided, and may be asked about once more."""
        now = self._clock_seconds()
        oldest = now - REMEMBERED_SECONDS
        while self._decided:
            at, _, _ = next(iter(self._decided.values()))
            if at > oldest and len(self._decided) < MOST_REMEMBERED:
                break
            self._decided.popitem(last=False)
        who = (question.address, question.port)
        self._decided.pop(who, None)
        self._decided[who] = now, self._mark(question), result

    def forget(self, question: ConnectRequest) -> None:
        """Nobody asks about it any more: who did is gone, or has a tunnel."""
        self._decided.pop((question.address, question.port), None)

    def take(self, question: ConnectRequest) -> AuthorizationResult | None:
        """What the connection manager is to be told; None for what nobody has asked before.

        Of a target that was tried it is the rest of its addresses, or that it does not answer.
        """
        found = self._decided.pop((question.address, question.port), None)
        if found is None:
            return None
        at, mark, result = found
        is_old = at <= self._clock_seconds() - REMEMBERED_SECONDS
        if is_old or not secrets.compare_digest(mark, self._mark(question)):
            return None
        return result if result.denial is not None else _after_failure(result)

    def _mark(self, question: ConnectRequest) -> bytes:
        said = f"{question.authority}\0{question.authorization}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(said, key=self._key, digest_size=16).digest()


def _after_failure(result: AuthorizationResult) -> AuthorizationResult:
    """The same, once its first address did not take a connection. Pure."""
    if not result.others:
        return replace(result, denial=SILENT)
    address, *others = result.others
    cluster = result.cluster if others else to_one(result.cluster)
    return replace(result, address=address, others=tuple(others), cluster=cluster)
