"""Is what a tenant wants for itself understood, handed on, and answered by what came of it?"""

import asyncio
import base64
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.host.authorization import authorizer
from cloudgate.host.authorization.admissions import Admissions
from cloudgate.host.authorization.authorizer import Authorizer
from cloudgate.host.authorization.own import broker
from cloudgate.host.authorization.own.broker import (
    AWAY,
    BUSY,
    OLD_PASSWORD,
    OUT_OF_BOUNDS,
    OwnResult,
)
from cloudgate.host.authorization.own.requests import OwnChange
from cloudgate.host.authorization.policy import NOT_IN_TIME, Denial
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.protocol import DirectoryChange, OwnAnswer, OwnRequest, Refusal
from tests.host.scripted_parts import EmptyGateway
from tests.support.running.tenant import HASHER, PASSWORD, PASSWORD_HASH, tenant
from tests.support.waiting import PATIENCE_SECONDS, until_async

NEW = "another good one"
NEW_HASH = HASHER.hash(NEW)
WANTED = OwnChange(new_password=NEW, old_password_seconds=60)
PEM = "-----BEGIN CERTIFICATE REQUEST-----\n"
DONE = OwnAnswer(status=200)


def credentials(password: str = PASSWORD) -> str:
    """The header by which the tenant proves itself."""
    return "Basic " + base64.b64encode(f"acme:{password}".encode()).decode()


class Door:
    """An authorizer whose manager is the test."""

    def __init__(self, folder: Path) -> None:
        self.directory = TenantDirectory(folder / "directory.json")
        self.judge = Authorizer(
            self.directory,
            SiteStore(folder / "site.json"),
            GatewayStatus(),
            Admissions(),
            EmptyGateway(),
        )
        self.asked: list[OwnRequest] = []
        self.answer: OwnAnswer | Exception = DONE
        self.hears = True
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.judge.own.ask = self._ask
        self.know()

    def know(self, **changes: object) -> None:
        """Have the gateway know the tenant like that."""
        revision = self.directory.revision + 1
        change = DirectoryChange(
            from_revision=0, revision=revision, tenants=(tenant(1, **changes),)
        )
        self.directory.apply(change)

    async def request(self, change: OwnChange = WANTED, password: str = PASSWORD) -> OwnResult:
        """What is said to the tenant who wants that."""
        return await self.judge.ask_manager(change, credentials(password), "192.0.2.1")

    async def _ask(self, request: OwnRequest) -> OwnAnswer:
        self.asked.append(request)
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.hears and self.answer is DONE:
            self.know(password_hash=NEW_HASH)
        return self.answer


@pytest.fixture
def door(tmp_path: Path, anyio_backend: object) -> Iterator[Door]:
    made = Door(tmp_path)
    with made.judge:
        yield made


@pytest.mark.anyio
async def test_a_password_is_changed_by_the_manager_and_good_here_when_that_is_said(
    door: Door,
) -> None:
    told = await door.request()
    assert (told.text, told.denial) == ("The password has been changed.\n", None)
    (asked,) = door.asked
    assert (asked.password, asked.new_password) == (PASSWORD, NEW)
    assert (asked.old_password_seconds, str(asked.address)) == (60, "192.0.2.1")
    assert (await door.request(password=NEW)).denial is None


@pytest.mark.anyio
async def test_a_change_of_which_the_gateway_does_not_hear_is_said_all_the_same(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "HEARD_SECONDS", 0.05)
    door.hears = False
    assert (await door.request()).denial is None


@pytest.mark.anyio
async def test_what_the_manager_refuses_is_refused_in_its_words(door: Door) -> None:
    for status, kind in ((401, Refusal.CREDENTIALS), (403, Refusal.OTHER)):
        door.answer = OwnAnswer(status=status, message="Not so.")
        assert (await door.request()).denial == Denial(status, "Not so.", kind=kind)


@pytest.mark.anyio
async def test_a_manager_that_does_not_answer_is_said_to_be_away(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.answer = UnavailableError("away")
    assert (await door.request()).denial is AWAY
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 0.02)
    door.may_answer.clear()
    assert (await door.request()).denial is AWAY
    door.judge.own.ask = None
    assert (await door.request()).denial is AWAY


FOREVER_SECONDS = 3600.0


async def soon(told: Awaitable[OwnResult]) -> OwnResult:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await told


@pytest.mark.anyio
async def test_who_asks_is_told_while_envoy_waits_whatever_takes_long(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.hears = False
    await door.request(OwnChange(certificate_request=PEM))  # the password is known from now on
    monkeypatch.setattr(broker, "ANSWER_SECONDS", FOREVER_SECONDS)
    monkeypatch.setattr(broker, "HEARD_SECONDS", FOREVER_SECONDS)
    monkeypatch.setattr(authorizer, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(authorizer, "DEADLINE_SECONDS", 0.2)
    assert (await soon(door.request())).denial is None, "it was done"
    door.may_answer.clear()
    assert (await soon(door.request())).denial is AWAY, "whether it was is not known"


@pytest.mark.anyio
async def test_the_manager_is_not_asked_when_too_little_time_is_left(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorizer, "DEADLINE_SECONDS", broker.LEAST_SECONDS)
    assert (await door.request()).denial is NOT_IN_TIME
    assert not door.asked


@pytest.mark.anyio
async def test_who_asks_for_gateways_is_told_while_envoy_waits(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorizer, "DEADLINE_SECONDS", 0.0)
    told = await door.judge.describe_gateways(credentials(), "192.0.2.1")
    assert told.denial is NOT_IN_TIME


@pytest.mark.anyio
async def test_a_tenant_has_one_own_request_at_a_time(door: Door) -> None:
    door.may_answer.clear()
    first = asyncio.create_task(door.request())
    await until_async(lambda: door.asked)
    assert (await door.request()).denial is BUSY
    door.may_answer.set()
    assert (await first).denial is None


@pytest.mark.anyio
async def test_what_is_out_of_bounds_or_said_with_an_old_password_is_not_handed_on(
    door: Door,
) -> None:
    endless = OwnChange(new_password="x" * 10_000)
    assert (await door.request(endless)).denial is OUT_OF_BOUNDS
    door.know(
        password_hash=NEW_HASH,
        old_password_hash=PASSWORD_HASH,
        old_password_until=datetime.now(UTC) + timedelta(days=1),
    )
    assert (await door.request()).denial is OLD_PASSWORD
    assert not door.asked
