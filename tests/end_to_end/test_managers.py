"""Two managers on one database: does it matter which is asked, and that one of them dies?"""

import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from cloudgate.client import Client as Program
from cloudgate.manager.storage.postgresql import postgresql_url
from tests.support.observation.histories import Done, order_of
from tests.support.observation.monitored_product import Site
from tests.support.programs.postgres import needs_postgresql, shared_server
from tests.support.running.managers import (
    PATIENCE_SECONDS,
    Managers,
    logged_on,
    names,
    plain_url,
    spec,
    two_managers,
)
from tests.support.running.product import PASSWORD, Client
from tests.support.waiting import until

pytestmark = [needs_postgresql, pytest.mark.end_to_end]
HOST = "gw1.example"


@pytest.fixture(scope="module")
def managers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managers]:
    folder = tmp_path_factory.mktemp("managers")
    with two_managers(folder, shared_server().new_database()) as started:
        yield started


@pytest.fixture
def clients(managers: Managers) -> Iterator[tuple[Client, Client]]:
    """Of the one that leads, and of the other."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(each.client()) for each in managers.leading())
        yield one, other


def test_what_was_changed_at_one_is_seen_at_the_other_by_the_next_request(
    clients: tuple[Client, Client],
) -> None:
    for number in range(20):
        asked, other = clients[number % 2], clients[1 - number % 2]
        name = f"seen{number}.example"
        made = asked.http.post("/repositories", json=spec(name))
        assert made.status_code == 201, made.text
        assert name in names(other)
    for client in clients:
        assert client.http.get("/logonSessions").status_code == 200


def test_of_two_that_make_the_same_at_once_one_is_refused(clients: tuple[Client, Client]) -> None:
    for number in range(8):
        made = at_once(clients, "/repositories", spec(f"made{number}.example"))
        assert sorted(made) == [201, 400]


def test_without_tls_the_one_that_leads_answers_too_whichever_is_asked(managers: Managers) -> None:
    challenge = "/.well-known/acme-challenge/of-nobody"
    for each in managers.leading():
        for path, status in (("/api/", 200), (challenge, 404)):
            answer = httpx2.get(f"{plain_url(each)}{path}", timeout=PATIENCE_SECONDS)
            assert answer.status_code == status, answer.text
        logon = httpx2.post(
            f"{plain_url(each)}/api/sessionMngr/",
            auth=("admin", PASSWORD),
            timeout=PATIENCE_SECONDS,
        )
        assert logon.status_code == 201, logon.text


def at_once(clients: tuple[Client, Client], path: str, body: dict[str, Any]) -> list[int]:
    """What both are answered that ask at the same moment."""
    begin, statuses = threading.Barrier(len(clients)), []

    def ask(client: Client) -> None:
        begin.wait()
        statuses.append(client.http.post(path, json=body).status_code)

    asking = [threading.Thread(target=ask, args=[each]) for each in clients]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    return statuses


ONES, NAMES = ("a", "b"), ("a", "b", "c", "d")
"""Repositories that are there before, and names that any may have."""
Call = tuple[str, ...]
State = frozenset[tuple[str, str, str]]
"""Which of those before it is, if any; its name and its description."""

calls = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(NAMES)),
    st.tuples(
        st.just("edit"), st.sampled_from(ONES), st.sampled_from(NAMES), st.sampled_from("xy")
    ),
    st.tuples(st.just("delete"), st.sampled_from(ONES)),
    st.just(("read",)),
)


def one_manager(state: State, call: Call) -> tuple[State, object]:
    """What a manager does that is asked one call after the other: a new state, and an answer."""
    taken = {name: which for which, name, _ in state}
    match call:
        case ("create", name):
            return (state, 400) if name in taken else (state | {("", name, "")}, 201)
        case ("read",):
            return state, frozenset((name, text) for _, name, text in state)
        case (verb, which, *rest):
            mine = next((each for each in state if each[0] == which), None)
            if mine is None:
                return state, 404
            if verb == "delete":
                return state - {mine}, 204
            name, text = rest
            if taken.get(name, which) != which:
                return state, 400
            return state - {mine} | {(which, name, text)}, 204
    raise AssertionError(call)


@dataclass
class Caller:
    """Asks one of the managers, and notes what it is told."""

    client: Client
    round: str
    """Names of another round are another's."""
    hrefs: dict[str, str]
    done: list[Done[Call]] = field(default_factory=list)

    def ask_all(self, some: list[Call], begin: threading.Barrier) -> None:
        """One after the other."""
        begin.wait()
        for number, call in enumerate(some):
            began = time.monotonic()
            told = self._ask(call, f"{self.round}-{id(self)}-{number}")
            self.done.append(Done(call, told, began, time.monotonic()))

    def _ask(self, call: Call, unique: str) -> object:
        http = self.client.http
        match call:
            case ("create", name):
                return http.post(
                    "/repositories", json=spec(unique) | {"Name": self._full(name)}
                ).status_code
            case ("edit", which, name, text):
                body = {"Name": self._full(name), "Description": text}
                return http.put(self.hrefs[which], json=body).status_code
            case ("delete", which):
                return http.delete(self.hrefs[which]).status_code
        return frozenset((name, text) for name, text in self.read())

    def read(self) -> list[tuple[str, str]]:
        """Names and descriptions of this round."""
        listed = self.client.http.get("/repositories?format=Entity").raise_for_status().json()
        return [
            (each["Name"].removeprefix(self._full("")), each["Description"] or "")
            for each in listed["Repositories"]
            if each["Name"].startswith(self._full(""))
        ]

    def _full(self, name: str) -> str:
        return f"{self.round}.{name}"


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(*[st.lists(calls, min_size=1, max_size=4)] * 2))
def test_what_two_do_at_once_is_what_one_would_have_done_in_some_order(
    clients: tuple[Client, Client], wanted: tuple[list[Call], list[Call]]
) -> None:
    named = uuid4().hex[:8]
    hrefs = {}
    for each in ONES:
        made = clients[0].http.post("/repositories", json=spec(f"{named}.{each}"))
        hrefs[each] = made.raise_for_status().json()["Href"]
    callers = [Caller(client, named, hrefs) for client in clients]
    begin = threading.Barrier(len(callers))
    asking = [
        threading.Thread(target=caller.ask_all, args=[some, begin])
        for caller, some in zip(callers, wanted, strict=True)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    found = [sorted(caller.read()) for caller in callers]
    assert found[0] == found[1]
    histories = [caller.done for caller in callers]
    # What was read last closes it: the state itself has more than anybody is shown.
    closing: Done[tuple[str, ...]] = Done(
        ("read",), frozenset(found[0]), time.monotonic(), time.monotonic()
    )
    histories.append([closing])
    first: State = frozenset((each, each, "") for each in ONES)
    assert order_of(histories, one_manager, first) is not None, histories


def test_who_asks_is_on_record_with_its_own_address_whichever_was_asked(managers: Managers) -> None:
    _, other = managers.leading()
    context = ssl.create_default_context(cafile=str(other.ca_file))
    way = httpx2.HTTPTransport(verify=context, local_address="127.0.0.77")
    headers = {"Accept": "application/json"}
    url = f"https://127.0.0.1:{other.port}/api"
    named = {"sni_hostname": "localhost"}
    with httpx2.Client(
        base_url=url, transport=way, headers=headers, timeout=PATIENCE_SECONDS
    ) as http:
        logon = http.post("/sessionMngr/", auth=("admin", PASSWORD), extensions=named)
        assert logon.status_code == 201, logon.text
        body = spec("from77.example")
        made = http.post("/repositories", json=body, extensions=named)
        assert made.status_code == 201, made.text
        engine = create_engine(postgresql_url(managers.url))
        with engine.connect() as connection:
            said = text("SELECT address FROM audit_events ORDER BY number DESC LIMIT 1")
            assert connection.execute(said).scalar_one() == "127.0.0.77"
        engine.dispose()


@pytest.mark.parametrize(
    "said", ["1 127.0.0.9 https 00 " + "0" * 64, "1", "1 x https 0 \u00e9", "x" * 500]
)
def test_a_stranger_cannot_speak_for_a_manager(managers: Managers, said: str) -> None:
    for each in managers.sites:
        context = ssl.create_default_context(cafile=str(each.ca_file))
        line = f"CLOUDGATE-RELAY/1 {said}\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with (
            socket.create_connection(("127.0.0.1", each.port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as stranger,
        ):
            stranger.sendall(line.encode())
            with suppress(ConnectionError, ssl.SSLError):
                assert stranger.recv(100) == b""


class Watcher:
    """Looks all the time, at both, whether a host is shown to be there."""

    def __init__(self, managers: Managers) -> None:
        self._managers = managers
        self._over = threading.Event()
        self._looking = [threading.Thread(target=self._look, args=[x]) for x in managers.sites]
        self.states: list[str] = []
        for each in self._looking:
            each.start()

    def _look(self, site: Site) -> None:
        while not self._over.wait(0.5):
            with suppress(httpx2.TransportError, httpx2.HTTPStatusError), site.client() as client:
                while not self._over.wait(0.5):
                    answer = client.http.get("/managedServers?format=Entity").raise_for_status()
                    (server,) = answer.json()["ManagedServers"]
                    self.states.append(server["State"])

    def end(self) -> list[str]:
        """All that was seen."""
        self._over.set()
        for each in self._looking:
            each.join()
        return self.states


@pytest.mark.alone
def test_a_manager_may_die_or_stand_still_and_hosts_and_operators_go_on_with_the_other(
    managers: Managers,
) -> None:
    leader, other = managers.leading()
    leader.add_host(HOST)
    with other.client() as client:
        task = client.create_gateway(other.gateway_port, HOST, ExternalIp="localhost")
        assert task["Result"]["Success"] is True, task
    # Told with what it is told of its gateway, and else when half a minute is over.
    kept = leader.folder / HOST / "host" / "membership.json"
    known = f"https://localhost:{other.port}"
    until(lambda: known in kept.read_text(), PATIENCE_SECONDS, said=kept.read_text)
    program = Program(
        [f"https://localhost:{each.port}" for each in (leader, other)],
        password=PASSWORD,
        ca=leader.ca_file,
    )
    assert program.servers.get(HOST).state == "Online"
    watcher = Watcher(managers)
    try:
        leader.manager.process.kill()
        leader.manager.process.wait()
        assert program.servers.get(HOST).name == HOST
        assert program.url.endswith(f":{other.port}")
        with logged_on(other) as client:
            managers.write(client, "after-a-death")
            until(lambda: host_answers(client), PATIENCE_SECONDS)
        assert managers.leading() == (other, leader)
        leader.start_manager()
        with leader.client() as client:
            managers.write(client, "handed-on")
            other.manager.process.send_signal(signal.SIGSTOP)
            managers.write(client, "after-a-standstill")
            until(lambda: host_answers(client), PATIENCE_SECONDS)
            assert managers.leading() == (leader, other)
            other.manager.process.send_signal(signal.SIGCONT)
            until(other.manager.is_ready, PATIENCE_SECONDS, said=other.manager.stands)
            with logged_on(other) as again:
                managers.write(again, "handed-on-again")
            assert set(managers.accepted) <= set(names(client))
            assert leader.manager.end() == 0
        with logged_on(other) as client:
            managers.write(client, "after-an-end")
            assert set(managers.accepted) <= set(names(client))
    finally:
        program.close()
        other.manager.process.send_signal(signal.SIGCONT)
        states = watcher.end()
    assert set(states) == {"Online"}


def host_answers(client: Client) -> bool:
    """Whether the host, which polls somewhere, says which tunnels it has."""
    place = client.gateway()["Href"].partition("?")[0]
    answer = client.http.get(f"{place}/tunnels")
    assert answer.status_code in (200, 503), answer.text
    return answer.status_code == 200
