"""Does a flood of requests leave the others alone, and the log readable?

What is measured under load is in the bench; here is what keeps it so.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import Mapping
from typing import Any

import pytest
from h2.connection import H2Connection
from h2.events import ConnectionTerminated
from structlog.testing import capture_logs

from cloudgate.host.access_log.record import LEFT_OUT, REFUSALS_AT_ONCE
from cloudgate.host.authorization.refusal_log import (
    MOST_ADDRESSES,
    MOST_KINDS,
    TOLD_ONE_BY_ONE,
    RefusalLog,
    RefusedRequest,
)
from cloudgate.host.envoy import launcher
from cloudgate.host.envoy.xds_listener import MOST_REQUESTS
from cloudgate.host.envoy.xds_resources import GUARD, TUNNELS, bootstrap
from cloudgate.protocol import GatewayState
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.anyio
REPO = "repo.example:443"


async def runtime(machine: Machine) -> Mapping[str, str]:
    """What is in force in the Envoy that listens."""
    entries = (await machine.admin._json("/runtime?format=json"))["entries"]
    return {name: each["final_value"] for name, each in entries.items()}


async def test_envoy_takes_one_request_of_a_connection_at_a_time(
    machine: Machine, port: int
) -> None:
    assert await runtime(machine) == {name: str(value).lower() for name, value in GUARD.items()}


async def test_an_envoy_that_was_started_without_its_guard_is_succeeded_and_no_tunnel_is_cut(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unguarded(*asked: Any) -> dict[str, Any]:
        return {**bootstrap(*asked), "layered_runtime": {"layers": []}}

    gateway = machine.gateway(free_port())
    with monkeypatch.context() as release_before:
        release_before.setattr(launcher, "bootstrap", unguarded)
        await machine.bring(gateway, GatewayState.LISTENING)
        before = machine.envoys.pid
        tunnel = await client.connect(gateway.port, REPO)
        assert await runtime(machine) == {}
        await machine.leave()
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert machine.envoys.pid != before
    assert await runtime(machine) == {name: str(value).lower() for name, value in GUARD.items()}
    assert await tunnel.echoes()
    assert await (await client.connect(gateway.port, REPO)).echoes()


class Http2:
    """A client that speaks frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames = H2Connection()
        self.frames.initiate_connection()

    def ask(self, password: str) -> int:
        """Ask for a tunnel; the stream."""
        stream = self.frames.get_next_available_stream_id()
        encoded = base64.b64encode(f"acme:{password}".encode()).decode()
        headers = [
            (":method", "CONNECT"),
            (":authority", REPO),
            ("proxy-authorization", f"Basic {encoded}"),
        ]
        self.frames.send_headers(stream, headers)
        return stream

    def send(self) -> None:
        """Have it on its way."""
        self.writer.write(self.frames.data_to_send())

    async def ended(self) -> bool:
        """Whether the other side says goodbye, or is gone, sooner or later."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while data := await self.reader.read(65536):
                events = self.frames.receive_data(data)
                if any(isinstance(each, ConnectionTerminated) for each in events):
                    return True
                self.send()
        return True


async def http2(client: Client, port: int) -> Http2:
    context = ssl.create_default_context(cadata=client.ca_pem)
    context.set_alpn_protocols(["h2"])
    return Http2(
        *await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    )


async def test_who_gives_up_request_after_request_is_hung_up_on(client: Client, port: int) -> None:
    tunnel = await client.connect(port, REPO)
    flood = await http2(client, port)
    for number in range(40):
        stream = flood.ask(f"wrong{number}")
        flood.frames.reset_stream(stream)
    flood.send()
    # Long before the ten seconds after which a connection without a tunnel ends anyway.
    async with asyncio.timeout(5):
        assert await flood.ended()
    flood.writer.transport.abort()
    assert await tunnel.echoes()


async def test_what_is_refused_has_only_so_many_lines_and_each_tunnel_has_its_own(
    machine: Machine, client: Client, port: int
) -> None:
    refused = 2 * REFUSALS_AT_ONCE
    asked = 0
    while asked < refused:
        asked += len(await answers(client, port, refused - asked))
    (await client.connect(port, REPO)).close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        lines = await asyncio.to_thread(_lines_with_both_ends, machine)
    written = [json.loads(line)["status"] for line in lines.splitlines()]
    left_out = (await machine.admin.counters(LEFT_OUT))[LEFT_OUT]
    assert left_out > 0
    assert written.count(404) == refused - left_out
    assert written.count(200) == 2


async def answers(client: Client, port: int, most: int) -> list[bytes]:
    """What comes for so many requests that are no CONNECT, over one connection, until it ends."""
    context = ssl.create_default_context(cadata=client.ca_pem)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    heard: list[bytes] = []
    try:
        writer.write(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * most)
        while len(heard) < most:
            head = await reader.readuntil(b"\r\n\r\n")
            heard.append(head.split()[1])
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return heard


async def test_a_connection_has_few_requests_and_then_ends(client: Client, port: int) -> None:
    assert await answers(client, port, 100) == [b"404"] * MOST_REQUESTS
    assert await answers(client, port, MOST_REQUESTS - 1) == [b"404"] * (MOST_REQUESTS - 1)


def _lines_with_both_ends(machine: Machine) -> str:
    """The access log, once it tells of the beginning and of the end of a tunnel."""
    log = machine.paths.access_log
    until(lambda: log.read_text().count('"status":200') == 2, said=log.read_text)
    return log.read_text()


def a_refusal(number: int = 0, **changes: Any) -> RefusedRequest:
    usual = RefusedRequest("acme", REPO, 407, "wrong", f"192.0.2.{number % 256}")
    return RefusedRequest(**{**vars(usual), **changes})


def test_the_first_refusals_are_told_and_the_others_summed_up() -> None:
    refusals = RefusalLog()
    with capture_logs() as told:
        for number in range(1000):
            refusals.record(a_refusal(number % 4))
        for number in range(1000):
            refusals.record(a_refusal(status=403, reason=f"no right to {number}"))
        refusals.record_given_up()
        refusals.sum_up(left_out=5)
    one_by_one = [each for each in told if each["event"] == "tunnel refused"]
    kinds = [each for each in told if each["event"] == "tunnels refused"]
    (summary,) = (each for each in told if each["event"] == "refused requests are summed up")
    assert len(one_by_one) == TOLD_ONE_BY_ONE
    assert len(kinds) <= MOST_KINDS + 2
    assert sum(each["times"] for each in kinds) == 2000 - TOLD_ONE_BY_ONE
    assert summary["refused"] == 2000
    assert summary["addresses"] == 4
    assert summary["most_from"] == "192.0.2.0"
    assert summary["given_up"] == 1
    assert summary["left_out_of_the_access_log"] == 5


def test_what_few_were_refused_is_not_told_twice_and_a_new_minute_begins_anew() -> None:
    refusals = RefusalLog()
    with capture_logs() as told:
        refusals.record(a_refusal())
        refusals.sum_up()
        refusals.record(a_refusal())
    assert [each["event"] for each in told] == ["tunnel refused"] * 2


def test_refusals_from_very_many_addresses_need_no_more_room() -> None:
    refusals = RefusalLog()
    with capture_logs():
        for number in range(MOST_ADDRESSES + 100):
            refusals.record(a_refusal(address=f"2001:db8:{number:x}::1"))
    assert len(refusals._addresses) <= MOST_ADDRESSES + 1


async def test_what_is_advised_for_an_edge_is_in_force(machine: Machine, port: int) -> None:
    dump = (await machine.admin._json("/config_dump"))["configs"]
    (started,) = (each["bootstrap"] for each in dump if "bootstrap" in each)
    (listener,) = (
        one["active_state"]["listener"]
        for each in dump
        for one in each.get("dynamic_listeners", [])
    )
    within = [
        one["listener"] for each in dump for one in each.get("static_listeners", [])
    ]  # where the module for Envoy is in use
    managers = [
        each["typed_config"]
        for one in (listener, *within)
        for chain in one["filter_chains"]
        for each in chain["filters"]
        if each["name"] == "envoy.filters.network.http_connection_manager"
    ]
    assert managers
    cluster = next(
        one["cluster"]
        for each in dump
        for one in each.get("dynamic_active_clusters", [])
        if one["cluster"]["name"] == TUNNELS
    )
    actions = {each["name"]: each for each in started["overload_manager"]["actions"]}
    assert set(actions) == {
        "envoy.overload_actions.shrink_heap",
        "envoy.overload_actions.stop_accepting_connections",
    }
    assert len(started["overload_manager"]["resource_monitors"]) == 2
    for chain in listener["filter_chains"]:
        tls = chain["transport_socket"]["typed_config"]["common_tls_context"]
        assert tls["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_2"}
        assert chain["transport_socket_connect_timeout"] == "10s"
    assert listener["per_connection_buffer_limit_bytes"] == 128 * 1024
    assert cluster["per_connection_buffer_limit_bytes"] == 128 * 1024
    assert cluster["connect_timeout"] == "5s"
    for http in managers:
        assert http["use_remote_address"] is True
        assert http["request_headers_timeout"] == "10s"
        assert http["common_http_protocol_options"] == {
            "idle_timeout": "10s",
            "max_requests_per_connection": MOST_REQUESTS,
        }
        assert http["http2_protocol_options"] == {
            "allow_connect": True,
            "max_concurrent_streams": 1,
            "initial_stream_window_size": 512 * 1024,
            "initial_connection_window_size": 512 * 1024,
        }
