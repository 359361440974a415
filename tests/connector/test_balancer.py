"""Does the connector know which gateways are there, at little cost for them?"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from cloudgate.connector import balancer, health_schedule
from cloudgate.connector.balancer import Balancer
from cloudgate.connector.load_balancing import (
    MOST_GATEWAYS,
    GatewayEndpoint,
    listed,
    merged,
    ranked,
)
from cloudgate.connector.tls_connection import CertificateError, GatewayUnreachableError, Identity
from cloudgate.connector.tunnel import fetch_discovery_document
from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.network.hostport import HostPort
from cloudgate.network.race import race
from tests.connector.support import (
    TARGET,
    Gateways,
    RunningConnector,
    connected_to,
    mute,
    scripted_gateway,
    until_known,
)
from tests.support.certificates.authority import Authority
from tests.support.ports import free_port
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

FAILOVER_SECONDS = 2.0
"""What the connector promises while one gateway is dead."""
GOOD = {"Address": "gw.example", "Port": 6180}


@pytest.mark.parametrize(
    "said",
    [
        {**GOOD, "Port": "many"},
        {**GOOD, "Port": None},
        {**GOOD, "Port": 10**30},
        {**GOOD, "Port": float("inf")},
        {**GOOD, "Port": -1},
        {**GOOD, "Port": []},
        {**GOOD, "Address": "\x1b[2J"},
        {**GOOD, "Address": ""},
        {**GOOD, "Address": None, "Port": 0},
        {"Port": 6180},
        {"Address": "gw.example"},
        "gw.example",
        None,
    ],
)
def test_what_is_no_address_is_left_out_of_a_list_whichever_gateway_tells_it(said: object) -> None:
    known = [(HostPort("gw.example", 6180), False)]
    assert listed({"Gateways": [said, GOOD]}) == known
    assert listed({"Gateways": said}) == []


def test_a_list_has_no_more_gateways_than_any_provider() -> None:
    told = [{**GOOD, "Address": f"gw{number}.example"} for number in range(MOST_GATEWAYS + 1)]
    assert len(listed({"Gateways": told})) == MOST_GATEWAYS


@pytest.mark.anyio
async def test_the_list_is_read_again_while_tunnels_are_asked_for(
    connected: RunningConnector, gateways: Gateways
) -> None:
    await until_known(connected, healthy=3, of=3)
    gateways.list(1)
    assert await connected.echoes()
    await until_known(connected, healthy=1, of=1)
    assert await connected.echoes()
    assert connected.fleet.used == gateways.address(1)


@pytest.fixture
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """All gateways are asked each time that it is seen to whom has to be."""
    monkeypatch.setattr(health_schedule, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(health_schedule, "IDLE_SECONDS", 0.1)


async def until_listed(connected: RunningConnector, *addresses: HostPort) -> None:
    """Wait until the connector knows these gateways and no others."""

    def known() -> set[HostPort]:
        return {each.address for each in connected.fleet.gateways}

    await until_async(lambda: known() == set(addresses), said=known)


async def until_asked_anew(connected: RunningConnector, address: HostPort) -> None:
    """Wait until a gateway has answered a question that was asked after this one began."""
    (gateway,) = (each for each in connected.fleet.gateways if each.address == address)
    for _ in range(2):  # the next one is asked when there is an answer
        before = gateway.asked_at
        await until_async(lambda: gateway.asked_at != before)  # noqa: B023  it is awaited here


@pytest.mark.anyio
@pytest.mark.usefixtures("asked_often")
@pytest.mark.parametrize("named", ["by the name of lists", "by a name for all"])
async def test_a_gateway_that_was_taken_away_keeps_no_tenant_by_a_list_of_its_own(
    gateways: Gateways, who: Identity, named: str
) -> None:
    genuine, stolen, other = (gateways.address(number) for number in range(3))
    given = genuine if named == "by the name of lists" else HostPort("LOCALHOST", genuine.port)
    async with connected_to([given], who) as connected:
        await until_known(connected, healthy=3, of=3)
        gateways.list(1, by=[1])
        await until_asked_anew(connected, stolen)
        await until_listed(connected, genuine, stolen, other)
        gateways.list(0, 2, by=[0, 2])  # the provider has taken it away
        await until_listed(connected, genuine, other)
        await until_asked_anew(connected, other)
        await until_listed(connected, genuine, other)
        assert await connected.echoes()


@pytest.mark.anyio
@pytest.mark.usefixtures("asked_often")
async def test_a_gateway_that_the_tenant_named_and_no_list_has_is_heard(
    gateways: Gateways, who: Identity
) -> None:
    async with connected_to([gateways.address(0)], who) as connected:
        await until_known(connected, healthy=3, of=3)
        gateways.list(1, 2)
        await until_listed(connected, gateways.address(1), gateways.address(2))
        await until_asked_anew(connected, gateways.address(1))
        gateways.list(2, by=[0])
        await until_listed(connected, gateways.address(2))


@pytest.mark.anyio
@pytest.mark.usefixtures("asked_often")
async def test_while_no_gateway_that_the_tenant_named_answers_the_others_say_which_there_are(
    gateways: Gateways, who: Identity
) -> None:
    async with connected_to([gateways.address(0)], who) as connected:
        await until_known(connected, healthy=3, of=3)
        await gateways.lose(0)
        gateways.list(1)
        await until_listed(connected, gateways.address(1))
        assert await connected.echoes()
        gateways.list(0, 2, by=[0])
        await gateways.open(0)
        await until_listed(connected, gateways.address(0), gateways.address(2))
        assert await connected.echoes()


@pytest.mark.anyio
@pytest.mark.usefixtures("asked_often")
async def test_a_named_gateway_that_is_for_others_by_now_decides_nothing_and_refuses_nobody(
    gateways: Gateways, who: Identity
) -> None:
    gateways.list(1, 2)
    async with connected_to([gateways.address(0)], who) as connected:
        refused: list[str] = []
        connected.fleet.on_refused = lambda: refused.append("")
        await until_listed(connected, gateways.address(1), gateways.address(2))
        with capture_logs() as logs:
            gateways.machines[0].know()
            await until_async(lambda: "refused" in [each["event"] for each in logs])
            gateways.list(1)
            await until_listed(connected, gateways.address(1))
        assert await connected.echoes()
        assert not refused


@pytest.mark.anyio
async def test_a_first_gateway_that_says_nothing_costs_a_moment_at_the_start(
    gateways: Gateways, who: Identity
) -> None:
    async with mute() as silent:
        fleet = Balancer([silent, gateways.address(0)], who, half_close=False)
        started = time.monotonic()
        await fleet.discover()
        async with fleet.tunnel(TARGET):
            assert time.monotonic() - started < FAILOVER_SECONDS
    assert [each.address.port for each in fleet.gateways] == gateways.ports


@pytest.mark.anyio
async def test_a_gateway_that_falls_silent_before_its_answer_costs_a_moment(
    gateways: Gateways, who: Identity, authority: Authority, tmp_path: Path
) -> None:
    async with mute(authority, tmp_path) as silent:
        fleet = Balancer([silent, gateways.address(0)], who, half_close=False)
        fleet.gateways[1].record_load(1)
        started = time.monotonic()
        async with fleet.tunnel(TARGET) as tunnel:
            assert time.monotonic() - started < FAILOVER_SECONDS
            assert tunnel.gateway == gateways.address(0)


@pytest.mark.anyio
async def test_a_gateway_that_cuts_a_tunnel_is_asked_though_nobody_dials(
    connected: RunningConnector, gateways: Gateways
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", connected.port)
    writer.write(b"ping")
    assert await reader.readexactly(4) == b"ping"
    used = connected.fleet.used
    await gateways.lose(gateways.ports.index(used.port if used else 0))
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    await until_async(
        lambda: [each.address for each in connected.fleet.gateways if not each.healthy] == [used]
    )


SET_APART = "It is set apart for others."
NOT_FOR_THE_TENANT = f"403 Forbidden\r\nContent-Length: {len(SET_APART)}\r\n\r\n{SET_APART}"


@pytest.mark.anyio
@pytest.mark.parametrize("other", ["is for others", "cannot be verified"])
async def test_a_gateway_that_restarts_is_waited_for_whatever_another_one_says(
    tmp_path: Path,
    authority: Authority,
    who: Identity,
    other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(balancer, "GIVE_UP_SECONDS", PATIENCE_SECONDS)
    folders = [tmp_path / each for each in "ab"]
    for each in folders:
        each.mkdir()
    signer = authority if other == "is for others" else Authority()
    async with scripted_gateway(signer, folders[0], says=NOT_FOR_THE_TENANT) as answering:
        away = HostPort("localhost", free_port())
        fleet = Balancer([answering.address, away], who, half_close=False)
        refused: list[str] = []
        fleet.on_refused = lambda: refused.append("")

        async def opened() -> HostPort:
            async with fleet.tunnel(TARGET) as tunnel:
                return tunnel.gateway

        opening = asyncio.create_task(opened())
        await until_async(lambda: opening.done() or not fleet.gateways[1].healthy)
        async with scripted_gateway(authority, folders[1], port=away.port):
            assert await opening == away
        assert not refused


@pytest.mark.anyio
async def test_a_gateway_that_cannot_be_verified_has_not_refused_the_tenant(
    tmp_path: Path, who: Identity
) -> None:
    async with scripted_gateway(Authority(), tmp_path) as stranger:
        fleet = Balancer([stranger.address], who, half_close=False)
        refused: list[str] = []
        fleet.on_refused = lambda: refused.append("")
        with pytest.raises(CertificateError):
            async with fleet.tunnel(TARGET):
                pass
        assert not refused


@pytest.mark.anyio
async def test_each_gateway_is_said_to_be_lost_once_however_often_it_is_tried(
    gateways: Gateways, who: Identity
) -> None:
    gateways.list(0)
    never = HostPort("localhost", free_port())
    fleet = Balancer([never, gateways.address(0)], who, half_close=False)
    await fleet.discover()
    assert [each.address for each in fleet.gateways] == [gateways.address(0)]
    await gateways.lose(0)
    with capture_logs() as logs, pytest.raises(GatewayUnreachableError):
        async with fleet.tunnel(TARGET):  # tries both for seconds
            pass
    lost = [each["gateway"] for each in logs if each["event"] == "gateway lost"]
    assert sorted(lost) == sorted([str(never), str(gateways.address(0))])


@pytest.mark.anyio
async def test_maintenance_is_told_when_it_begins_and_when_it_is_over_and_never_twice(
    gateways: Gateways, who: Identity
) -> None:
    words = "New disks until 18:00. Restores go on."

    def told() -> list[object]:
        return [each.get("message", each["event"]) for each in logs if "provider" in each["event"]]

    with capture_logs() as logs:
        gateways.list(0, 1, 2, maintenance=words)
        async with connected_to([gateways.address(0)], who) as connected:
            await until_async(
                lambda: [each.maintenance for each in connected.fleet.gateways] == [words] * 3
            )
            assert told() == [words]
            gateways.list(0, 1, 2)
            assert await connected.echoes()
            await until_async(
                lambda: not any(each.maintenance for each in connected.fleet.gateways)
            )
    assert told() == [words, "the provider's maintenance is over"]


@asynccontextmanager
async def busy(gateways: Gateways, who: Identity, authority: Authority) -> AsyncIterator[Client]:
    """Gateways 0 and 1 without a manager, so that the tenant may have one tunnel by each.

    It has it by the idler, 0.
    """
    client = Client(authority.pem)
    for machine in gateways.machines:
        other = tenant(gateways.repository_port, tenant_id=UUID(int=2), name="Other")
        machine.know(tenant(gateways.repository_port, concurrent_tunnels=1), other)
        machine.tokens.note_away()
    gateways.list(0, 1)
    await client.connect(gateways.ports[0], str(TARGET))
    for _ in range(2):
        await client.connect(gateways.ports[1], str(TARGET), f"other:{PASSWORD}")

    async def told() -> list[int]:
        documents = [
            await fetch_discovery_document(gateways.address(number), who) for number in (0, 1)
        ]
        return [each["LiveTunnels"] for each in documents]

    async def all_are_told_of() -> bool:
        return await told() == [1, 2]

    await until_async(all_are_told_of)
    try:
        yield client
    finally:
        for tunnel in client.opened:
            tunnel.close()


@pytest.mark.anyio
async def test_where_the_tenant_has_all_its_tunnels_is_not_waited_while_another_gateway_has_room(
    gateways: Gateways, who: Identity, authority: Authority
) -> None:
    async with (
        busy(gateways, who, authority),
        connected_to([gateways.address(0)], who) as connected,
    ):
        await until_async(lambda: [each.load for each in connected.fleet.gateways] == [1, 2])
        started = time.monotonic()
        assert await connected.echoes()
        assert time.monotonic() - started < gateways.machines[0].wait_seconds
        assert connected.fleet.used == gateways.address(1)
        assert all(each.healthy for each in connected.fleet.gateways)


@pytest.mark.anyio
async def test_that_the_tenant_has_all_its_tunnels_is_reported_when_all_gateways_say_so(
    gateways: Gateways, who: Identity, authority: Authority
) -> None:
    async with busy(gateways, who, authority) as client:
        fleet = Balancer([gateways.address(0)], who, half_close=False)
        await fleet.discover()
        await client.connect(gateways.ports[1], str(TARGET))
        with pytest.raises(
            UnavailableError,
            match="1 tunnels here and at other gateways, which is all that it may have",
        ):
            async with fleet.tunnel(TARGET):
                pass
        assert all(each.healthy for each in fleet.gateways)


@pytest.mark.anyio
async def test_of_two_that_answer_at_the_same_moment_the_other_one_is_let_go() -> None:
    begun: list[GatewayEndpoint] = []
    answer = asyncio.Event()

    async def ask(gateway: GatewayEndpoint) -> str:
        begun.append(gateway)
        if len(begun) == 2:
            answer.set()
        await answer.wait()
        return gateway.address.host

    gone: list[str] = []
    both = [GatewayEndpoint(HostPort("a", 1)), GatewayEndpoint(HostPort("b", 1))]
    found = await race(both, ask, patience_seconds=0.4, failed=lambda *_: None, discard=gone.append)
    assert found is not None
    assert sorted([found[1], *gone]) == ["a", "b"]


def test_the_best_gateway_is_healthy_own_and_idle() -> None:
    sick = GatewayEndpoint(HostPort("a", 1), lost_at=1.0)
    occupied = GatewayEndpoint(HostPort("b", 1), others=5)
    idle = GatewayEndpoint(HostPort("c", 1), others=3, tunnels=1)
    other = GatewayEndpoint(HostPort("d", 1), failover=True)
    assert ranked([sick, occupied, other, idle]) == [idle, occupied, other, sick]


def test_what_has_ended_since_a_gateway_was_asked_is_no_load() -> None:
    gateway = GatewayEndpoint(HostPort("a", 1), tunnels=5)
    gateway.record_load(7)
    assert gateway.load == 7
    gateway.tunnels -= 5
    assert gateway.load == 2


@pytest.mark.anyio
async def test_tunnels_that_have_ended_send_no_new_one_to_another_gateway(
    gateways: Gateways, who: Identity
) -> None:
    fleet = Balancer([gateways.address(0)], who, half_close=False)
    await fleet.discover()
    for _ in range(3):
        async with AsyncExitStack() as open_tunnels:
            used = [await open_tunnels.enter_async_context(fleet.tunnel(TARGET)) for _ in range(6)]
            by = Counter(each.gateway for each in used)
            assert sorted(by.values()) == [2, 2, 2]
    assert [each.load for each in fleet.gateways] == [0, 0, 0]


def test_what_was_known_of_a_gateway_outlives_a_new_list() -> None:
    known = [GatewayEndpoint(HostPort("a", 1), lost_at=1.0), GatewayEndpoint(HostPort("b", 1))]
    given = [GatewayEndpoint(HostPort("z", 1), lost_at=2.0)]
    assert merged(known, [(HostPort("a", 1), True)], given) == [
        GatewayEndpoint(HostPort("a", 1), failover=True, lost_at=1.0)
    ]
    assert merged(known, [(HostPort("z", 1), False)], given) == given
    assert merged(known, [], given) == given


def test_no_gateway_at_all_is_said(who: Identity) -> None:
    with pytest.raises(CloudgateError, match="does not answer"):
        asyncio.run(
            Balancer([HostPort("localhost", free_port())], who, half_close=False).discover()
        )
