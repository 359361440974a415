"""Is a host asked for its tunnels once for all who look, and held up by none of them?"""

import gc
import threading
import weakref
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

import pytest

from cloudgate.manager.registries.hosts import shared_tunnels
from cloudgate.manager.registries.hosts.host_queries import HostQueries
from cloudgate.manager.registries.hosts.shared_tunnels import SharedTunnels
from cloudgate.protocol import Answer, LiveTunnel
from tests.support.waiting import until

HOST, ACME, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


def tunnel(name: str, tenant_id: UUID) -> LiveTunnel:
    return LiveTunnel(
        tunnel=name,
        tenant_id=tenant_id,
        target="vault.example:8443",
        client="198.51.100.7:40000",
        started_at=datetime(2026, 3, 1, tzinfo=UTC),
        bytes_up=1,
        bytes_down=2,
    )


class AskedHost:
    """A host that answers when it is rung for, unless it is silent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.tunnels: tuple[LiveTunnel, ...] = ()
        self.times = 0
        self.is_silent = False
        self.questions = HostQueries()
        self.shared = SharedTunnels(lambda: self.now)

    def ring(self, hosts: Iterable[UUID]) -> None:
        for each in hosts:
            question = self.questions.next(each)
            assert question is not None
            self.times += 1
            if not self.is_silent:
                answer = Answer(question=question.question, tunnels=self.tunnels)
                self.questions.answered(each, answer)

    def seen(self, tenant_id: UUID) -> list[str] | None:
        found = self.shared.of(tenant_id, [HOST], self.questions, self.ring)[HOST]
        return None if found is None else [each.tunnel for each in found]


def test_all_who_look_share_what_a_host_said_for_a_moment() -> None:
    host = AskedHost()
    host.tunnels = (tunnel("a", ACME), tunnel("b", OTHER))
    assert [host.seen(ACME), host.seen(OTHER), host.seen(ACME)] == [["a"], ["b"], ["a"]]
    assert host.times == 1
    host.tunnels = ()
    host.now += shared_tunnels.KNOWN_SECONDS + 0.01
    assert host.seen(ACME) == []
    assert host.times == 2


def test_a_host_that_is_silent_is_waited_for_by_one_and_unknown_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_tunnels, "PATIENCE_SECONDS", 0.05)
    host = AskedHost()
    host.is_silent = True
    assert [host.seen(ACME), host.seen(OTHER)] == [None, None]
    assert host.times == 1, "it is not asked again at once"
    host.now += shared_tunnels.SILENT_SECONDS + 0.01
    host.is_silent, host.tunnels = False, (tunnel("a", ACME),)
    assert host.seen(ACME) == ["a"]


def test_what_a_host_said_is_kept_neither_for_long_nor_when_it_is_gone() -> None:
    host = AskedHost()
    asked = tunnel("a", ACME)
    host.tunnels = (asked,)
    said = weakref.ref(asked)
    assert host.seen(ACME) == ["a"]
    del asked
    host.tunnels = ()
    gc.collect()
    assert said() is not None, "for those who look at the same moment"
    host.now += shared_tunnels.KNOWN_SECONDS + 0.01
    host.shared.of(ACME, [], host.questions, host.ring)
    gc.collect()
    assert said() is None
    host.tunnels = (tunnel("b", ACME),)
    assert host.seen(ACME) == ["b"]
    host.shared.forget(HOST)
    host.tunnels = ()
    assert host.seen(ACME) == [], "it is another one"


def test_who_looks_while_a_host_is_asked_has_what_it_said_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_tunnels, "PATIENCE_SECONDS", 30.0)
    host = AskedHost()
    host.tunnels = (tunnel("a", ACME),)
    assert host.seen(ACME) == ["a"]
    host.now += shared_tunnels.KNOWN_SECONDS + 0.01
    rung, may_answer = threading.Event(), threading.Event()

    def ring(hosts: Iterable[UUID]) -> None:
        rung.set()
        assert may_answer.wait(30)
        host.ring(hosts)

    first: list[object] = []
    asking = threading.Thread(
        target=lambda: first.append(host.shared.of(ACME, [HOST], host.questions, ring))
    )
    asking.start()
    until(rung.is_set)
    assert host.seen(ACME) == ["a"], "and does not wait"
    host.tunnels = ()
    may_answer.set()
    asking.join()
    assert first == [{HOST: ()}]
    assert host.seen(ACME) == []
