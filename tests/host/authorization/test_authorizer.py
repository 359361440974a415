"""Is whoever may not come in told why, and is nothing kept for who has given up?"""

import asyncio
import base64
import errno
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.host.authorization import authorizer as authorizing
from cloudgate.host.authorization.admissions import Admissions
from cloudgate.host.authorization.authenticator import MAX_PENDING
from cloudgate.host.authorization.authorizer import AuthorizationResult, Authorizer
from cloudgate.host.authorization.own.requests import OwnChange
from cloudgate.host.authorization.policy import (
    BAD_REQUEST,
    NOBODY_KNOWN,
    NOT_IN_TIME,
    REVOKED,
    TOO_FAST,
    TOO_MANY_PASSWORDS,
    Denial,
)
from cloudgate.host.authorization.rejected_logins import GATHERED_FOR
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.protocol import DirectoryChange, Peer, Refusal, Site
from tests.host.scripted_parts import EmptyGateway, ScriptedPacer
from tests.support.ports import free_port
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
REPO, HERE = "repo.example:443", "192.0.2.1"
ACME, POOL = UUID(int=1), UUID(int=5)
WAIT_SECONDS = 0.05


class Door:
    """An authorizer, and what the host service has it know."""

    def __init__(self, folder: Path) -> None:
        self.directory = TenantDirectory(folder / "directory.json")
        self.site = SiteStore(folder / "site.json")
        self.gateway_status = GatewayStatus()
        self.admissions = Admissions()
        self.slots = self.admissions.slots
        self.now = datetime.now(UTC)
        self.judge = Authorizer(
            self.directory,
            self.site,
            self.gateway_status,
            self.admissions,
            EmptyGateway(),
            wait_seconds=WAIT_SECONDS,
            now=lambda: self.now,
        )

    def know(self, **changes: object) -> None:
        """Have it know the tenant like that."""
        change = DirectoryChange(
            from_revision=0, revision=self.directory.revision + 1, tenants=(tenant(1, **changes),)
        )
        self.directory.apply(change)

    async def ask(self, port: int = 1, password: str = PASSWORD) -> AuthorizationResult:
        """What is said to the tenant who wants a tunnel."""
        return await self.judge.authorize(REPO, basic(password), HERE, port)


def basic(password: str = PASSWORD) -> str:
    """The header by which the tenant proves itself."""
    return "Basic " + base64.b64encode(f"acme:{password}".encode()).decode()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    with made.judge:
        yield made


async def test_where_nobody_is_known_no_password_is_called_wrong(door: Door) -> None:
    assert (await door.ask()).denial is NOBODY_KNOWN
    assert (await door.judge.describe_gateways(basic(), HERE)).denial is NOBODY_KNOWN
    change = OwnChange(new_password="another good one")
    assert (await door.judge.ask_manager(change, basic(), HERE)).denial is NOBODY_KNOWN
    assert not door.judge.guesses.pending()


async def test_a_gateway_that_was_shut_out_lets_nobody_in_and_hands_nothing_on(door: Door) -> None:
    door.know()
    door.gateway_status.is_revoked = True
    assert (await door.ask()).denial is REVOKED
    change = OwnChange(new_password="another good one")
    assert (await door.judge.ask_manager(change, basic(), HERE)).denial is REVOKED


async def test_who_has_all_its_tunnels_hears_how_many_and_one_that_is_taken_back_frees_a_slot(
    door: Door,
) -> None:
    door.know(concurrent_tunnels=1)
    first = await door.ask(1)
    assert first.metadata is not None
    second = await door.ask(2)
    assert (second.metadata, second.tenant_id) == (None, ACME)
    denial = second.denial
    assert isinstance(denial, Denial)
    assert (denial.status, denial.kind) == (503, Refusal.TUNNELS)
    assert "has 1 tunnels here, which is all that it may have" in denial.reason
    door.judge.take_back(second, HERE, 2)
    assert door.slots.in_use(ACME) == 1, "it had none"
    door.judge.take_back(first, HERE, 1)
    assert door.slots.in_use(ACME) == 0
    assert (await door.ask(3)).denial is None


async def test_whatever_fails_at_the_beginning_of_a_tunnel_keeps_no_slot(door: Door) -> None:
    async def fail(*_: object) -> str:
        raise OSError(errno.EMFILE, "too many open files")

    door.know(concurrent_tunnels=1)
    door.admissions.starts.begin = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(OSError, match="too many"):
        await door.ask()
    assert door.slots.in_use(ACME) == 0


async def test_who_waits_for_a_slot_longer_than_envoy_would_is_told_so(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.know(concurrent_tunnels=1)
    assert (await door.ask(1)).denial is None
    monkeypatch.setattr(authorizing, "DEADLINE_SECONDS", WAIT_SECONDS / 2)
    assert (await door.ask(2)).denial is NOT_IN_TIME
    assert door.slots.in_use(ACME) == 1


async def test_who_opens_tunnels_faster_than_its_speed_allows_is_told_so_and_keeps_no_slot(
    door: Door,
) -> None:
    door.know()
    pacer = door.admissions.starts.pacer = ScriptedPacer(1000)
    assert (await door.ask(1)).denial is None
    assert (await door.ask(2)).denial is TOO_FAST
    assert (list(pacer.rates), door.slots.in_use(ACME)) == ([f"{HERE}:1"], 1)


async def test_who_gives_up_while_it_waits_for_its_turn_keeps_no_slot(door: Door) -> None:
    door.know()
    # One more may begin in six seconds.
    door.admissions.starts.pacer = ScriptedPacer(10_000)
    with Authorizer(
        door.directory, door.site, door.gateway_status, door.admissions, EmptyGateway()
    ) as patient:
        first = await patient.authorize(REPO, basic(), HERE, 1)
        assert first.denial is None
        waiting = asyncio.create_task(patient.authorize(REPO, basic(), HERE, 2))
        await until_async(lambda: door.slots.in_use(ACME) == 2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert door.slots.in_use(ACME) == 1


async def test_who_asks_for_the_document_with_too_many_passwords_is_turned_away(
    door: Door,
) -> None:
    door.know()
    asking = [
        asyncio.create_task(door.judge.describe_gateways(basic(f"wrong {n}"), HERE))
        for n in range(2 * MAX_PENDING)
    ]
    done, waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    while not any(each.result().denial is TOO_MANY_PASSWORDS for each in done):
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in asking:
        each.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_who_asks_for_the_document_without_proof_or_from_elsewhere_learns_nothing(
    door: Door,
) -> None:
    door.know(networks=("198.51.100.0/24",))
    for header in (None, "Bearer x", basic("wrong")):
        refused = await door.judge.describe_gateways(header, HERE)
        assert (refused.document, refused.denial) == ("", BAD_REQUEST), header
    outside = await door.judge.describe_gateways(basic(), HERE)
    assert outside.denial is not None
    assert outside.denial.kind is Refusal.NETWORK
    door.now += GATHERED_FOR
    assert [str(each.address) for each in door.judge.outsiders.pending()] == [HERE]
    assert "repo.example" in (await door.judge.describe_gateways(basic(), "198.51.100.7")).document


async def test_a_tenant_of_a_pool_is_let_in_elsewhere_only_while_its_gateways_are_down(
    door: Door,
) -> None:
    door.know(pool_ids=(POOL,), failover_to_others=True)
    port = free_port()
    gateway = Peer(gateway_id=UUID(int=9), name="gw", address="127.0.0.1", port=port, pool_id=POOL)
    door.site.replace(Site(revision=1, gateways=(gateway,)))

    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
        refused = (await door.ask(1)).denial
        assert refused is not None
        assert refused.kind is Refusal.POOL
    down = Site(revision=2, gateways=(gateway.model_copy(update={"gateway_id": UUID(int=8)}),))
    door.site.replace(down)  # one of which nothing is remembered yet
    assert (await door.ask(2)).denial is None
