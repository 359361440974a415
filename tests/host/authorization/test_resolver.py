"""Do tunnels find their targets while name servers are slow, silent, or wrong?"""

import asyncio
import errno
import socket
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from cloudgate.errors import AccessDeniedError, UnavailableError
from cloudgate.host.authorization import resolver
from cloudgate.host.authorization.resolver import FRESH_SECONDS, KEPT, STALE_SECONDS, Resolver

pytestmark = pytest.mark.anyio
VAULT = "vault.example:443"


class NameServer:
    """Answers as a test wants it to."""

    def __init__(self) -> None:
        self.now_seconds = 1000.0
        self.addresses = {"vault.example": "192.0.2.1"}
        self.problem: OSError | None = None
        self.asked: Counter[str] = Counter()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.resolver = Resolver(lambda: self.now_seconds, lambda: {"192.0.2.9"}, self._find)

    def _find(self, host: str, _port: int) -> list[str]:
        self.asked[host] += 1
        if host in self.addresses:
            self.may_answer.wait()
        if self.problem is not None:
            raise self.problem
        return [self.addresses.get(host, "192.0.2.99")]


@pytest.fixture
def names() -> NameServer:
    return NameServer()


@pytest.fixture
def lose_patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on silence is not waited for. Before, who answers may be as slow as a machine."""

    def lose() -> None:
        monkeypatch.setattr(resolver, "LOOKUP_AGAIN_SECONDS", 0.05)
        monkeypatch.setattr(resolver, "LOOKUP_SECONDS", 0.2)

    return lose


async def test_many_who_ask_at_once_are_answered_by_one_look(names: NameServer) -> None:
    names.may_answer.clear()
    asking = [asyncio.create_task(names.resolver.resolve(VAULT)) for _ in range(100)]
    await asyncio.sleep(0)
    asking.pop(0).cancel()  # the one that asked first goes away
    names.may_answer.set()
    assert set(await asyncio.gather(*asking)) == {("192.0.2.1:443",)}
    assert names.asked == {"vault.example": 1}


async def test_an_answer_is_used_again_for_a_moment_and_a_target_that_moves_is_found(
    names: NameServer,
) -> None:
    assert await names.resolver.resolve(VAULT) == ("192.0.2.1:443",)
    names.addresses["vault.example"] = "192.0.2.2"
    assert await names.resolver.resolve(VAULT) == ("192.0.2.1:443",)
    names.now_seconds += FRESH_SECONDS
    assert await names.resolver.resolve(VAULT) == ("192.0.2.2:443",)


async def test_a_name_whose_name_server_is_dead_leaves_other_names_alone(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "LOOKUP_SECONDS", 2.0)
    names.may_answer.clear()
    stuck = [asyncio.create_task(names.resolver.resolve(VAULT)) for _ in range(50)]
    assert await names.resolver.resolve("other.example:1") == ("192.0.2.99:1",)
    for each in await asyncio.gather(*stuck, return_exceptions=True):
        assert isinstance(each, UnavailableError)
    names.may_answer.set()


SILENT = {
    "nobody answers": socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    "nobody can be asked": OSError(errno.EMFILE, "Too many open files"),
}


@pytest.mark.parametrize("silence", [*SILENT, "the answer is late"])
async def test_while_no_name_server_answers_the_last_answer_is_used_for_a_day(
    names: NameServer, silence: str, lose_patience: Callable[[], None]
) -> None:
    assert await names.resolver.resolve(VAULT) == ("192.0.2.1:443",)
    if silence in SILENT:
        names.problem = SILENT[silence]
    else:
        names.may_answer.clear()
        lose_patience()
    names.now_seconds += STALE_SECONDS - 1
    assert await names.resolver.resolve(VAULT) == ("192.0.2.1:443",)
    names.now_seconds += 1
    with pytest.raises(UnavailableError, match="No name server"):
        await names.resolver.resolve(VAULT)
    names.may_answer.set()


async def test_an_answer_that_comes_late_is_there_for_who_comes_next(
    names: NameServer, lose_patience: Callable[[], None]
) -> None:
    await names.resolver.resolve(VAULT)
    lose_patience()
    names.addresses["vault.example"] = "192.0.2.2"
    names.now_seconds += FRESH_SECONDS
    names.may_answer.clear()
    assert await names.resolver.resolve(VAULT) == ("192.0.2.1:443",)
    names.may_answer.set()
    async with asyncio.timeout(30):
        while await names.resolver.resolve(VAULT) != ("192.0.2.2:443",):
            pass


async def test_a_name_that_is_gone_is_gone(names: NameServer) -> None:
    await names.resolver.resolve(VAULT)
    names.now_seconds += FRESH_SECONDS
    names.problem = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with pytest.raises(UnavailableError, match="has no address"):
        await names.resolver.resolve(VAULT)


async def test_a_name_that_comes_to_lead_to_this_machine_leads_nowhere(names: NameServer) -> None:
    await names.resolver.resolve(VAULT)
    names.now_seconds += FRESH_SECONDS
    for own in ("192.0.2.9", "127.0.0.1"):
        names.addresses["vault.example"] = own
        with pytest.raises(AccessDeniedError, match="leads to the gateway itself"):
            await names.resolver.resolve(VAULT)


async def test_no_more_answers_are_kept_than_there_is_room_for(names: NameServer) -> None:
    for number in range(KEPT + 1):
        await names.resolver.resolve(f"host{number}.example:1")
    await names.resolver.resolve("host0.example:1")
    await names.resolver.resolve(f"host{KEPT}.example:1")
    assert names.asked["host0.example"] == 2
    assert names.asked[f"host{KEPT}.example"] == 1


async def test_addresses_are_themselves() -> None:
    found = Resolver()
    assert await found.resolve("127.0.0.1:1") == ("127.0.0.1:1",)
    assert await found.resolve("[::1]:1") == ("[::1]:1",)
    found.close()
