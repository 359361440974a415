"""For which names is a gateway's certificate? What an operator said, and what the manager saw."""

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alembic.migration import MigrationContext
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from cloudgate.api.http.proxies import networks
from cloudgate.api.server import ServerOptions
from cloudgate.manager.gateways import rules
from cloudgate.manager.host_protocol.gateway_certificates import certificate_of
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.registries.hosts.source_addresses import KEPT_FOR
from cloudgate.manager.servers import observed_addresses
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.migrations import migrate
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import CloudGateway
from cloudgate.protocol import GatewayState
from cloudgate.trust.certificate_names import subject_alt_names
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, running_manager

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningManager]:
    """A manager behind a proxy on this machine, which says from where machines speak."""
    with running_manager(
        tmp_path, extras=ServerOptions(trusted_proxies=networks(["127.0.0.1"]))
    ) as one:
        yield one


def speak_from(host: ScriptedHost, address: str) -> None:
    host.client.headers["X-Forwarded-For"] = address


def poll_at_once(host: ScriptedHost) -> None:
    """As one that has lost its assignment: there is news."""
    host.assignment = None
    host.poll()


def made(running: RunningManager, host: ScriptedHost, **spec: object) -> dict[str, Any]:
    client = running.logged_on()
    body = {"ServerHostName": host.name, "NetworkType": "Direct", **spec}
    task = client.post("/cloud/gateways", json=body).raise_for_status().json()
    host.obey()
    return dict(client.get(finished(client, task)["Links"][1]["Href"]).json())


def certified(host: ScriptedHost) -> set[str]:
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    pem = host.assignment.gateway.certificate_chain_pem
    return set(subject_alt_names(x509.load_pem_x509_certificates(pem.encode())[0]))


def shown(client: httpx2.Client, gateway: dict[str, Any]) -> dict[str, Any]:
    return dict(client.get(gateway["Href"]).raise_for_status().json())


@pytest.fixture
def liar(running: RunningManager) -> Iterator[ScriptedHost]:
    """A machine that says to be the manager, and more."""
    claims = ("192.0.2.1", "2001:db8::1", "127.0.0.1")
    joined = ScriptedHost(running, "gw9", claims)
    yield joined
    joined.close()


def test_what_only_the_machine_says_is_not_signed_and_shown_as_a_warning(
    running: RunningManager, liar: ScriptedHost
) -> None:
    speak_from(liar, "198.51.100.7")
    gateway = made(running, liar)
    assert certified(liar) <= {"gw9", "198.51.100.7", "127.0.0.1"}
    for name in ("manager.example", "localhost", "*.example", "10.0.0.1"):
        liar.facts = liar.facts.model_copy(
            update={"host_name": name, "addresses": ("192.0.2.1", "10.0.0.1")}
        )
        liar.report(facts=liar.facts).raise_for_status()
        liar.obey()
        assert certified(liar) <= {"gw9", "198.51.100.7", "127.0.0.1"}, name
        warning = shown(running.logged_on(), gateway)["Warning"]
        assert "10.0.0.1" in warning
        assert name == "localhost" or name in warning
    assert shown(running.logged_on(), gateway)["ExternalIP"] == "198.51.100.7"


def test_what_an_operator_says_is_signed_and_then_the_machine_may_say_what_it_likes(
    running: RunningManager, liar: ScriptedHost
) -> None:
    speak_from(liar, "198.51.100.7")
    gateway = made(running, liar, ExternalIp="gate.example", NetworkType="NAT")
    assert certified(liar) >= {"gw9", "gate.example", "198.51.100.7"}
    assert not certified(liar) & {"192.0.2.1", "2001:db8::1", "localhost"}
    assert "Warning" not in shown(running.logged_on(), gateway)


def test_an_operator_may_call_a_gateway_localhost(running: RunningManager) -> None:
    local = ScriptedHost(running, "machine1", ("127.0.0.1",), local=True)
    speak_from(local, "198.51.100.9")
    poll_at_once(local)
    gateway = made(running, local, ServerHostName="localhost")
    assert certified(local) >= {"localhost", "machine1"}
    assert "Warning" not in gateway
    local.close()


def test_the_managers_own_machine_is_known_by_the_addresses_that_the_manager_sees(
    running: RunningManager,
) -> None:
    local = ScriptedHost(running, "machine1", ("203.0.113.5", "192.0.2.66"), local=True)
    gateway = made(running, local)
    own = replace(running.manager, own_addresses=lambda: ("203.0.113.5", "127.0.0.1"))
    with own.changing() as work:
        server = get_managed_server(work, local.server_id)
        (found,) = work.session.query(CloudGateway).filter_by(managed_server_id=server.id)
        leaf = x509.load_pem_x509_certificates(certificate_of(work, found).encode())[0]
    assert set(subject_alt_names(leaf)) == {"machine1", "203.0.113.5", "127.0.0.1", "localhost"}
    assert gateway["ExternalIP"] == "203.0.113.5"
    local.close()


def test_a_machine_that_moves_gets_another_certificate_and_one_with_two_ways_out_does_not(
    running: RunningManager, host: ScriptedHost
) -> None:
    speak_from(host, "198.51.100.7")
    made(running, host)
    before = certified(host)
    for address in ("198.51.100.8", "198.51.100.7", "198.51.100.8"):
        speak_from(host, address)
        poll_at_once(host)
    assert certified(host) == before
    for _ in range(KEPT_FOR // (ONLINE_FOR / 2) + 1):
        running.clock.ahead += ONLINE_FOR / 2
        poll_at_once(host)
    assert certified(host) == before - {"198.51.100.7"} | {"198.51.100.8"}
    speak_from(host, "2001:db8::7")
    poll_at_once(host)
    assert certified(host) >= {"198.51.100.8", "2001:db8::7"}


def test_a_claimed_name_takes_no_gateway_from_the_machine_that_has_it(
    running: RunningManager, host: ScriptedHost
) -> None:
    speak_from(host, "198.51.100.7")
    poll_at_once(host)
    thief = ScriptedHost(running, "gw2", ("198.51.100.7", "127.0.0.1"))
    thief.facts = thief.facts.model_copy(update={"host_name": "gw1.example"})
    thief.report(facts=thief.facts).raise_for_status()
    client = running.logged_on()
    for name in ("198.51.100.7", "gw1.example"):
        gateway = made(running, host, ServerHostName=name)
        assert gateway["Name"] == name
        task = client.delete(gateway["Href"].partition("?")[0]).json()
        host.obey(GatewayState.ABSENT)
        finished(client, task)
    thief.close()


ADDRESSES = st.sampled_from(
    ["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.2", "2001:db8::1", "2001:db8::2", "127.0.0.1"]
)


@given(st.lists(st.tuples(ADDRESSES, st.integers(0, 900)), max_size=20))
def test_at_most_one_address_of_each_version_is_kept_and_it_is_one_that_was_heard(
    polls: list[tuple[str, int]],
) -> None:
    kept, now = "", NOW
    heard: dict[str, datetime] = {}
    for said, pause in polls:
        now += timedelta(seconds=pause)
        address = observed_addresses.usable(said)
        before, kept = kept, observed_addresses.after(kept, address, heard, now)
        heard[address] = now
        found = [ipaddress.ip_address(each) for each in observed_addresses.read(kept)]
        assert len({each.version for each in found}) == len(found)
        for gone in set(observed_addresses.read(before)) - set(observed_addresses.read(kept)):
            assert now - heard[gone] >= KEPT_FOR
        assert set(observed_addresses.read(kept)) <= heard.keys()


@pytest.mark.parametrize("said", ["", "unix", "0.0.0.0", "::", "224.0.0.1", "fe80::1", "fe80::1%x"])
def test_an_address_where_nobody_could_go_is_not_kept(said: str) -> None:
    assert observed_addresses.usable(said) == ""


@given(st.text(max_size=30), st.lists(st.ip_addresses().map(str), max_size=5))
def test_no_claim_is_called_unsigned_that_is_signed(host_name: str, claimed: list[str]) -> None:
    assert not set(rules.unsigned_claims(host_name, claimed, claimed)) & set(claimed)
    assert host_name not in rules.unsigned_claims(host_name, claimed, [host_name.casefold()])


def test_where_tenants_were_told_to_dial_before_goes_on_being_signed(tmp_path: Path) -> None:
    file = tmp_path / "cloudgate.db"
    engine = create_engine(sqlite_url(file))
    with engine.connect() as connection:
        migrate(connection, "0013")
        rows = {
            "met": ('{"external_ip": null}', "", "203.0.113.5"),
            "not_met": ('{"external_ip": null}', "Nothing answers.", ""),
            "named": ('{"external_ip": "gate.example"}', "", ""),
        }
        site = "a" * 32
        connection.execute(
            text(
                "INSERT INTO backup_servers (id, name, description, port, user_name,"
                " certificate_thumbprint, site_revision, pool_drain)"
                f" VALUES ('{site}', 's', '', 1, '', '', 0, '')"
            )
        )
        for number, (name, (confirmed, reach, _)) in enumerate(rows.items()):
            identifier = f"{number:032x}"
            connection.execute(
                text(
                    "INSERT INTO managed_servers (id, backup_server_id, name, description, kind,"
                    " local, machine, usage_batch, warning, facts, assignment_revision,"
                    " reported_directory_revision, reported_state, reported_reason, live_tunnels)"
                    f" VALUES ('{identifier}', '{site}', '{name}', '', 'Linux', 0, '', '', '',"
                    " :facts, 0, 0, '', '', 0)"
                ),
                {"facts": '{"addresses": ["203.0.113.5", "10.0.0.1"]}'},
            )
            connection.execute(
                text(
                    "INSERT INTO cloud_gateways (id, managed_server_id, backup_server_id, name,"
                    " wanted, confirmed, removing, certificate_pem, drain, certificate_warning,"
                    f" reach_warning) VALUES ('{identifier}', '{identifier}', '{site}', '{name}',"
                    " :confirmed, :confirmed, 0, '', '', '', :reach)"
                ),
                {"confirmed": confirmed, "reach": reach},
            )
        connection.commit()
        assert MigrationContext.configure(connection).get_current_revision() == "0013"
    engine.dispose()
    database = Database(sqlite_url(file))
    with database.reading() as session:
        told = {each.name: each.told_address for each in session.query(CloudGateway)}
    database.close()
    assert told == {name: address for name, (_, _, address) in rows.items()}
