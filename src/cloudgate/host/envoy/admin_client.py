"""Envoy admin client: what does the running Envoy say of itself?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2

from cloudgate.errors import UnavailableError
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.xds_resources import CERTIFICATE, TUNNELS
from cloudgate.network.http_transport import why_unanswered

_LISTENERS = (
    "/config_dump?resource=dynamic_listeners"
    "&mask=name,active_state.version_info,error_state.details"
)
_LIVE_TUNNELS = f"cluster.{TUNNELS}.upstream_cx_active"
_CERTIFICATE_VERSION = f"sds.{CERTIFICATE}.version_text"
_UNTAKEN = ("http.gateway.downstream_cx_tx_bytes_buffered", "http.gateway.downstream_rq_active")
"""What lies here for clients, and who has not all of an answer (Envoy: HTTP connection manager,
statistics). A tunnel whose target has said all is over for that, and for its client not yet."""
_KEPT = (
    r"listener\.gateway\.(downstream_|ssl\.handshake|ssl\.connection_error|ssl\.certificate\.).*",
    rf"cluster\.{TUNNELS}[^.]*\.upstream_cx_(active|connect_fail)",
    *(name.replace(".", r"\.") for name in _UNTAKEN),
    r"sds\..*\.version_text",
    r"overload\..*\.pressure",
    r"access_log\..*",
    r"server\.uptime",
)
STATISTICS = {
    "stats_matcher": {
        "inclusion_list": {"patterns": [{"safe_regex": {"regex": each}} for each in _KEPT]}
    }
}
"""Which of its statistics Envoy keeps (Envoy: StatsConfig): those that anybody asks for. With all
of them, each answer about one costs it five times as much."""


@dataclass(frozen=True)
class Listeners:
    """What Envoy says of its listeners, by their names."""

    active: frozenset[str] = frozenset()
    bound: Mapping[str, frozenset[tuple[str, int]]] = field(default_factory=dict)
    """The addresses that are really listened at."""
    rejected: Mapping[str, str] = field(default_factory=dict)
    """Why Envoy did not take a listener, in its words."""


class AdminClient:
    """Asks Envoy. Every method raises `UnavailableError` when it does not answer."""

    def __init__(self, endpoints: LocalEndpoints) -> None:
        self._endpoints = endpoints
        self._mark = ""
        self._client: _SharedClient | None = None

    async def ask(self, mark: str) -> None:
        """From now on, ask the Envoy with that mark; one of an earlier release has none."""
        if mark != self._mark:
            await self.close()
            self._mark = mark

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up, once nobody waits for an answer any more."""
        client, self._client = self._client, None
        if client is not None:
            await client.leave()

    async def is_ready(self) -> bool:
        """Whether Envoy is there and has started its workers."""
        try:
            return (await self._send("GET", "/ready")).text == "LIVE\n"
        except UnavailableError:
            return False

    async def listeners(self) -> Listeners:
        """The listeners that are active, and those that were rejected."""
        dump = await self._json(_LISTENERS)
        bound = await self._json("/listeners?format=json")
        return read_listeners(dump, bound)

    async def live_tunnels(self) -> int:
        """How many tunnels are going on."""
        return (await self.counters(_LIVE_TUNNELS)).get(_LIVE_TUNNELS, 0)

    async def owes_clients(self) -> bool:
        """Whether there is something that a client has yet to take."""
        return any((await self.counters(*_UNTAKEN)).values())

    async def counters(self, *names: str) -> Mapping[str, int]:
        """What Envoy has counted under these names, as far as it knows them."""
        found = await self._stats(*names)
        return {name: int(value) for name, value in found.items()}

    async def certificate_version(self) -> str:
        """The version of the certificate file that new tunnels get."""
        return str((await self._stats(_CERTIFICATE_VERSION)).get(_CERTIFICATE_VERSION, ""))

    async def reopen_logs(self) -> None:
        """Let the access log be opened anew, after its file was moved away."""
        await self._send("POST", "/reopen_logs")

    async def _stats(self, *names: str) -> dict[str, Any]:
        pattern = "^(" + "|".join(name.replace(".", r"\.") for name in names) + ")$"
        body = await self._json(f"/stats?format=json&filter={pattern}")
        return {each["name"]: each["value"] for each in body["stats"] if "name" in each}

    async def _json(self, path: str) -> Any:
        response = await self._send("GET", path)
        return response.json()

    async def _send(self, method: str, path: str) -> httpx2.Response:
        if self._client is None:
            found = self._endpoints.admin_client(self._mark)
            if found is None:
                raise UnavailableError("Envoy has not said yet where its administration is.")
            self._client = _SharedClient(found)
        try:
            return await self._client.request(method, path)
        except httpx2.TransportError as error:
            await self.close()  # it may be elsewhere by now
            raise UnavailableError(
                f"Envoy's administration does not answer: {why_unanswered(error)}."
            ) from error


class _SharedClient:
    """A client by which several ask at once: it is closed when it was left, and nobody asks.

    Whoever asks as it is closed may come by a connection after that, which nobody would close.
    """

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._asking = 0
        self._is_left = False

    async def request(self, method: str, path: str) -> httpx2.Response:
        """Ask."""
        self._asking += 1
        try:
            return await self._client.request(method, path)
        finally:
            self._asking -= 1
            await self._close_unless_used()

    async def leave(self) -> None:
        """Nobody asks by it from now on."""
        self._is_left = True
        await self._close_unless_used()

    async def _close_unless_used(self) -> None:
        if self._is_left and not self._asking:
            await self._client.aclose()


def read_listeners(dump: Any, bound: Any) -> Listeners:
    """Put together what ``/config_dump`` and ``/listeners`` say."""
    configs = [each for each in dump.get("configs", []) if each.get("name")]
    return Listeners(
        active=frozenset(each["name"] for each in configs if "active_state" in each),
        bound={
            each["name"]: frozenset(_addresses(each))
            for each in bound.get("listener_statuses", [])
            if "socket_address" in each["local_address"]  # the others are within Envoy
        },
        rejected={
            each["name"]: each["error_state"].get("details", "without a reason")
            for each in configs
            if "error_state" in each
        },
    )


def _addresses(status: Any) -> Iterable[tuple[str, int]]:
    for each in (status["local_address"], *status.get("additional_local_addresses", [])):
        where = each["socket_address"]
        yield where["address"], where["port_value"]
