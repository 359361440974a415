"""Does a gateway let a tenant in only from where it may come from?"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from cloudgate.host.authorization.rejected_logins import GATHERED_FOR
from cloudgate.host.envoy.data_path.choice import DataPathKind
from cloudgate.host.state.withdrawal import left_of
from cloudgate.protocol import GatewayState, Refusal, Tenant, User
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, PASSWORD_HASH, tenant
from tests.support.running.tenant_program import Client, Tunnel
from tests.support.waiting import PATIENCE_SECONDS

EACH_WAY = pytest.mark.parametrize("way", list(DataPathKind), indirect=True)
REPO = "repo.example:443"
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
LATER = EARLIER + timedelta(hours=1)
pytestmark = pytest.mark.anyio


def users(
    *names_and_networks: tuple[str, tuple[str, ...] | None], **more: object
) -> tuple[User, ...]:
    return tuple(
        User.model_validate(
            {
                "user_id": UUID(int=number),
                "name": name,
                "password_hash": PASSWORD_HASH,
                "networks": networks,
                "targets": tenant(1).targets[:1],
                **more,
            }
        )
        for number, (name, networks) in enumerate(names_and_networks, 100)
    )


async def opened(machine: Machine, who: Tenant) -> int:
    machine.know(who)
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    return port


async def ended(tunnel: Tunnel) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await tunnel.is_cut()


@EACH_WAY
async def test_who_comes_from_elsewhere_is_refused_with_the_reason_counted_and_told(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, tenant(repository_port, networks=(f"{HERE}/32", "2001:db8::/32")))
    assert (await client.connect(port, REPO)).status == 200
    for _ in range(2):
        refused = await client.connect(port, REPO, source=ELSEWHERE)
        assert refused.status == 403
        assert refused.body == (
            "The tenant may not come from 127.0.0.2: that address is in none of its networks.\n"
        )
    meter = machine.authorizer.meter
    assert meter.refused[Refusal.NETWORK] == 2
    assert meter.refused_tenants[UUID(int=1)] == 2
    outsiders = machine.authorizer.outsiders
    assert not outsiders.pending(), "they are put together for a minute"
    outsiders._now = lambda: datetime.now(UTC) + GATHERED_FOR
    (told,) = outsiders.pending()
    assert (told.name, str(told.address), told.count) == ("Acme", ELSEWHERE, 2)
    assert not machine.guesses.pending()


async def test_who_has_no_good_password_does_not_learn_that_there_are_networks(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, tenant(repository_port, networks=("192.0.2.0/24",)))
    refused = await client.connect(port, REPO, "acme:wrong")
    assert refused.status == 407
    assert "network" not in refused.body


async def test_a_list_that_is_edited_holds_for_the_next_tunnel_and_live_ones_go_on(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, tenant(repository_port))
    live = await client.connect(port, REPO, source=ELSEWHERE)
    machine.know(tenant(repository_port, networks=("127.0.0.1/32",)))
    assert (await client.connect(port, REPO, source=ELSEWHERE)).status == 403
    machine.enforcer.review()
    assert await live.echoes()
    machine.know(tenant(repository_port, networks=("127.0.0.0/30",)))
    assert (await client.connect(port, REPO, source=ELSEWHERE)).status == 200


@EACH_WAY
async def test_when_asked_live_tunnels_from_elsewhere_end_and_the_others_go_on(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, tenant(repository_port))
    inside, outside = [await client.connect(port, REPO, source=each) for each in (HERE, ELSEWHERE)]
    narrow = {"networks": (f"{HERE}/32",), "outside_end_before": EARLIER}
    machine.know(tenant(repository_port, **narrow))
    await ended(outside)
    assert await inside.echoes()
    # What was let in since then goes on where it is taken away without a word about live ones.
    machine.know(tenant(repository_port, **{**narrow, "networks": None}))
    since = await client.connect(port, REPO, source=ELSEWHERE)
    machine.know(tenant(repository_port, **narrow))
    assert (await client.connect(port, REPO, source=ELSEWHERE)).status == 403
    machine.enforcer.review()
    assert await since.echoes()
    machine.know(tenant(repository_port, **{**narrow, "outside_end_before": LATER}))
    await ended(since)
    assert await inside.echoes()


async def test_a_user_has_to_come_from_its_networks_and_from_its_tenants(
    machine: Machine, client: Client, repository_port: int
) -> None:
    some = users(("both", None), ("far", ("127.0.0.2/32",)), ("near", ("127.0.0.1/32",)))
    who = tenant(repository_port, networks=("127.0.0.1/32",), users=some)
    port = await opened(machine, who)

    async def status(user: str, source: str) -> int:
        login = f"acme\\{user}:{PASSWORD}"
        return (await client.connect(port, REPO, login, source=source)).status

    # A user's target is the one of the port that nobody listens at: let in is 503 here.
    assert await status("both", HERE) == await status("near", HERE) == 503
    assert await status("both", ELSEWHERE) == 403
    assert await status("near", ELSEWHERE) == 403
    refused = await client.connect(port, REPO, f"acme\\far:{PASSWORD}")
    assert refused.status == 403
    assert refused.body.startswith("This user of the tenant may not come from 127.0.0.1")


@pytest.mark.parametrize("end", ["tunnels_end_before", "outside_end_before"])
async def test_the_tunnels_of_one_user_end_when_asked_and_no_others(
    machine: Machine, client: Client, repository_port: int, end: str
) -> None:
    targets = tenant(repository_port).targets[:1]
    port = await opened(
        machine,
        tenant(repository_port, users=users(("one", None), ("two", None), targets=targets)),
    )
    own, one, two = [
        await client.connect(port, REPO, f"{name}:{PASSWORD}", source=ELSEWHERE)
        for name in ("acme", "acme\\one", "acme\\two")
    ]
    first, second = users(("one", (f"{HERE}/32",)), ("two", None), targets=targets)
    changed = first.model_copy(update={end: EARLIER})
    machine.know(tenant(repository_port, users=(changed, second)))
    await ended(one)
    assert await two.echoes()
    assert await own.echoes()


async def test_the_document_of_gateways_is_for_those_who_come_from_where_they_may(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, tenant(repository_port, networks=("127.0.0.1/32",)))
    asked = (
        "GET /.well-known/cloudgate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic"
        " YWNtZTpHcsO8bmVzLUJvb3QtNzp4\r\n\r\n"
    )
    for source, status in ((HERE, 200), (ELSEWHERE, 403)):
        assert (await client.ask(port, asked, source=source)).status == status


def test_on_a_full_disk_networks_get_fewer_and_never_more() -> None:
    known = tenant(1, networks=("10.0.0.0/8",), users=users(("one", None)))
    told = tenant(1, networks=("10.1.0.0/16", "192.0.2.0/24"), users=users(("one", ("::1/128",))))
    left = left_of(known, told)
    assert left.networks == ("10.1.0.0/16",)
    assert left.users[0].networks == ("::1/128",)
    assert left_of(known, tenant(1)).networks == ("10.0.0.0/8",)
    assert left_of(known, tenant(1, networks=("192.0.2.0/24",))).networks == ()


def test_what_was_told_is_the_same_after_a_restart() -> None:
    known = tenant(1, networks=("10.0.0.0/8",), users=users(("one", ())))
    assert Tenant.model_validate(json.loads(known.model_dump_json())) == known
